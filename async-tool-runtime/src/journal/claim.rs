//! Right of one running agent to write a session.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::{sync::Notify, time::Instant};

/// Right of one running agent to write its session. Clones are the same claim.
///
/// An agent makes a claim when it starts, and drops it when it ends. A host that writes to a journal itself makes one, too. While a
/// claim lives, its journal refuses the session to every other claim, also to one in the same process.
///
/// A journal with leases tells the claim two things. [`confirm`](Self::confirm) says that the session is still the claim's.
/// [`lose`](Self::lose) says that another one has it, and stops the agent. So a journal must not keep a claim alive: it holds a
/// [`WeakClaim`].
///
/// ```
/// use async_tool_runtime::journal::{AppendError, Claim, Entry, Format, Journal, MemoryJournal, Seq};
/// use async_tool_runtime::{SessionId, task::Timestamp};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), AppendError> {
/// let (journal, session) = (MemoryJournal::new(), SessionId::new("s"));
/// let (first, second) = (Claim::new(), Claim::new());
/// let opened = Entry::Opened { format: Format::CURRENT, nonce: "n".into(), works_for: None, at: Timestamp::from_millis(0) };
/// let last = journal.append(&session, &first, Seq::START, &[opened]).await?;
///
/// let refused = journal.append(&session, &second, last, &[]).await;
/// assert!(matches!(refused, Err(AppendError::Taken { .. })));
/// drop(first);
/// journal.append(&session, &second, last, &[]).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Claim(Arc<Shared>);

struct Shared {
    id: String,
    is_lost: AtomicBool,
    /// Notified when the claim is lost.
    lost: Notify,
    confirmed: Mutex<Option<Confirmed>>,
}

#[derive(Clone, Copy)]
struct Confirmed {
    asked: Asked,
    /// Age up to which the confirmation counts.
    counts_for: Duration,
}

/// Moment at which a journal asks its store who owns a session.
///
/// Taken before the question, because a process can be stopped for hours between the answer and its next instruction.
///
/// ```
/// use async_tool_runtime::journal::{Asked, Claim};
/// use std::time::Duration;
///
/// let claim = Claim::new();
/// let asked = Asked::now();
/// // Here the journal renews its lease in the store, which answers that the claim still has the session.
/// claim.confirm(asked, Duration::from_secs(30));
/// assert!(claim.is_confirmed());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    at: Instant,
    /// A clock that goes on while the machine is suspended, which `at` may not.
    system: SystemTime,
}

impl Asked {
    /// Reads the clocks.
    #[must_use]
    pub fn now() -> Self {
        Self {
            at: Instant::now(),
            system: SystemTime::now(),
        }
    }

    /// Time since then: by the clock that counted more. A step of the system's clock can only make it too long.
    fn age(self) -> Duration {
        let by_system = self.system.elapsed().unwrap_or_default();
        self.at.elapsed().max(by_system)
    }
}

impl Claim {
    /// Creates a claim that no journal knows yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Shared {
            id: uuid::Uuid::new_v4().simple().to_string(),
            is_lost: AtomicBool::new(false),
            lost: Notify::new(),
            confirmed: Mutex::new(None),
        }))
    }

    /// Random name of the claim, unique among all processes: the owner to name in a store.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Notes that the store named this claim as the session's owner at `asked`, and lets no other claim take the session for `lease`
    /// from then on. `Duration::MAX` stands for as long as the claim lives.
    ///
    /// A tool's call that must not happen twice begins only if the last confirmation is younger than a third of the lease. Otherwise the
    /// agent makes an append without entries first. So a journal that never confirms costs one append for each of these calls.
    pub fn confirm(&self, asked: Asked, lease: Duration) {
        let mut confirmed = self.confirmed();
        if confirmed.is_none_or(|known| known.asked.at <= asked.at) {
            *confirmed = Some(Confirmed {
                asked,
                counts_for: if lease == Duration::MAX { lease } else { lease / 3 },
            });
        }
    }

    /// True if the last confirmation still counts.
    ///
    /// ```
    /// use async_tool_runtime::journal::{Asked, Claim};
    /// use std::time::Duration;
    ///
    /// let claim = Claim::new();
    /// assert!(!claim.is_confirmed());
    /// claim.confirm(Asked::now(), Duration::MAX);
    /// assert!(claim.is_confirmed());
    /// claim.lose();
    /// assert!(!claim.is_confirmed());
    /// ```
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        let counts = |confirmed: Confirmed| confirmed.asked.age() < confirmed.counts_for;
        !self.is_lost() && self.confirmed().is_some_and(counts)
    }

    /// True if a confirmation counts no longer. A claim that no journal has confirmed yet has none to lose.
    pub(crate) fn has_lapsed(&self) -> bool {
        self.confirmed().is_some() && !self.is_confirmed()
    }

    /// Ends the claim: another one has the session, or may take it. The agent stops, and its tasks are told to.
    pub fn lose(&self) {
        self.0.is_lost.store(true, Ordering::SeqCst);
        self.0.lost.notify_waiters();
    }

    /// True once the claim was lost.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.0.is_lost.load(Ordering::SeqCst)
    }

    /// Creates a reference that doesn't keep the claim alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakClaim {
        WeakClaim(Arc::downgrade(&self.0))
    }

    /// Waits until the claim is lost. Cancel safe.
    pub(crate) async fn lost(&self) {
        loop {
            // Enrolled before the look, so that no loss after it is missed.
            let mut lost = std::pin::pin!(self.0.lost.notified());
            lost.as_mut().enable();
            if self.is_lost() {
                return;
            }
            lost.await;
        }
    }

    fn confirmed(&self) -> MutexGuard<'_, Option<Confirmed>> {
        // A poisoned lock is harmless: the value is written in one step.
        self.0.confirmed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Claim {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Claim {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Claim {}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("id", &self.0.id)
            .field("is_lost", &self.is_lost())
            .finish_non_exhaustive()
    }
}

/// Reference to a [`Claim`] that doesn't keep it alive: what a journal keeps of its sessions' claims.
///
/// ```
/// use async_tool_runtime::journal::Claim;
///
/// let claim = Claim::new();
/// let kept = claim.downgrade();
/// assert!(kept.live() == Some(claim.clone()));
/// drop(claim);
/// assert!(kept.live().is_none());
/// ```
#[derive(Clone)]
pub struct WeakClaim(Weak<Shared>);

impl WeakClaim {
    /// Returns the claim, unless it was dropped or lost.
    #[must_use]
    pub fn live(&self) -> Option<Claim> {
        self.0.upgrade().map(Claim).filter(|claim| !claim.is_lost())
    }

    /// True if the claim was dropped: its agent has ended.
    #[must_use]
    pub fn is_dropped(&self) -> bool {
        self.0.strong_count() == 0
    }

    /// True if this is a reference to that claim.
    #[must_use]
    pub fn is_of(&self, claim: &Claim) -> bool {
        std::ptr::eq(self.0.as_ptr(), Arc::as_ptr(&claim.0))
    }
}

impl fmt::Debug for WeakClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WeakClaim").field(&self.live()).finish()
    }
}
