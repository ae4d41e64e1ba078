//! The release of one session, within the transaction of its group.

use async_tool_runtime::{
    SessionId,
    journal::{AppendError, Claim, Seq},
};
use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use crate::{
    StoreError,
    append::{Outcome, Writing},
};

/// A request to give up a session, with the channel for its answer.
#[derive(Debug)]
pub(crate) struct Release {
    session: SessionId,
    claim: Claim,
    reply: oneshot::Sender<Result<(), AppendError>>,
}

impl Release {
    pub(crate) const fn new(session: SessionId, claim: Claim, reply: oneshot::Sender<Result<(), AppendError>>) -> Self {
        Self { session, claim, reply }
    }

    /// Removes this owner from the session's row, if the session is the claim's. A session of another claim or owner, or
    /// of none, stays as it is.
    pub(crate) fn write(&self, transaction: &Connection, writing: Writing<'_>) -> rusqlite::Result<Outcome> {
        let mut tenants = writing.tenants.borrow_mut();
        if !tenants.is_of(&self.session, &self.claim) {
            return Ok(Ok(Seq::START));
        }
        tenants.remove(&self.session);
        transaction
            .prepare_cached("UPDATE sessions SET owner = NULL WHERE name = ?1 AND owner = ?2")?
            .execute(params![self.session.as_str(), writing.owner.number])?;
        Ok(Ok(Seq::START))
    }

    /// Sends the result to the caller, if it still waits.
    pub(crate) fn answer(self, result: Result<Outcome, StoreError>) {
        let _ = self.reply.send(result.map(drop).map_err(StoreError::unavailable));
    }
}
