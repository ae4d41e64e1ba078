//! Removal of ended tasks from the journal, after their retention.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_tool_runtime::{
    SessionId,
    journal::{ReadError, SessionFilter},
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

use super::{
    clock::Clock,
    kept::Found,
    store::{Store, next},
};

/// Sessions that are read or removed without a pause, so that thousands of them hold up no task.
const BATCH: usize = 32;
const PAUSE: Duration = Duration::from_millis(250);

/// Pause after a failure of the journal.
const AGAIN: Duration = Duration::from_secs(60);

/// Closed sessions, by the time at which they are removed.
#[derive(Debug, Default)]
pub(super) struct Retention {
    closed: Mutex<BTreeSet<(Instant, SessionId)>>,
    changed: Notify,
}

impl Retention {
    pub(super) fn remove_at(&self, session: SessionId, at: Instant) {
        self.closed().insert((at, session));
        self.changed.notify_one();
    }

    /// Removes sessions from the journal when their time has come: those that it is told of, and those that ended in earlier processes.
    pub(super) async fn attend(self: Arc<Self>, store: Store, clock: Clock) {
        let find = async {
            while let Err(error) = self.find(&store, clock).await {
                tracing::warn!(target: "async_tool::mcp", %error, "the tasks of earlier processes can't be listed");
                sleep(AGAIN).await;
            }
        };
        tokio::join!(find, self.remove(&store));
    }

    /// Finds the closed sessions of earlier processes.
    async fn find(&self, store: &Store, clock: Clock) -> Result<(), ReadError> {
        let mut sessions = store.journal().sessions(SessionFilter::All);
        let mut read = 0;
        while let Some(session) = next(&mut sessions).await {
            let session = session?;
            if !Store::is_name(&session) {
                continue;
            }
            match store.read(&session).await {
                Ok(Found::Task(kept)) if kept.is_closed => {
                    self.remove_at(session, Instant::now() + kept.left(clock.now()));
                }
                // Open sessions are told when they are closed.
                Ok(_) => {}
                Err(error) => tracing::warn!(target: "async_tool::mcp", %error, %session, "a task can't be read"),
            }
            read += 1;
            if read % BATCH == 0 {
                sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    async fn remove(&self, store: &Store) {
        loop {
            let next = self.closed().first().map(|(at, _)| *at);
            let due = async {
                match next {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {}
                () = self.changed.notified() => continue,
            }
            for session in self.due() {
                match store.journal().remove(&session).await {
                    Ok(true) => {}
                    Ok(false) => {
                        tracing::debug!(target: "async_tool::mcp", %session, "the journal keeps an ended task");
                    }
                    Err(error) => {
                        tracing::warn!(target: "async_tool::mcp", %error, %session, "an ended task can't be removed");
                        self.remove_at(session, Instant::now() + AGAIN);
                    }
                }
            }
            sleep(PAUSE).await;
        }
    }

    /// Takes sessions out whose time has come, a batch at most.
    fn due(&self) -> Vec<SessionId> {
        let now = Instant::now();
        let mut closed = self.closed();
        let mut due = Vec::new();
        while due.len() < BATCH && closed.first().is_some_and(|(at, _)| *at <= now) {
            due.extend(closed.pop_first().map(|(_, session)| session));
        }
        due
    }

    fn closed(&self) -> MutexGuard<'_, BTreeSet<(Instant, SessionId)>> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
