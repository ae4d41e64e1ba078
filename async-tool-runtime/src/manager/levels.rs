//! Limit of levels of tasks below each other.

/// Most levels that a search looks at: a host may write any parent into a task, even the task itself.
pub(super) const LEVELS: usize = 64;
