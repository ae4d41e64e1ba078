//! Claims of the sessions that this open journal owns.

use std::collections::HashMap;

use async_tool_runtime::{
    SessionId,
    journal::{Claim, WeakClaim},
};

/// Claims of the sessions that this open journal owns. The rows name the journal as the owner; these name the agents.
///
/// Changes are made within a transaction, so they are undone if it fails.
#[derive(Debug, Default)]
pub(crate) struct Tenants {
    known: HashMap<SessionId, WeakClaim>,
    undo: Vec<(SessionId, Option<WeakClaim>)>,
}

impl Tenants {
    /// The claim that has the session, if it lives.
    pub(crate) fn of(&self, session: &SessionId) -> Option<Claim> {
        self.known.get(session)?.live()
    }

    /// True if the session is this claim's, or was when the claim was lost.
    pub(crate) fn is_of(&self, session: &SessionId, claim: &Claim) -> bool {
        self.known.get(session).is_some_and(|tenant| tenant.is_of(claim))
    }

    pub(crate) fn let_in(&mut self, session: &SessionId, claim: &Claim) {
        if !self.is_of(session, claim) {
            let before = self.known.insert(session.clone(), claim.downgrade());
            self.undo.push((session.clone(), before));
        }
    }

    pub(crate) fn remove(&mut self, session: &SessionId) {
        if let Some(before) = self.known.remove(session) {
            self.undo.push((session.clone(), Some(before)));
        }
    }

    /// Takes the session from its claim, because another owner is or was in its row.
    pub(crate) fn evict(&mut self, session: &SessionId) {
        // Not to be undone: the row that was read is durable.
        if let Some(claim) = self.known.remove(session).and_then(|tenant| tenant.live()) {
            claim.lose();
        }
    }

    pub(crate) fn commit(&mut self) {
        self.undo.clear();
    }

    pub(crate) fn roll_back(&mut self) {
        for (session, before) in self.undo.drain(..).rev() {
            match before {
                Some(tenant) => self.known.insert(session, tenant),
                None => self.known.remove(&session),
            };
        }
    }

    /// The sessions whose claims live, and those whose claims were dropped.
    pub(crate) fn all(&self) -> (Vec<(SessionId, Claim)>, Vec<SessionId>) {
        let living = |(session, tenant): (&SessionId, &WeakClaim)| Some((session.clone(), tenant.live()?));
        let dropped = self.known.iter().filter(|(_, tenant)| tenant.is_dropped());
        (
            self.known.iter().filter_map(living).collect(),
            dropped.map(|(session, _)| session.clone()).collect(),
        )
    }
}
