//! How a function at work hears that it is to stop.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

use super::TaskCell;
use crate::BoxFuture;

impl TaskCell {
    /// Waits until the task is told to stop.
    ///
    /// Most functions take no token and nobody tells them to stop. Then there is no token, which with its waiter is as large as all else that
    /// is known of a function at work: this keeps a waker for the moment in which one is [made](Self::cancellation).
    pub(crate) const fn told_to_stop(&self) -> ToldToStop<'_> {
        ToldToStop {
            cell: self,
            is_kept: false,
            by_token: None,
        }
    }

    /// Keeps a waker until there is a token. False if there is one, or if a waker is kept that is another one or another attempt's (`is_kept`
    /// says whose it is, because attempts in one future have the same): a layer may have begun a second attempt.
    fn keep_for_token(&self, waker: &Waker, is_kept: bool) -> bool {
        let mut run = self.run();
        // Under the lock, which whoever makes a token takes after that.
        if self.cancellation.get().is_some() {
            return false;
        }
        match &run.token_waker {
            Some(kept) => is_kept && kept.will_wake(waker),
            None => {
                run.token_waker = Some(waker.clone());
                true
            }
        }
    }

    /// There is a token.
    pub(super) fn wake_for_token(&self) {
        let waker = self.run().token_waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// See [`TaskCell::told_to_stop`].
pub(crate) struct ToldToStop<'a> {
    cell: &'a TaskCell,
    /// Whether it has given its waker to the record.
    is_kept: bool,
    by_token: Option<BoxFuture<'a, ()>>,
}

impl Future for ToldToStop<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let cell = self.cell;
        if self.by_token.is_none() && cell.keep_for_token(cx.waker(), self.is_kept) {
            self.is_kept = true;
            return Poll::Pending;
        }
        let by_token = self
            .by_token
            .get_or_insert_with(|| Box::pin(cell.cancellation().cancelled()));
        by_token.as_mut().poll(cx)
    }
}

impl Drop for ToldToStop<'_> {
    fn drop(&mut self) {
        if self.is_kept {
            // What is remembered of a task is not to keep its future's memory.
            let waker = self.cell.run().token_waker.take();
            drop(waker);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use serde_json::json;

    use super::*;
    use crate::{SessionId, TaskSpec, Timestamp, ToolCall};

    #[derive(Default)]
    struct Wakes(AtomicU32);

    impl std::task::Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Wakes {
        fn poll(self: &Arc<Self>, future: &mut ToldToStop<'_>) -> Poll<()> {
            let waker = Waker::from(Arc::clone(self));
            Pin::new(future).poll(&mut Context::from_waker(&waker))
        }

        fn count(&self) -> u32 {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn cell() -> Arc<TaskCell> {
        let spec = TaskSpec::new(SessionId::new("s"), ToolCall::new("call_1", "tool", json!({})));
        TaskCell::new(spec, Timestamp::default(), None, None)
    }

    #[test]
    fn whoever_waits_hears_of_it_whether_there_was_a_token_before_or_not() {
        let (cell, wakes) = (cell(), Arc::new(Wakes::default()));
        let mut first = cell.told_to_stop();
        assert!(wakes.poll(&mut first).is_pending() && wakes.poll(&mut first).is_pending());
        assert!(cell.cancellation.get().is_none());
        // Somebody takes the token, and may fire it by himself.
        let token = cell.cancellation().clone();
        assert_eq!(wakes.count(), 1);
        assert!(wakes.poll(&mut first).is_pending());
        let mut second = cell.told_to_stop();
        assert!(wakes.poll(&mut second).is_pending());
        token.cancel();
        assert_eq!(wakes.count(), 3);
        assert!(wakes.poll(&mut first).is_ready() && wakes.poll(&mut second).is_ready());
    }

    #[test]
    fn two_attempts_at_a_time_both_hear_of_it() {
        let cell = cell();
        let (one, other) = (Arc::new(Wakes::default()), Arc::new(Wakes::default()));
        let (mut first, mut second) = (cell.told_to_stop(), cell.told_to_stop());
        assert!(one.poll(&mut first).is_pending() && other.poll(&mut second).is_pending());
        // The second one has made a token, by which the first waits from now on.
        assert_eq!((one.count(), other.count()), (1, 0));
        assert!(one.poll(&mut first).is_pending());
        cell.request_cancel("enough".to_owned());
        assert_eq!((one.count(), other.count()), (2, 1));
        assert!(one.poll(&mut first).is_ready() && other.poll(&mut second).is_ready());
    }

    #[test]
    fn of_two_attempts_in_one_future_the_one_that_is_left_hears_of_it() {
        let (cell, wakes) = (cell(), Arc::new(Wakes::default()));
        let (mut first, mut second) = (cell.told_to_stop(), cell.told_to_stop());
        assert!(wakes.poll(&mut first).is_pending() && wakes.poll(&mut second).is_pending());
        drop(first);
        let before = wakes.count();
        cell.request_cancel("enough".to_owned());
        assert!(wakes.count() > before);
        assert!(wakes.poll(&mut second).is_ready());
    }

    #[test]
    fn who_no_longer_waits_leaves_nothing_behind() {
        let (cell, wakes) = (cell(), Arc::new(Wakes::default()));
        let mut waits = cell.told_to_stop();
        assert!(wakes.poll(&mut waits).is_pending());
        assert_eq!(Arc::strong_count(&wakes), 2);
        drop(waits);
        assert_eq!(Arc::strong_count(&wakes), 1);
        cell.request_cancel("enough".to_owned());
        assert_eq!(wakes.count(), 0);
    }
}
