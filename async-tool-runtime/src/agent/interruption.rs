//! Effect of an interruption by the host.

use crate::{id::TaskNo, task::TurnNo};

/// Effect of [`AsyncAgent::interrupt_and_cancel`](super::AsyncAgent::interrupt_and_cancel).
///
/// ```
/// use async_tool_runtime::agent::Interruption;
///
/// /// Line of a page after its stop button was pressed.
/// fn line(effect: &Interruption) -> String {
///     match (effect.turn, effect.cancelled.len()) {
///         (None, 0) => "there is nothing to stop".to_owned(),
///         (None, tasks) => format!("{tasks} tasks are told to stop"),
///         (Some(_), tasks) => format!("the answer ends, and {tasks} tasks are told to stop"),
///     }
/// }
///
/// assert_eq!(line(&Interruption::default()), "there is nothing to stop");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interruption {
    /// Turn that it ended; `None` if no turn ran.
    pub turn: Option<TurnNo>,
    /// Tasks that it told to stop. Some may have completed nonetheless.
    pub cancelled: Vec<TaskNo>,
}
