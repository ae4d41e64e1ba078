//! Heartbeats of running tasks, from a worker to the agent.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::tool::ProgressReport;

/// State of a running task: the number of its starts, and the latest progress.
///
/// An engine keeps the latest heartbeat of a task as data. The agent's side reads that the task has started, and its
/// progress. The next worker reads the number of starts, if the task's worker is lost.
///
/// ```
/// use async_tool_runtime::backend::Heartbeat;
///
/// let first = Heartbeat::new(1);
/// let wire = serde_json::to_string(&first)?;
/// assert_eq!(wire, r#"{"starts":1}"#);
/// assert_eq!(serde_json::from_str::<Heartbeat>(&wire)?, first);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Heartbeat {
    /// Number of runs that have begun, without those that were handed back.
    pub starts: u32,
    /// Latest progress of the function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressReport>,
}

impl Heartbeat {
    /// Creates the heartbeat of a task that has begun this often.
    #[must_use]
    pub const fn new(starts: u32) -> Self {
        Self { starts, progress: None }
    }

    /// Sets the latest progress.
    #[must_use]
    pub fn with_progress(mut self, progress: ProgressReport) -> Self {
        self.progress = Some(progress);
        self
    }
}

/// Receiver of a task's heartbeats on the agent's side. Cheap to clone.
///
/// The manager says that the task has started at the first heartbeat with a start, and publishes progress.
///
/// ```
/// use async_tool_runtime::backend::{Heartbeat, Heartbeats};
/// use std::sync::{Arc, Mutex};
///
/// let seen = Arc::new(Mutex::new(Vec::new()));
/// let heartbeats = Heartbeats::new({
///     let seen = Arc::clone(&seen);
///     move |heartbeat| seen.lock().unwrap().push(heartbeat.starts)
/// });
/// // In `outcome`, whenever the engine shows a newer heartbeat:
/// heartbeats.tell(Heartbeat::new(1));
/// assert_eq!(*seen.lock().unwrap(), [1]);
/// ```
#[derive(Clone)]
pub struct Heartbeats(Arc<dyn Fn(Heartbeat) + Send + Sync>);

impl Heartbeats {
    /// Receiver that calls this function.
    #[must_use]
    pub fn new(take: impl Fn(Heartbeat) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    /// Receiver that ignores all heartbeats.
    #[must_use]
    pub fn ignored() -> Self {
        Self::new(drop)
    }

    /// Tells a heartbeat. Never waits. Telling one again, or an older one, does no harm.
    pub fn tell(&self, heartbeat: Heartbeat) {
        (self.0)(heartbeat);
    }
}

impl fmt::Debug for Heartbeats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Heartbeats(..)")
    }
}
