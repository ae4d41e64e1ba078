//! A result that an argument waits for.

use serde::{Deserialize, Serialize};

use crate::id::TaskNo;

/// A result that an argument waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Awaited {
    /// Position of the value: a JSON pointer into the arguments.
    pub position: String,
    /// The task whose result it is; its number is lower than that of the task that waits.
    pub task: TaskNo,
    /// Part of the result: a JSON pointer into it, empty for all of it.
    pub pointer: String,
}

impl Awaited {
    /// The part of `task`'s result at `pointer`, for the argument at `position`.
    #[must_use]
    pub fn new(position: impl Into<String>, task: TaskNo, pointer: impl Into<String>) -> Self {
        Self {
            position: position.into(),
            task,
            pointer: pointer.into(),
        }
    }
}
