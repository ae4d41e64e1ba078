//! Settings of a journal.

use std::{num::NonZeroU64, time::Duration};

use aws_sdk_dynamodb::Client;

use crate::{DynamoJournal, shared::Shared, tables::Tables};

/// Shortest lease: a request has to fit into a quarter of it.
const SHORTEST_LEASE: Duration = Duration::from_millis(400);

/// Settings of a [`DynamoJournal`].
///
/// ```
/// # use aws_sdk_dynamodb::{Client, config::{BehaviorVersion, Config}};
/// use async_tool_dynamodb::DynamoJournal;
/// use std::time::Duration;
///
/// # let client = Client::from_conf(Config::builder().behavior_version(BehaviorVersion::latest()).build());
/// let journal = DynamoJournal::builder(client)
///     .prefix("orders")
///     .lease(Duration::from_secs(10))
///     .build();
/// assert_eq!(journal.tables(), ["orders-heads", "orders-log"]);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct DynamoJournalBuilder {
    client: Client,
    prefix: String,
    lease: Duration,
    retry_for: Duration,
    snapshot_every: Option<NonZeroU64>,
}

impl DynamoJournalBuilder {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            prefix: "async-tool".to_owned(),
            lease: Duration::from_secs(30),
            retry_for: Duration::from_secs(10),
            snapshot_every: const { NonZeroU64::new(1_000) },
        }
    }

    /// Begins the names of the tables: `<prefix>-heads` and `<prefix>-log`. Default: `async-tool`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets the time after which other processes take the sessions of this one, if it shows no sign of life. It is 400 ms at least.
    /// Default: 30 s.
    ///
    /// While it has sessions, the process writes one sign of life each quarter of the lease.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.max(SHORTEST_LEASE);
        self
    }

    /// Sets the time for which a request is sent again after throttling, conflicts, lost connections and lost answers. Default: 10 s.
    ///
    /// An answer counts as lost after a third of that time, but not before 2 s or after 15 s. A timeout of the given client counts instead; if it
    /// is longer than this time, a lost answer is not asked for again.
    ///
    /// The retries of the given client are not used, because a repeated append has to carry the same token.
    pub fn retry_for(mut self, limit: Duration) -> Self {
        self.retry_for = limit;
        self
    }

    /// Sets the number of entries between two snapshots of a session; `None` for no snapshots. Default: 1,000.
    pub fn snapshot_every(mut self, entries: Option<NonZeroU64>) -> Self {
        self.snapshot_every = entries;
        self
    }

    /// Makes the journal. It sends no request.
    #[must_use]
    pub fn build(self) -> DynamoJournal {
        let tables = Tables::new(&self.client, &self.prefix, self.retry_for);
        DynamoJournal::of(Shared::new(tables, self.lease), self.snapshot_every)
    }
}
