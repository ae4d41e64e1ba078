//! Reason for which an idle agent doesn't call its model.

use crate::{agent::RunLimit, model::ModelError};

/// Reason for which an idle agent doesn't call its model although it has something to answer. Nothing is lost until the
/// next input.
///
/// ```
/// use async_tool_runtime::{
///     agent::{
///         machine::{AgentInput, AgentMachine, Stall, TurnEvent},
///         AgentPolicy, Ledger,
///     },
///     model::ModelError,
///     task::{Timestamp, TurnNo},
///     AsyncToolManager, SessionId,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().build()?;
/// # let policy = AgentPolicy::new(manager.registry());
/// # let mut machine = AgentMachine::new(SessionId::new("s"), None, [].into(), policy, Ledger::new());
/// # let now = Timestamp::from_millis(0);
/// # let nonce = "0f9a2c46d1e84b7f".to_owned();
/// # let _ = machine.step(now, AgentInput::Open { nonce, works_for: None });
/// # let _ = machine.step(now, AgentInput::User("hello".into()));
/// let error = ModelError::permanent("the account has no credit");
/// let _ = machine.step(now, AgentInput::Turn(TurnNo::new(1), TurnEvent::Failed(error.clone())));
/// assert_eq!(machine.stalled(), Some(&Stall::Model(error)));
///
/// let _ = machine.step(now, AgentInput::User("and now?".into()));
/// assert_eq!(machine.stalled(), None); // The model is called again.
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Stall {
    /// The model failed, and its retries are used up. The next message or result starts another turn.
    Model(ModelError),
    /// The run reached one of its limits. The next message begins a new run.
    Limit(RunLimit),
}
