//! Counters of a manager, also reported through the `metrics` facade.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::task::{AsyncTaskResult, TaskOutcome};

/// Counted event of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    CacheHit,
    CacheMiss,
    Shared,
    Retry,
    BreakerOpen,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(super) rejected: AtomicU64,
    pub(super) completed: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) cancelled: AtomicU64,
    pub(super) unknown: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) breaker_refusals: AtomicU64,
    pub(super) cache_hits: AtomicU64,
    pub(super) cache_misses: AtomicU64,
    pub(super) shared: AtomicU64,
}

impl Counters {
    pub(super) fn rejected(&self, tool: &str) {
        add(&self.rejected);
        metrics::rejected(tool);
    }

    pub(super) fn count(&self, tool: &str, what: Count) {
        metrics::counted(tool, what);
        add(match what {
            Count::CacheHit => &self.cache_hits,
            Count::CacheMiss => &self.cache_misses,
            Count::Shared => &self.shared,
            Count::Retry => &self.retries,
            Count::BreakerOpen => &self.breaker_refusals,
        });
    }

    pub(super) fn settled(&self, result: &AsyncTaskResult) {
        add(match &result.outcome {
            TaskOutcome::Completed(_) => &self.completed,
            TaskOutcome::Failed(_) => &self.failed,
            TaskOutcome::Cancelled(_) => &self.cancelled,
            TaskOutcome::Unknown(_) => &self.unknown,
        });
        metrics::settled(result);
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Reports to the installed recorder of the `metrics` facade.
#[cfg(feature = "metrics")]
mod metrics {
    use metrics::{Label, counter, histogram};

    use super::{AsyncTaskResult, Count};
    use crate::{manager::kind_of, task::TaskStatus};

    pub(super) fn counted(tool: &str, what: Count) {
        let name = match what {
            Count::CacheHit => "async_tool.cache.hits",
            Count::CacheMiss => "async_tool.cache.misses",
            Count::Shared => "async_tool.tasks.shared",
            Count::Retry => "async_tool.task.retries",
            Count::BreakerOpen => "async_tool.breaker.refusals",
        };
        counter!(name, "tool" => tool.to_owned()).increment(1);
    }

    pub(super) fn rejected(tool: &str) {
        counter!("async_tool.tasks.rejected", "tool" => tool.to_owned()).increment(1);
    }

    pub(super) fn settled(result: &AsyncTaskResult) {
        let tool = || result.tool.to_string();
        let status: TaskStatus = result.status();
        counter!("async_tool.tasks.settled", "tool" => tool(), "status" => status.as_str()).increment(1);
        histogram!("async_tool.task.queued.seconds", "tool" => tool()).record(result.timing.queued());
        histogram!("async_tool.task.running.seconds", "tool" => tool()).record(result.timing.running());
        histogram!("async_tool.task.attempts", "tool" => tool()).record(f64::from(result.attempts));
        let mut labels = vec![
            Label::new("gen_ai.operation.name", "execute_tool"),
            Label::new("gen_ai.tool.name", tool()),
            Label::new("gen_ai.tool.type", "function"),
        ];
        labels.extend(kind_of(&result.outcome).map(|kind| Label::new("error.type", kind.as_str())));
        histogram!("gen_ai.execute_tool.duration", labels).record(result.timing.elapsed());
    }
}

#[cfg(not(feature = "metrics"))]
mod metrics {
    use super::{AsyncTaskResult, Count};

    pub(super) fn counted(_: &str, _: Count) {}

    pub(super) fn rejected(_: &str) {}

    pub(super) fn settled(_: &AsyncTaskResult) {}
}
