//! Agents of sessions, as far as their manager knows them: it can ask them to leave.

use crate::{future::BoxFuture, session::SessionId};

/// Agent of a session.
pub(crate) trait Resident: Send + Sync {
    fn session(&self) -> &SessionId;

    /// True if the agent works for a call.
    fn works_for_call(&self) -> bool;

    /// True if the agent has no handle any more, and ends by itself.
    fn is_departing(&self) -> bool;

    /// Waits until the agent is gone.
    fn departed(&self) -> BoxFuture<'static, ()>;

    /// Lets the agent leave its session. The error says why the journal may still hold the session.
    fn leave(&self) -> BoxFuture<'static, Result<(), String>>;
}
