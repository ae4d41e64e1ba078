//! Promises of a backend.

use super::super::rules::rules;

rules! {
    /// A promise of a backend and its workers. Its text is a sentence.
    ///
    /// ```
    /// use async_tool_runtime::testing::BackendRule;
    ///
    /// // A table of the rules, for the documentation of a backend.
    /// for rule in BackendRule::ALL {
    ///     println!("| {} | {rule} |", rule.name());
    /// }
    /// ```
    pub enum BackendRule {
        Kept = "kept", "a submitted task is kept without the connection that submitted it";
        SubmittedTwice = "submitted-twice", "a task that is submitted several times, also at once, runs once";
        SubmittedAfterItsEnd = "submitted-after-its-end", "a task that is submitted again after its end doesn't run again, and keeps its end";
        WholeTasks = "whole-tasks", "a worker gets the task as it was submitted, with all ids and any arguments";
        LargeTasks = "large-tasks", "a task of the largest size that the backend names reaches a worker";
        LargeEnds = "large-ends", "an end of the largest size that the backend names arrives, and of a larger one an error, after one run";
        EveryEnd = "every-end", "each kind of end arrives as the worker said it";
        EndsAnywhere = "ends-anywhere", "every connection gets the end, any number of times";
        UnknownTask = "unknown-task", "a task that was never submitted is not found";
        ManyTasks = "many-tasks", "of many tasks on several workers each runs once, and has its own end";
        FreeSlots = "free-slots", "a worker runs no more tasks at once than it has slots, and no fewer";
        OpenTasks = "open-tasks", "the open tasks of a session are listed after a while, without ended tasks and those of other sessions";
        CancelRunning = "cancel-running", "a running tool hears of a cancellation within the latency that the backend names, and its task ends as cancelled";
        CancelWaiting = "cancel-waiting", "a task without a worker that is cancelled ends so, with the reason, and never runs";
        CancelEnded = "cancel-ended", "stopping a task that has ended succeeds, and changes nothing";
        Abort = "abort", "a task that is aborted ends, whatever its function does";
        LostWorker = "lost-worker", "the task of a lost worker runs again on another one, and its first start counts";
        LostOnce = "lost-once", "a task that must not happen twice doesn't run again after its worker was lost";
        CountedStarts = "counted-starts", "a tool that ends its workers fails after the most starts, however early it ends them";
        Neighbours = "neighbours", "tasks beside a tool that ends its workers complete";
        StoppedWorker = "stopped-worker", "a repeatable task goes from a worker that stops to another one";
        StoppedOnce = "stopped-once", "a task that must not happen twice runs to its end on a worker that stops";
        StopsAreNoStarts = "stops-are-no-starts", "a task that many workers handed back when they stopped isn't taken for one that ends its workers";
        UnknownTool = "unknown-tool", "a task whose tool one worker doesn't have goes to another one";
        /// Not checked for a [silent](super::BackendSuite::silent) engine.
        Started = "started", "heartbeats tell of a start while the function runs, and not before";
        /// Not checked for a [silent](super::BackendSuite::silent) engine.
        Progress = "progress", "heartbeats carry the latest progress";
    }
}

impl BackendRule {
    /// True for the rules about heartbeats.
    pub(super) const fn is_of_heartbeats(self) -> bool {
        matches!(self, Self::Started | Self::Progress)
    }
}
