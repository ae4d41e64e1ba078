//! Settings of a client.

use std::time::Duration;

use super::wire::Limits;

/// Settings of a client.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) bearer: Option<String>,
    /// Names and values.
    pub(super) headers: Vec<(String, String)>,
    /// Begin of the names of its tools.
    pub(super) prefix: String,
    pub(super) trusts_annotations: bool,
    /// Limit of the whole way to a connection.
    pub(super) connect: Duration,
    /// Limits of `tools/call`.
    pub(super) call: Limits,
    /// Limits of the short requests: lists, polls, answers, cancellations.
    pub(super) control: Limits,
    /// Longest time of a task of the server.
    pub(super) task: Duration,
    /// Longest time for which a task's server may be away.
    pub(super) away: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let control = Duration::from_secs(30);
        Self {
            bearer: None,
            headers: Vec::new(),
            prefix: String::new(),
            trusts_annotations: true,
            connect: Duration::from_secs(30),
            call: Limits {
                idle: minutes(5),
                total: minutes(60),
            },
            control: Limits {
                idle: control,
                total: control,
            },
            task: minutes(24 * 60),
            away: minutes(10),
        }
    }
}
