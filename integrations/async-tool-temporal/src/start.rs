//! Start of an activity for a task.

use std::time::Duration;

use async_tool_runtime::task::{TaskSpec, Timestamp};
use temporalio_client::{ActivityIdConflictPolicy, ActivityIdReusePolicy, ActivityStartOptions, RetryPolicy};
use temporalio_common::{
    ActivityCloseTimeouts,
    search_attributes::{SearchAttributeKey, SearchAttributes},
};

use crate::session;

/// Pause before a task that lost its worker, or was handed back, goes to a worker again; doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Longest run of a task without a deadline, because Temporal wants a bound. It is never what ends a task: the worker
/// ends a call at its tool's timeout, and a lost worker is found by its heartbeats.
const NO_DEADLINE: Duration = Duration::from_secs(365 * 24 * 3600);

/// Longest text beside an activity in Temporal's pages, in characters.
const SUMMARY: usize = 200;

/// Options of the activity. Its id is the task's, so a task that is submitted again, running or ended, starts nothing.
pub(crate) fn options(task: &TaskSpec, queue: &str, heartbeat: Duration, now: Timestamp) -> ActivityStartOptions {
    let close = match task.deadline {
        // A deadline that is over ends the task in a moment, by the same path.
        Some(deadline) => ActivityCloseTimeouts::ScheduleToClose(deadline.since(now).max(Duration::from_millis(1))),
        None => ActivityCloseTimeouts::StartToClose(NO_DEADLINE),
    };
    let attribute = SearchAttributeKey::keyword(session::ATTRIBUTE).value_set(session::value(&task.session));
    let summary: String = task.call.name.chars().take(SUMMARY).collect();
    ActivityStartOptions::new(queue, task.task.to_string(), close)
        .heartbeat_timeout(heartbeat)
        .retry_policy(
            RetryPolicy::builder()
                .initial_interval(FIRST_PAUSE)
                .backoff_coefficient(2.0)
                .maximum_interval(LONGEST_PAUSE)
                // Zero: no limit. The executor on the worker knows when a tool has taken too many workers along.
                .maximum_attempts(0)
                .build(),
        )
        .id_reuse_policy(ActivityIdReusePolicy::RejectDuplicate)
        .id_conflict_policy(ActivityIdConflictPolicy::UseExisting)
        .search_attributes(SearchAttributes::new([attribute]))
        .summary(summary)
        .build()
}

/// Time of day.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use async_tool_runtime::{SessionId, ToolCall};
    use serde_json::json;

    use super::*;

    fn task() -> TaskSpec {
        TaskSpec::new(SessionId::new("o'brien"), ToolCall::new("call_1", "search", json!({})))
    }

    #[test]
    fn the_task_is_the_idempotency_key() {
        let task = task();
        let options = options(&task, "tools", Duration::from_secs(3), Timestamp::from_millis(1_000));
        assert_eq!(
            (options.id, options.task_queue),
            (task.task.to_string(), "tools".to_owned())
        );
        assert_eq!(options.id_reuse_policy, ActivityIdReusePolicy::RejectDuplicate);
        assert_eq!(options.id_conflict_policy, ActivityIdConflictPolicy::UseExisting);
        assert_eq!(options.heartbeat_timeout, Some(Duration::from_secs(3)));
        assert_eq!(options.retry_policy.unwrap().maximum_attempts(), 0);
        let key = SearchAttributeKey::keyword("AgentSession");
        assert_eq!(
            options.search_attributes.unwrap().get::<String>(&key).as_deref(),
            Some("o%27brien")
        );
        assert_eq!(options.summary.as_deref(), Some("search"));
    }

    #[test]
    fn the_deadline_bounds_the_activity() {
        let bounded = |deadline| {
            let task = task().with_deadline(Timestamp::from_millis(deadline));
            options(&task, "q", Duration::from_secs(3), Timestamp::from_millis(1_000)).close_timeouts
        };
        assert_eq!(
            bounded(31_000),
            ActivityCloseTimeouts::ScheduleToClose(Duration::from_secs(30))
        );
        assert_eq!(
            bounded(1_000),
            ActivityCloseTimeouts::ScheduleToClose(Duration::from_millis(1))
        );
        assert_eq!(
            bounded(1),
            ActivityCloseTimeouts::ScheduleToClose(Duration::from_millis(1))
        );
        let free = options(&task(), "q", Duration::from_secs(3), Timestamp::from_millis(1_000));
        assert_eq!(free.close_timeouts.schedule_to_close(), None);
    }
}
