//! A journal with leases.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    Journal, SessionId,
    future::{BoxFuture, BoxStream},
    journal::{AppendError, Asked, Claim, Claims, Entry, MemoryJournal, ReadError, Seq, SessionFilter},
};

/// A journal in memory that confirms claims for the time of a lease, as one does that other processes use. Clones share
/// everything. `Default` has no lease: it never confirms.
#[derive(Clone, Default)]
pub(crate) struct LeasedJournal(Arc<Shared>);

#[derive(Default)]
struct Shared {
    lease: Option<Duration>,
    kept: MemoryJournal,
    claims: Claims,
    /// Claims towards the journal within, which knows no leases.
    within: Mutex<HashMap<SessionId, Claim>>,
    /// Number of appends without entries.
    checks: AtomicUsize,
    is_down: AtomicBool,
    hangs: AtomicBool,
    /// Time that the answer to an append without entries is on its way.
    late: Mutex<Duration>,
}

impl LeasedJournal {
    pub(crate) fn new(lease: Duration) -> Self {
        Self(Arc::new(Shared {
            lease: Some(lease),
            ..Shared::default()
        }))
    }

    /// Ends the lease of a session without a word to its owner.
    pub(crate) fn expire(&self, session: &str) {
        self.0.claims.forget(&SessionId::new(session));
    }

    /// The claim that has a session.
    pub(crate) fn claim_of(&self, session: &str) -> Claim {
        let live = self.0.claims.live();
        let found = live.into_iter().find(|(name, _)| name.as_str() == session);
        found.expect("an agent has it").1
    }

    /// Number of appends without entries so far.
    pub(crate) fn checks(&self) -> usize {
        self.0.checks.load(Ordering::SeqCst)
    }

    pub(crate) fn set_down(&self, is_down: bool) {
        self.0.is_down.store(is_down, Ordering::SeqCst);
    }

    pub(crate) fn set_hanging(&self, hangs: bool) {
        self.0.hangs.store(hangs, Ordering::SeqCst);
    }

    pub(crate) fn set_late(&self, late: Duration) {
        *self.0.late.lock().unwrap() = late;
    }

    pub(crate) fn entries(&self, session: &str) -> Vec<Entry> {
        self.0.kept.entries(&SessionId::new(session))
    }
}

impl Journal for LeasedJournal {
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        claim: &'a Claim,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        Box::pin(async move {
            let shared = &*self.0;
            if entries.is_empty() {
                shared.checks.fetch_add(1, Ordering::SeqCst);
                if shared.hangs.load(Ordering::SeqCst) {
                    std::future::pending::<()>().await;
                }
            }
            if shared.is_down.load(Ordering::SeqCst) {
                return Err(AppendError::Unavailable("no connection".into()));
            }
            let is_closing = matches!(entries.last(), Some(Entry::Closed { .. }));
            let is_closed = matches!(shared.kept.entries(session).last(), Some(Entry::Closed { .. }));
            let asked = Asked::now();
            let taking = match is_closed {
                true => None,
                false => Some(shared.claims.take(session, claim)?),
            };
            let within = shared
                .within
                .lock()
                .unwrap()
                .entry(session.clone())
                .or_default()
                .clone();
            let last = shared.kept.append(session, &within, after, entries).await?;
            if let Some(taking) = taking.filter(|_| !is_closing) {
                taking.keep();
            }
            if is_closing {
                shared.claims.forget(session);
            }
            if let Some(lease) = shared.lease {
                claim.confirm(asked, lease);
            }
            let late = *shared.late.lock().unwrap();
            if entries.is_empty() && !late.is_zero() {
                tokio::time::sleep(late).await;
            }
            Ok(last)
        })
    }

    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
        self.0.kept.read(session, after)
    }

    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
        self.0.kept.sessions(filter)
    }

    fn release<'a>(&'a self, session: &'a SessionId, claim: &'a Claim) -> BoxFuture<'a, Result<(), AppendError>> {
        self.0.claims.release(session, claim);
        Box::pin(std::future::ready(Ok(())))
    }
}
