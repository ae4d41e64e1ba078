//! The two tables, and requests to them.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    config::{retry::RetryConfig, timeout::TimeoutConfig},
    types::AttributeValue,
};

/// Bounds of the time of one attempt, unless the host's client has a limit of its own.
const SHORTEST_ATTEMPT: Duration = Duration::from_secs(2);
const LONGEST_ATTEMPT: Duration = Duration::from_secs(15);

/// An item of a table.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The client, and the names of the tables.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    pub(crate) client: Client,
    /// One item for each session and each owner.
    pub(crate) heads: String,
    /// Batches of entries, and parts of what doesn't fit into one item.
    pub(crate) log: String,
    /// Time for which a request that may succeed later is sent again.
    pub(crate) retry_for: Duration,
    /// Time after which an answer counts as lost: short enough for a second and a third attempt.
    pub(crate) attempt: Duration,
}

impl Tables {
    /// The SDK's own retries are off: they would end a transaction's conflict with an error, and add to the waits of this crate.
    pub(crate) fn new(client: &Client, prefix: &str, retry_for: Duration) -> Self {
        let attempt = (retry_for / 3).clamp(SHORTEST_ATTEMPT, LONGEST_ATTEMPT);
        let known = client.config().timeout_config().cloned();
        let timeouts = match known {
            Some(known) if known.operation_attempt_timeout().is_some() || known.operation_timeout().is_some() => known,
            Some(known) => known.into_builder().operation_attempt_timeout(attempt).build(),
            None => TimeoutConfig::builder().operation_attempt_timeout(attempt).build(),
        };
        let config = client.config().to_builder();
        let config = config.retry_config(RetryConfig::disabled()).timeout_config(timeouts);
        let retry_for = match client.config().region() {
            Some(_) => retry_for,
            // No request can be made, now or later.
            None => Duration::ZERO,
        };
        Self {
            client: Client::from_conf(config.build()),
            heads: format!("{prefix}-heads"),
            log: format!("{prefix}-log"),
            retry_for,
            attempt,
        }
    }

    /// The region, for errors.
    pub(crate) fn region(&self) -> Option<String> {
        self.client.config().region().map(ToString::to_string)
    }
}

/// A text attribute.
pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A number attribute.
pub(crate) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Reads a text attribute of an item.
pub(crate) fn text_of(item: &Item, name: &str) -> Option<String> {
    item.get(name)?.as_s().ok().cloned()
}

/// Reads a number attribute of an item.
pub(crate) fn number_of(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// Takes the bytes of an attribute out of an item.
pub(crate) fn bytes_of(item: &mut Item, name: &str) -> Option<Vec<u8>> {
    match item.remove(name)? {
        AttributeValue::B(bytes) => Some(bytes.into_inner()),
        _ => None,
    }
}
