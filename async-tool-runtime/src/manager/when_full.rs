//! Tasks for which there is no slot.

use std::time::Duration;

/// Treatment of a task for which there is no slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// It waits for one, unless as many wait as the [queue holds](crate::manager::AsyncToolManagerBuilder::queue_capacity). The default.
    #[default]
    Queue,
    /// It is refused as [`ToolErrorKind::Overloaded`](crate::tool::ToolErrorKind::Overloaded), and whoever called is told when to come back. Tasks below other tasks wait.
    ///
    /// A call that may need no slot, because its tool has a cache or calls [share](crate::policy::Dedupe::Share) their runs, is taken all the same. If it
    /// needs one after all, its task fails with that error: it has not begun, and says so. A tool that needs consent or whose calls
    /// [replace](crate::policy::Dedupe::Replace) earlier ones is no such tool: nobody is asked, and nothing is stopped, for a call that is refused then.
    ///
    /// Any other call is refused when it comes, and only then. One that has something to wait for before it has a slot (consent, resources, a layer
    /// of the host's) waits for that too, if others have taken the slots by then.
    Reject {
        /// Pause before the next try.
        retry_after: Duration,
    },
    /// It runs beyond the limit, one such task at a time for each session, and further ones wait: so however full the manager is, no
    /// session stands still. There are at most as many more tasks as there are sessions. A tool with something that acts before its calls have a
    /// slot (a cache, a shared run, consent, resources, a layer of the host's) or with a rate waits for that in the queue, and is refused where that is full.
    RunInline,
}
