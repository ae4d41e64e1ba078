//! A task as the input of an activity.

use std::time::Duration;

use async_tool_runtime::task::TaskSpec;
use serde::{Deserialize, Serialize};

/// Name of the activity that every worker of this crate offers.
pub(crate) const ACTIVITY: &str = "async_tool";

/// Interval of heartbeats for an assignment that doesn't say one.
const BEAT: u64 = 700;

/// Input of the activity: the task, and how often its worker asks if it was cancelled. The agent's side decides that, because
/// it promises the latency of a cancellation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Assignment {
    pub(crate) task: TaskSpec,
    #[serde(default = "default_beat")]
    beat_millis: u64,
}

impl Assignment {
    pub(crate) fn new(task: TaskSpec, beat: Duration) -> Self {
        Self {
            task,
            beat_millis: u64::try_from(beat.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Interval of heartbeats; never zero, whatever came over the wire.
    pub(crate) fn beat(&self) -> Duration {
        Duration::from_millis(self.beat_millis.max(10))
    }
}

const fn default_beat() -> u64 {
    BEAT
}

/// Interval of heartbeats, so that a worker hears of a cancellation in time.
pub(crate) fn beat(cancel_latency: Duration) -> Duration {
    cancel_latency * 7 / 10
}

#[cfg(test)]
mod tests {
    use async_tool_runtime::{SessionId, ToolCall};
    use serde_json::json;

    use super::*;

    #[test]
    fn an_assignment_travels_as_json() {
        let task = TaskSpec::new(
            SessionId::new("s"),
            ToolCall::new("call_1", "add", json!({"a": 1.5, "b": u64::MAX})),
        );
        let sent = Assignment::new(task.clone(), Duration::from_millis(250));
        let text = serde_json::to_string(&sent).unwrap();
        let received: Assignment = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (received.task.clone(), received.beat()),
            (task, Duration::from_millis(250))
        );

        let old = json!({"task": received.task});
        assert_eq!(
            serde_json::from_value::<Assignment>(old).unwrap().beat(),
            Duration::from_millis(BEAT)
        );
        let endless = json!({"task": received.task, "beat_millis": 0});
        assert!(serde_json::from_value::<Assignment>(endless).unwrap().beat() > Duration::ZERO);
    }
}
