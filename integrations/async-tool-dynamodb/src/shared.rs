//! State that all handles of an open journal share, and its keeper: the task that shows signs of life.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use async_tool_runtime::SessionId;
use tokio::{
    runtime::Handle,
    task::JoinHandle,
    time::{Instant, sleep},
};

use crate::{
    StoreError,
    holds::{Held, Holds},
    owner::{self, Owner, Standing},
    release,
    tables::Tables,
    turns::Turns,
    watch::Watches,
};

/// Shortest pause of the keeper.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) tables: Tables,
    pub(crate) holds: Holds,
    pub(crate) owner: Owner,
    turns: Turns,
    watches: Mutex<Watches>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

impl Shared {
    pub(crate) fn new(tables: Tables, lease: Duration) -> Self {
        Self {
            tables,
            holds: Holds::default(),
            owner: Owner::new(lease),
            turns: Turns::default(),
            watches: Mutex::default(),
            keeper: Mutex::default(),
        }
    }

    /// Carries out a write to a session after those that were polled before it, even if this future is dropped.
    pub(crate) async fn in_turn<T: Send + 'static>(
        &self,
        session: &SessionId,
        write: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = self.turns.enqueue(session);
        let written = tokio::spawn(async move {
            let _turn = turn.await;
            write.await
        });
        written.await.map_err(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => StoreError::Stopped,
        })
    }

    /// Looks whether another owner still lives. Returns the time for which it must still be silent; `None` if it is gone.
    pub(crate) async fn ask(self: &Arc<Self>, other: &str) -> Result<Option<Duration>, StoreError> {
        let Some(row) = owner::find(&self.tables, other).await? else {
            self.watches().look(other, None, Instant::now());
            return Ok(None);
        };
        let left = self.watches().ask(other, row, Instant::now());
        if left.is_some() {
            self.keep();
            return Ok(left);
        }
        match owner::remove_silent(&self.tables, other, row).await? {
            true => {
                tracing::warn!(target: "async_tool::journal", owner = other, "an owner was silent for its whole lease; its sessions are free");
                self.watches().look(other, None, Instant::now());
                Ok(None)
            }
            // It woke up at the last moment.
            false => Ok(Some(row.lease)),
        }
    }

    /// Starts the keeper, unless it runs.
    pub(crate) fn keep(self: &Arc<Self>) {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        if keeper.as_ref().is_none_or(JoinHandle::is_finished) {
            *keeper = Some(tokio::spawn(keep(Arc::downgrade(self), self.pace())));
        }
    }

    fn pace(&self) -> Duration {
        let watching = self.watches().pace();
        let pace = self.owner.lease() / 4;
        watching.map_or(pace, |watching| watching.min(pace)).max(SHORTEST_PAUSE)
    }

    /// One round of the keeper: signs of life, dropped claims, and looks at other owners. A failure of one doesn't keep the others.
    async fn round(self: &Arc<Self>) -> Result<(), StoreError> {
        let released = self.let_go_of_dropped().await;
        let renewed = self.renew().await;
        let looked = self.look().await;
        released.and(renewed).and(looked)
    }

    async fn let_go_of_dropped(self: &Arc<Self>) -> Result<(), StoreError> {
        for held in self.holds.all() {
            if held.claim.is_none() {
                self.let_go(held.session).await?;
            }
        }
        self.leave_if_idle().await
    }

    async fn renew(self: &Arc<Self>) -> Result<(), StoreError> {
        if let Some(standing) = self.owner.renew(&self.tables).await? {
            for held in self.holds.all() {
                self.confirm(held, &standing).await?;
            }
        }
        Ok(())
    }

    async fn look(&self) -> Result<(), StoreError> {
        let watched = self.watches().owners(Instant::now());
        for other in watched {
            let row = owner::find(&self.tables, &other).await?;
            self.watches().look(&other, row, Instant::now());
        }
        Ok(())
    }

    /// Confirms a claim, or takes its session again if this journal has a new id.
    async fn confirm(self: &Arc<Self>, held: Held, standing: &Standing) -> Result<(), StoreError> {
        let (Some(claim), Some(owner)) = (held.claim, held.owner) else {
            return Ok(());
        };
        if owner == standing.id {
            claim.confirm(standing.asked, self.owner.lease());
            return Ok(());
        }
        let (this, session, id) = (Arc::clone(self), held.session.clone(), standing.id.clone());
        let renamed = self.in_turn(&held.session, async move {
            // An append may have done it since.
            match this.holds.owner_of(&session) {
                Some(owner) if owner != id => release::rename(&this, &session, &owner, &id).await,
                _ => Ok(()),
            }
        });
        renamed.await?
    }

    /// Gives a session up whose claim was dropped.
    async fn let_go(self: &Arc<Self>, session: SessionId) -> Result<(), StoreError> {
        let (this, name) = (Arc::clone(self), session.clone());
        let released = self.in_turn(&session, async move {
            match this.holds.is_idle(&name) {
                true => release::release(&this, &name).await,
                false => Ok(()),
            }
        });
        released.await?
    }

    /// Removes the owner's row if there is no session.
    pub(crate) async fn leave_if_idle(&self) -> Result<(), StoreError> {
        match self.holds.is_empty() {
            true => self.owner.leave(&self.tables, || !self.holds.is_empty()).await,
            false => Ok(()),
        }
    }

    fn is_idle(&self) -> bool {
        self.holds.is_empty() && self.watches().pace().is_none()
    }

    fn watches(&self) -> std::sync::MutexGuard<'_, Watches> {
        // A poisoned lock is harmless: each change is one insertion, change or removal.
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keeper(&self) -> Option<JoinHandle<()>> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Ends the keeper and gives all sessions up, after the writes that have begun. There is no handle for another one.
    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        self.end_keeper().await;
        self.turns.wait().await;
        // A write has started it again.
        self.end_keeper().await;
        self.owner.leave(&self.tables, || false).await
    }

    async fn end_keeper(&self) {
        if let Some(keeper) = self.keeper() {
            keeper.abort();
            let _it_was_aborted = keeper.await;
        }
    }

    /// Ends the signs of life without a word to the table, as the end of the process would.
    pub(crate) async fn abandon(&self) {
        if let Some(keeper) = self.keeper() {
            keeper.abort();
        }
        self.owner.abandon().await;
    }
}

/// The keeper. It holds no handle while it waits, so it ends after the last one was dropped.
async fn keep(shared: Weak<Shared>, mut pace: Duration) {
    loop {
        sleep(pace).await;
        let Some(shared) = shared.upgrade() else { return };
        if let Err(error) = shared.round().await {
            tracing::warn!(target: "async_tool::journal", error = %error, "the signs of life can't be written; trying again");
        }
        if shared.is_idle() {
            // An append that came after the look starts a new keeper, or finds this one alive and this look outdated.
            let mut keeper = shared.keeper.lock().unwrap_or_else(PoisonError::into_inner);
            if shared.is_idle() {
                *keeper = None;
                return;
            }
        }
        pace = shared.pace();
    }
}

impl Drop for Shared {
    /// Gives the sessions up, if the runtime still runs. Otherwise other processes wait for the lease.
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper() {
            keeper.abort();
        }
        if let (Some(id), Ok(runtime)) = (self.owner.take_id(), Handle::try_current()) {
            let tables = self.tables.clone();
            runtime.spawn(async move {
                let _others_wait_for_the_lease_then = owner::remove(&tables, &id).await;
            });
        }
    }
}
