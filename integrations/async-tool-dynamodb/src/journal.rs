//! The journal's handle.

use std::{fmt, num::NonZeroU64, sync::Arc, time::Duration};

use async_tool_runtime::{
    Journal, SessionId,
    future::{BoxFuture, BoxStream},
    journal::{AppendError, Claim, Entry, ReadError, Seq, SessionFilter, Snapshot},
};
use aws_sdk_dynamodb::Client;

use crate::{
    DynamoJournalBuilder, StoreError, append::Append, blob, create, listing, read, release, shared::Shared, snapshot,
};

/// A journal in two tables of DynamoDB.
///
/// A handle is cheap to clone. Dropping the last handle gives the journal's sessions up, if the tokio runtime goes on. At the end of a
/// program, [`close`](Self::close) waits for that. Without it, other processes wait for the [lease](DynamoJournalBuilder::lease).
///
/// Nothing is removed: [`remove`](Journal::remove) returns false, and a closed session stays in the tables.
///
/// # Panics
///
/// Appends panic outside of a tokio runtime, like the SDK.
///
/// # Cancel safety
///
/// If an append's future is dropped, its entries are written as a whole or not at all. Once polled, the append goes on in the background.
#[derive(Clone)]
pub struct DynamoJournal {
    shared: Arc<Shared>,
    /// Counts the handles. Requests in the background share the rest, too.
    handles: Arc<()>,
    snapshot_every: Option<NonZeroU64>,
}

impl DynamoJournal {
    /// Makes a journal in the tables `<prefix>-heads` and `<prefix>-log`, with all defaults. It sends no request.
    ///
    /// The client brings region, credentials and connections.
    ///
    /// ```no_run
    /// use async_tool_dynamodb::DynamoJournal;
    /// use aws_config::BehaviorVersion;
    /// use aws_smithy_http_client::{Builder, tls::{Provider, rustls_provider::CryptoMode}};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let https = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    /// let config = aws_config::defaults(BehaviorVersion::latest()).http_client(https).load().await;
    /// let journal = DynamoJournal::new(aws_sdk_dynamodb::Client::new(&config), "agents");
    /// journal.create_tables().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new(client: Client, prefix: impl Into<String>) -> Self {
        Self::builder(client).prefix(prefix).build()
    }

    /// Makes a builder, for other settings.
    pub fn builder(client: Client) -> DynamoJournalBuilder {
        DynamoJournalBuilder::new(client)
    }

    pub(crate) fn of(shared: Shared, snapshot_every: Option<NonZeroU64>) -> Self {
        Self {
            shared: Arc::new(shared),
            handles: Arc::default(),
            snapshot_every,
        }
    }

    /// Names of the two tables: of sessions, and of entries.
    #[must_use]
    pub fn tables(&self) -> [&str; 2] {
        [&self.shared.tables.heads, &self.shared.tables.log]
    }

    /// Creates the tables that don't exist, with capacity on demand, and waits until they can be used. Does nothing if both exist.
    ///
    /// It needs the permissions `dynamodb:DescribeTable` and, for new tables, `dynamodb:CreateTable`. A production account rather has
    /// them in a template; the README shows one.
    ///
    /// # Errors
    ///
    /// [`StoreError::OtherTable`] if a table has other keys; any other [`StoreError`] of the requests.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a table whose creation has begun is found by the next call.
    pub async fn create_tables(&self) -> Result<(), StoreError> {
        create::create(&self.shared.tables).await
    }

    /// Drops this handle. If it is the last one, waits for the appends in the background, gives all sessions up, and waits for the answer.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if DynamoDB can't be told. Then other processes wait for the lease.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the journal closes as if its handle had been dropped.
    pub async fn close(self) -> Result<(), StoreError> {
        match Arc::into_inner(self.handles) {
            Some(()) => self.shared.close().await,
            None => Ok(()),
        }
    }

    /// Ends the journal as `kill -9` would, after the requests that are under way, for three seconds at most. For tests.
    #[doc(hidden)]
    pub async fn abandon(self) {
        self.shared.abandon().await;
        for _ in 0..300 {
            if Arc::strong_count(&self.shared) == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Journal for DynamoJournal {
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        claim: &'a Claim,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        Box::pin(async move {
            let append = Append::new(session, claim, after, entries).map_err(StoreError::unavailable)?;
            let written = self.shared.in_turn(session, append.write(Arc::clone(&self.shared)));
            written.await.map_err(StoreError::unavailable)?
        })
    }

    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
        read::entries(&self.shared, session, after)
    }

    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
        listing::sessions(&self.shared, filter)
    }

    fn release<'a>(&'a self, session: &'a SessionId, claim: &'a Claim) -> BoxFuture<'a, Result<(), AppendError>> {
        Box::pin(async move {
            let (shared, name, claim) = (Arc::clone(&self.shared), session.clone(), claim.clone());
            let released = self.shared.in_turn(session, async move {
                match shared.holds.is_of(&name, &claim) {
                    true => release::release(&shared, &name).await,
                    false => Ok(()),
                }
            });
            released.await.flatten().map_err(StoreError::unavailable)
        })
    }

    fn put_blob<'a>(
        &'a self,
        session: &'a SessionId,
        bytes: &'a Arc<[u8]>,
    ) -> BoxFuture<'a, Result<Option<Arc<str>>, AppendError>> {
        Box::pin(async move {
            let name = blob::put(&self.shared.tables, session, bytes).await;
            name.map(Some).map_err(StoreError::unavailable)
        })
    }

    fn blob<'a>(
        &'a self,
        session: &'a SessionId,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<[u8]>>, ReadError>> {
        Box::pin(async move { Ok(blob::find(&self.shared.tables, session, name).await?) })
    }

    fn snapshot_every(&self) -> Option<NonZeroU64> {
        self.snapshot_every
    }

    fn keep_snapshot<'a>(
        &'a self,
        session: &'a SessionId,
        snapshot: Snapshot,
    ) -> BoxFuture<'a, Result<(), AppendError>> {
        Box::pin(snapshot::keep(&self.shared, session, snapshot))
    }

    fn snapshot<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<Option<Snapshot>, ReadError>> {
        Box::pin(async move { Ok(snapshot::read(&self.shared, session).await?) })
    }
}

impl fmt::Debug for DynamoJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoJournal")
            .field("tables", &self.tables())
            .finish_non_exhaustive()
    }
}
