//! Turns of a session's writers in this process.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use async_tool_runtime::SessionId;
use futures_util::FutureExt as _;
use tokio::{
    sync::{Mutex as Queue, OwnedMutexGuard},
    task::unconstrained,
};

/// Queues of the writers of each session: appends and releases, in the order of their first polls.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<SessionId, Arc<Queue<()>>>>);

impl Turns {
    /// Joins the queue of a session, at once. The future waits for the turn.
    pub(crate) fn enqueue(&self, session: &SessionId) -> impl Future<Output = OwnedMutexGuard<()>> + Send + use<> {
        let queue = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Queues without a writer are dropped whenever there are more of them than before.
            if known.len() == known.capacity() {
                known.retain(|_, queue| Arc::strong_count(queue) > 1);
            }
            Arc::clone(known.entry(session.clone()).or_default())
        };
        // Not limited by tokio's budget: a poll that is put off would not join the queue.
        let mut turn = Box::pin(unconstrained(queue.lock_owned()));
        let first = turn.as_mut().now_or_never();
        async move {
            match first {
                Some(guard) => guard,
                None => turn.await,
            }
        }
    }

    /// Waits until all writers that have joined a queue have ended.
    pub(crate) async fn wait(&self) {
        let sessions: Vec<SessionId> = {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.keys().cloned().collect()
        };
        for session in sessions {
            drop(self.enqueue(&session).await);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn writers_of_a_session_take_turns_in_the_order_in_which_they_came() {
        let (turns, session) = (Turns::default(), SessionId::new("s"));
        let first = turns.enqueue(&session);
        let (second, third) = (turns.enqueue(&session), turns.enqueue(&session));
        let other = turns.enqueue(&SessionId::new("other")).now_or_never();
        assert!(other.is_some());
        let mut third = Box::pin(third);
        assert!(third.as_mut().now_or_never().is_none());
        let guard = first.await;
        let mut second = Box::pin(second);
        assert!(second.as_mut().now_or_never().is_none());
        drop(guard);
        assert!(third.as_mut().now_or_never().is_none());
        drop(second.await);
        third.await;
    }

    #[test]
    fn queues_without_a_writer_are_dropped() {
        let turns = Turns::default();
        for number in 0..10_000 {
            drop(turns.enqueue(&SessionId::new(format!("{number}"))));
        }
        assert!(turns.0.lock().unwrap().len() < 1_000);
    }
}
