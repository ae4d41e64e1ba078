//! Alarm clock of a session whose agent has left.

use std::time::Duration;

use async_tool_runtime::{SessionId, ToolError, task::Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Cloud, fault};

/// Longest delay of a message in SQS.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// Message that wakes the agent of a session at the deadline of a task, in case that nothing else does.
///
/// SQS delays a message by 15 minutes at most. A message that comes early is sent again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alarm {
    /// The session.
    pub session: SessionId,
    /// The deadline.
    pub wake_at: Timestamp,
}

impl Alarm {
    /// True if the deadline has passed.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.wake_at <= now
    }

    /// Sends the message, to come at the deadline or after 15 minutes.
    ///
    /// # Errors
    ///
    /// [`ToolError`] if SQS doesn't take it.
    pub async fn send(&self, cloud: &Cloud, queue: &str, now: Timestamp) -> Result<(), ToolError> {
        let request = cloud.sqs.send_message().queue_url(queue).delay_seconds(self.delay(now));
        let sent = request.message_body(serde_json::json!(self).to_string()).send().await;
        sent.map(drop)
            .map_err(|error| fault::tool_error(&cloud.place("queue", queue), &error))
    }

    /// Delay in whole seconds, which doesn't end before the deadline.
    fn delay(&self, now: Timestamp) -> i32 {
        let left = self.wake_at.since(now).min(LONGEST);
        left.as_millis().div_ceil(1000) as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_never_comes_early_except_after_the_longest_delay() {
        let now = Timestamp::from_millis(1_000_000);
        for (left, delay) in [
            (0, 0),
            (1, 1),
            (1_000, 1),
            (1_001, 2),
            (899_001, 900),
            (900_001, 900),
            (86_400_000, 900),
        ] {
            let alarm = Alarm {
                session: "s".into(),
                wake_at: Timestamp::from_millis(1_000_000 + left),
            };
            assert_eq!(alarm.delay(now), delay, "{left}");
            let comes = Timestamp::from_millis(1_000_000 + 1_000 * delay as u64);
            assert_eq!(alarm.is_due(comes), left <= 900_000, "{left}");
        }
        let past = Alarm {
            session: "s".into(),
            wake_at: Timestamp::from_millis(5),
        };
        assert_eq!((past.delay(now), past.is_due(now)), (0, true));
    }
}
