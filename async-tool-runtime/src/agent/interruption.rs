//! Effect of an interruption by the host.

use crate::{id::TaskNo, task::TurnNo};

/// Effect of [`AsyncAgent::interrupt_and_cancel`](super::AsyncAgent::interrupt_and_cancel).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interruption {
    /// Turn that it ended; `None` if no turn ran.
    pub turn: Option<TurnNo>,
    /// Tasks that it told to stop. Some may have completed nonetheless.
    pub cancelled: Vec<TaskNo>,
}
