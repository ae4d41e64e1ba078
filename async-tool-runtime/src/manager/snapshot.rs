//! State of a manager at one moment: slots, queue, and the policies of its tools.

use std::{sync::Arc, time::Duration};

use serde::{Serialize, Serializer};
use tokio::time::Instant;

use super::{AsyncToolManager, ManagerStats};
use crate::{clock::Timestamp, policy::BreakerState, session::SessionId};

/// State of a manager at one moment, for a display. Its JSON has durations in milliseconds.
///
/// ```
/// use async_tool_runtime::{AsyncToolManager, async_tool, manager::BreakerState, tools};
///
/// /// Looks a word up.
/// #[async_tool(effect = "read", concurrency = 2, rate = "10/min", breaker(failures = 3, cooldown = "30s"))]
/// fn look_up(word: String) -> String {
///     word
/// }
///
/// let manager = AsyncToolManager::builder().tools(tools![look_up]).concurrency(8).build()?;
/// let snapshot = manager.snapshot();
/// assert_eq!((snapshot.slots.slots.limit, snapshot.slots.slots.running), (Some(8), 0));
/// let look_up = &snapshot.tools[0];
/// assert_eq!(look_up.concurrency.and_then(|slots| slots.limit), Some(2));
/// assert_eq!(look_up.rate.as_ref().map(|rate| (rate.calls, rate.used)), Some((10, 0)));
/// assert_eq!(look_up.breaker.as_ref().map(|breaker| breaker.state), Some(BreakerState::Closed));
/// # Ok::<(), async_tool_runtime::manager::BuildError>(())
/// ```
///
/// The parts are read one after the other while tasks go on, so they may not fit together.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ManagerSnapshot {
    /// Counts of the manager.
    pub stats: ManagerStats,
    /// Slots, taken and in all.
    pub slots: SlotsSnapshot,
    /// Tasks that wait for a slot.
    pub queue: QueueSnapshot,
    /// Tools with a limit or a cache of their own, by name.
    pub tools: Vec<ToolSnapshot>,
    /// Functions that were told to stop, still run, and can't be dropped.
    pub quarantined: usize,
}

/// Slots of a manager.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SlotsSnapshot {
    /// All slots.
    #[serde(flatten)]
    pub slots: SlotUse,
    /// Slots of one session at most; `None` without a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_limit: Option<usize>,
    /// Slots of blocking calls.
    pub blocking: SlotUse,
}

/// Use of a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SlotUse {
    /// Slots in all; `None` without a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Slots that are taken.
    pub running: usize,
}

impl SlotUse {
    /// Use of a limit, where the largest number means none.
    pub(super) fn new(limit: usize, running: usize) -> Self {
        Self {
            limit: limited(limit),
            running,
        }
    }
}

/// Tasks that wait for a slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct QueueSnapshot {
    /// Tasks that wait for a slot.
    pub waiting: usize,
    /// Positions that are taken: by these tasks, and by tasks that wait for their rate, a resource or their next attempt.
    pub positions: usize,
    /// Positions in all; `None` without a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<usize>,
    /// Waiting tasks by priority.
    pub by_priority: WaitingTasks,
    /// Sessions that run or wait, by name.
    pub sessions: Vec<SessionSlots>,
}

/// Waiting tasks by priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WaitingTasks {
    /// Tasks that have begun, have waited, and now go on. They are first.
    pub resumed: usize,
    /// Tasks of high priority.
    pub high: usize,
    /// Tasks of normal priority.
    pub normal: usize,
    /// Tasks of low priority.
    pub low: usize,
}

/// Slots and waiting tasks of one session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SessionSlots {
    /// The session.
    pub session: SessionId,
    /// Weight of the session.
    pub weight: u64,
    /// Slots that it holds.
    pub running: usize,
    /// Its tasks that wait for a slot.
    pub waiting: WaitingTasks,
}

/// Limits and caches of one tool.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ToolSnapshot {
    /// Name of the tool.
    pub tool: Arc<str>,
    /// Slots of the tool, if it has a limit of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<SlotUse>,
    /// Rate limit of the tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateSnapshot>,
    /// Circuit breaker of the tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaker: Option<BreakerSnapshot>,
    /// Cache of equal calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheSnapshot>,
    /// Cache of calls of the same meaning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub semantic_cache: Option<CacheSnapshot>,
}

/// Use of a rate limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RateSnapshot {
    /// Name under which tools share the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Arc<str>>,
    /// Starts in a window at most.
    pub calls: usize,
    /// Length of the window.
    #[serde(serialize_with = "millis")]
    pub per: Duration,
    /// Starts in the window that ends now.
    pub used: usize,
    /// Attempts that wait for their start.
    pub waiting: usize,
    /// Time of the next free start; `None` if one is free now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_at: Option<Timestamp>,
}

/// State of a circuit breaker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BreakerSnapshot {
    /// State of the breaker.
    pub state: BreakerState,
    /// Failures in a row, while it is closed.
    pub failures: u32,
    /// Failures in a row that open it.
    pub threshold: u32,
    /// Time of the next probe, while calls are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Use of a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CacheSnapshot {
    /// Values in the cache. Old ones count until they are replaced.
    pub values: usize,
    /// Values at most.
    pub capacity: usize,
    /// Age from which a value is too old.
    #[serde(serialize_with = "millis")]
    pub ttl: Duration,
}

impl CacheSnapshot {
    const fn of((values, capacity, ttl): (usize, usize, Duration)) -> Self {
        Self { values, capacity, ttl }
    }
}

/// Time of a moment of tokio's clock.
pub(super) fn time_of(moment: Instant, now: Timestamp) -> Timestamp {
    now.after(moment.saturating_duration_since(Instant::now()))
}

/// A limit; the largest number means none.
pub(super) fn limited(limit: usize) -> Option<usize> {
    (limit < usize::MAX >> 3).then_some(limit)
}

fn millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

impl AsyncToolManager {
    /// State of the manager at this moment. The time it takes grows with the number of remembered tasks and sessions: read it now and
    /// then, not for every call.
    #[must_use]
    pub fn snapshot(&self) -> ManagerSnapshot {
        let now = self.now();
        let stats = self.stats();
        let (slots, queue, limits) = {
            let queue = self.inner.queue();
            (queue.slots(), queue.snapshot(), queue.limits())
        };
        let mut tools: Vec<ToolSnapshot> = Vec::new();
        for (tool, layers) in self.inner.executor.all_layers() {
            let time = |moment| time_of(moment, now);
            let snapshot = ToolSnapshot {
                tool: Arc::clone(tool),
                concurrency: layers
                    .options
                    .concurrency
                    .and_then(|_| limits.get(layers.lane).copied()),
                rate: layers.rate.as_ref().map(|rate| {
                    let (used, waiting, free) = rate.usage();
                    RateSnapshot {
                        key: layers.options.rate.as_ref().and_then(|rate| rate.key.clone()),
                        calls: rate.calls(),
                        per: rate.per(),
                        used,
                        waiting,
                        free_at: free.map(time),
                    }
                }),
                breaker: layers.breaker.as_ref().map(|breaker| {
                    let (state, failures, until) = breaker.shown();
                    BreakerSnapshot {
                        state,
                        failures,
                        threshold: breaker.threshold(),
                        until: until.map(time),
                    }
                }),
                cache: layers.cache_usage().map(CacheSnapshot::of),
                semantic_cache: layers.meanings.as_ref().map(|cache| CacheSnapshot::of(cache.usage())),
            };
            let ToolSnapshot {
                concurrency,
                rate,
                breaker,
                cache,
                semantic_cache,
                ..
            } = &snapshot;
            let has_any = concurrency.is_some()
                || rate.is_some()
                || breaker.is_some()
                || cache.is_some()
                || semantic_cache.is_some();
            if has_any {
                tools.push(snapshot);
            }
        }
        tools.sort_by(|one, other| one.tool.cmp(&other.tool));
        let quarantined = stats.quarantined;
        ManagerSnapshot {
            stats,
            slots,
            queue,
            tools,
            quarantined,
        }
    }
}
