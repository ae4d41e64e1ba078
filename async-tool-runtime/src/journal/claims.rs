//! Register of the claims of one process.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{AppendError, Claim, WeakClaim};
use crate::session::SessionId;

/// Register of the claims of one process, for authors of journals. It keeps two agents of the process from one session.
///
/// A journal keeps one register in the state that its clones share. Other processes are the store's affair.
///
/// ```
/// use async_tool_runtime::{
///     SessionId,
///     journal::{AppendError, Claim, Claims, Seq},
/// };
///
/// /// Append to a store that knows no claims.
/// async fn append(claims: &Claims, session: &SessionId, claim: &Claim, after: Seq) -> Result<Seq, AppendError> {
///     let taking = claims.take(session, claim)?;
///     let last = after; // Here the entries are written, if `after` is the last one.
///     taking.keep();
///     Ok(last)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (claims, session) = (Claims::new(), SessionId::new("s"));
/// let (first, second) = (Claim::new(), Claim::new());
/// assert!(append(&claims, &session, &first, Seq::START).await.is_ok());
/// assert!(append(&claims, &session, &second, Seq::START).await.is_err());
/// claims.release(&session, &first);
/// assert!(append(&claims, &session, &second, Seq::START).await.is_ok());
/// # }
/// ```
#[derive(Default)]
pub struct Claims(Mutex<HashMap<SessionId, WeakClaim>>);

impl Claims {
    /// Creates an empty register.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a session for the time of an append. It stays the claim's if the append calls [`Taking::keep`].
    ///
    /// # Errors
    ///
    /// [`AppendError::Taken`] if another claim has the session and lives, or if this claim was lost.
    pub fn take<'a>(&'a self, session: &'a SessionId, claim: &'a Claim) -> Result<Taking<'a>, AppendError> {
        let mut known = self.known();
        let owner = known.get(session).and_then(WeakClaim::live);
        let is_known = owner.as_ref() == Some(claim);
        if claim.is_lost() || (owner.is_some() && !is_known) {
            return Err(AppendError::Taken { retry_after: None });
        }
        if !is_known {
            known.insert(session.clone(), claim.downgrade());
        }
        Ok(Taking {
            claims: self,
            session,
            claim,
            is_kept: is_known,
        })
    }

    /// Gives up a session; false if it isn't this claim's.
    pub fn release(&self, session: &SessionId, claim: &Claim) -> bool {
        let mut known = self.known();
        let is_owner = known.get(session).is_some_and(|owner| owner.is_of(claim));
        if is_owner {
            known.remove(session);
        }
        is_owner
    }

    /// Forgets the claim of a session: the session is closed, or another process has it.
    pub fn forget(&self, session: &SessionId) {
        self.known().remove(session);
    }

    /// Lists the sessions whose claims live, and forgets the others.
    #[must_use]
    pub fn live(&self) -> Vec<(SessionId, Claim)> {
        let mut live = Vec::new();
        self.known().retain(|session, claim| {
            let claim = claim.live();
            live.extend(claim.clone().map(|claim| (session.clone(), claim)));
            claim.is_some()
        });
        live
    }

    fn known(&self) -> MutexGuard<'_, HashMap<SessionId, WeakClaim>> {
        // A poisoned lock is harmless: each change is one insertion or removal.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Claims").field(&self.known().len()).finish()
    }
}

/// Session that was taken for the time of an append. Dropped without [`keep`](Self::keep), it is as free as before.
#[derive(Debug)]
#[must_use = "the session is given back when this is dropped"]
pub struct Taking<'a> {
    claims: &'a Claims,
    session: &'a SessionId,
    claim: &'a Claim,
    is_kept: bool,
}

impl Taking<'_> {
    /// Leaves the session to the claim.
    pub fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Taking<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            let _it_may_be_released_already = self.claims.release(self.session, self.claim);
        }
    }
}
