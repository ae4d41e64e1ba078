//! Sessions of this open journal, and the claims that have them.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_tool_runtime::{
    SessionId,
    journal::{Claim, WeakClaim},
};

/// Register of the sessions that this open journal has, or is about to take.
///
/// The heads of the sessions name the journal as the owner. This register names the agents.
#[derive(Debug, Default)]
pub(crate) struct Holds(Mutex<HashMap<SessionId, Hold>>);

#[derive(Clone, Debug)]
struct Hold {
    claim: WeakClaim,
    /// Id under which the head names this journal; `None` before the first append is durable.
    owner: Option<String>,
    /// False if the head may name this journal, because an append wasn't answered.
    is_sure: bool,
}

/// Session that is held, with the id under which its head names this journal.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) session: SessionId,
    /// The claim, unless it was dropped or lost.
    pub(crate) claim: Option<Claim>,
    /// `None` if that is not sure.
    pub(crate) owner: Option<String>,
}

impl Holds {
    /// Lets a claim in for the time of an append; `None` if another claim has the session, or this one was lost.
    pub(crate) fn admit<'a>(&'a self, session: &'a SessionId, claim: &'a Claim) -> Option<Admission<'a>> {
        let mut known = self.known();
        let before = known.get(session).cloned();
        let tenant = before.as_ref().and_then(|hold| hold.claim.live());
        if claim.is_lost() || tenant.is_some_and(|tenant| tenant != *claim) {
            return None;
        }
        let hold = Hold {
            claim: claim.downgrade(),
            owner: before.as_ref().and_then(|hold| hold.owner.clone()),
            is_sure: before
                .as_ref()
                .is_some_and(|hold| hold.is_sure && hold.claim.is_of(claim)),
        };
        known.insert(session.clone(), hold);
        Some(Admission {
            holds: self,
            session,
            claim,
            before,
        })
    }

    /// Id under which the head of a session names this journal, as far as is known here.
    pub(crate) fn owner_of(&self, session: &SessionId) -> Option<String> {
        self.known().get(session)?.owner.clone()
    }

    /// True if the session is this claim's, or was when the claim was lost.
    pub(crate) fn is_of(&self, session: &SessionId, claim: &Claim) -> bool {
        self.known().get(session).is_some_and(|hold| hold.claim.is_of(claim))
    }

    /// True if the session's claim was dropped or lost.
    pub(crate) fn is_idle(&self, session: &SessionId) -> bool {
        self.known()
            .get(session)
            .is_some_and(|hold| hold.claim.live().is_none())
    }

    /// Notes the id under which the head of a session names this journal now.
    pub(crate) fn renamed(&self, session: &SessionId, owner: &str) {
        if let Some(hold) = self.known().get_mut(session) {
            (hold.owner, hold.is_sure) = (Some(owner.to_owned()), true);
        }
    }

    /// Forgets a session: it is closed or released.
    pub(crate) fn remove(&self, session: &SessionId) {
        self.known().remove(session);
    }

    /// Takes a session from its claim, because its head names another owner.
    pub(crate) fn evict(&self, session: &SessionId) {
        let evicted = self.known().remove(session);
        if let Some(hold) = evicted {
            hold.lose(session);
        }
    }

    /// Lists all sessions.
    pub(crate) fn all(&self) -> Vec<Held> {
        let held = |(session, hold): (&SessionId, &Hold)| Held {
            session: session.clone(),
            claim: hold.claim.live(),
            owner: hold.owner.clone().filter(|_| hold.is_sure),
        };
        self.known().iter().map(held).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.known().is_empty()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<SessionId, Hold>> {
        // A poisoned lock is harmless: each change is one insertion or removal.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Claim that was let in for the time of an append. Dropped without [`keep`](Self::keep), the session is as before.
#[derive(Debug)]
#[must_use = "the session is as before when this is dropped"]
pub(crate) struct Admission<'a> {
    holds: &'a Holds,
    session: &'a SessionId,
    claim: &'a Claim,
    before: Option<Hold>,
}

impl Hold {
    fn lose(&self, session: &SessionId) {
        if let Some(claim) = self.claim.live() {
            tracing::warn!(target: "async_tool::journal", session = session.as_str(), "another process has taken the session");
            claim.lose();
        }
    }
}

impl Admission<'_> {
    /// Takes note that the head names another owner: a claim that had the session has lost it.
    pub(crate) fn robbed(&mut self) {
        if let Some(before) = self.before.take()
            && before.claim.is_of(self.claim)
        {
            before.lose(self.session);
        }
        if let Some(hold) = self.holds.known().get_mut(self.session) {
            hold.owner = None;
        }
    }

    /// Takes note that an append wasn't answered: the head may name this journal by this id. It is released with the claim.
    pub(crate) fn doubt(mut self, owner: &str) {
        let had = self
            .before
            .as_ref()
            .is_some_and(|before| before.claim.is_of(self.claim));
        if !had && let Some(hold) = self.holds.known().get_mut(self.session) {
            (hold.owner, hold.is_sure) = (Some(owner.to_owned()), false);
            self.before = Some(hold.clone());
        }
    }

    /// Leaves the session to the claim. Its head names this journal by this id.
    pub(crate) fn keep(mut self, owner: &str) {
        self.holds.renamed(self.session, owner);
        self.before = self.holds.known().get(self.session).cloned();
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        let mut known = self.holds.known();
        // A session that was removed or evicted meanwhile stays so.
        let is_here = known.get(self.session).is_some_and(|hold| hold.claim.is_of(self.claim));
        match self.before.take() {
            _ if !is_here => {}
            Some(before) => {
                known.insert(self.session.clone(), before);
            }
            None => {
                known.remove(self.session);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_kept_from_other_claims_while_its_claim_lives() {
        let (holds, session) = (Holds::default(), SessionId::new("s"));
        let (first, second) = (Claim::new(), Claim::new());
        holds.admit(&session, &first).unwrap().keep("o");
        assert!(holds.admit(&session, &second).is_none());
        drop(first);
        assert!(holds.is_idle(&session));
        // Refused by the store: the dropped claim's hold stays, because the head still names this journal.
        drop(holds.admit(&session, &second));
        assert!(holds.is_idle(&session));
        assert_eq!(holds.owner_of(&session).as_deref(), Some("o"));
        holds.admit(&session, &second).unwrap().keep("o");
        assert!(holds.is_of(&session, &second));
    }

    #[test]
    fn a_refused_claim_leaves_nothing_behind() {
        let (holds, session, claim) = (Holds::default(), SessionId::new("s"), Claim::new());
        drop(holds.admit(&session, &claim).unwrap());
        assert!(holds.is_empty());
    }

    #[test]
    fn a_claim_whose_append_was_not_answered_is_released_and_not_confirmed() {
        let (holds, session, claim) = (Holds::default(), SessionId::new("s"), Claim::new());
        holds.admit(&session, &claim).unwrap().doubt("o");
        assert_eq!(holds.owner_of(&session).as_deref(), Some("o"));
        assert!(holds.all()[0].owner.is_none());
        holds.admit(&session, &claim).unwrap().keep("o");
        holds.admit(&session, &claim).unwrap().doubt("o");
        assert!(holds.all()[0].owner.is_some());
    }

    #[test]
    fn a_robbed_claim_is_lost_and_not_let_in_again() {
        let (holds, session, claim) = (Holds::default(), SessionId::new("s"), Claim::new());
        holds.admit(&session, &claim).unwrap().keep("o");
        let mut again = holds.admit(&session, &claim).unwrap();
        again.robbed();
        drop(again);
        assert!(claim.is_lost() && holds.is_empty());
        assert!(holds.admit(&session, &claim).is_none());

        let (idle, kept) = (Claim::new(), Claim::new());
        holds.admit(&session, &idle).unwrap().keep("o");
        holds.evict(&session);
        assert!(idle.is_lost() && holds.is_empty());
        // A claim that comes after a dropped one had nothing that it could lose.
        holds.admit(&session, &Claim::new()).unwrap().keep("o");
        holds.admit(&session, &kept).unwrap().robbed();
        assert!(!kept.is_lost() && holds.is_empty());
    }
}
