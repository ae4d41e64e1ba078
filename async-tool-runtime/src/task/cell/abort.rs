//! The future of a task: how it is dropped before its end, and what is known of one that can't be.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

use super::TaskCell;
use crate::manager::Quarantine;

impl TaskCell {
    /// Runs a future of the task's, and gives `None` once the task is [aborted](Self::abort): then the future is to be dropped. One that
    /// follows a task on a backend goes on: it has to tell the backend.
    pub(crate) const fn until_aborted<F: Future + Unpin>(&self, future: F) -> UntilAborted<'_, F> {
        UntilAborted { cell: self, future }
    }

    /// False if the future is to be dropped.
    fn begin_poll(&self) -> bool {
        let mut run = self.run();
        run.is_polled = !run.abort_requested;
        run.is_polled
    }

    /// False if the future is to be dropped.
    fn keep_waker(&self, waker: &Waker) -> bool {
        let mut run = self.run();
        run.is_polled = false;
        let goes_on = !run.abort_requested;
        let is_known = run.waker.as_ref().is_some_and(|known| known.will_wake(waker));
        let before = if is_known {
            None
        } else {
            run.waker.replace(waker.clone())
        };
        drop(run);
        // Outside of the lock: a waker may hold what others have put into it.
        drop(before);
        goes_on
    }

    /// The future is at its end. What is remembered of the task is not to keep the future's memory. True if the future was
    /// [given up](Self::give_up), the first time.
    pub(crate) fn let_go(&self) -> bool {
        let mut run = self.run();
        let waker = run.waker.take();
        let was_given_up = std::mem::take(&mut run.is_given_up);
        drop(run);
        drop(self.take_span());
        drop(waker);
        was_given_up
    }

    /// Puts the task into quarantine if a thread is in its future: it is ended, and that goes on. False if none is, or it was done before.
    /// Whoever [lets go](Self::let_go) of the future takes it out.
    pub(crate) fn give_up(&self, quarantine: &Quarantine) -> bool {
        let mut run = self.run();
        // When the future is first looked at, there is no waker yet.
        let is_at_work = run.is_polled || (run.waker.is_none() && run.started.is_some());
        // What follows a task on a backend waits, whatever the worker does.
        let is_new = is_at_work && !run.seat.is_over && !run.is_given_up && !self.is_remote();
        if is_new {
            run.is_given_up = true;
            quarantine.enter();
        }
        is_new
    }

    pub(crate) fn is_abort_requested(&self) -> bool {
        self.run().abort_requested
    }

    /// Has the task's future dropped where it next waits, or at once where it does.
    pub(crate) fn abort(&self) {
        let mut run = self.run();
        run.abort_requested = true;
        let waker = run.waker.take();
        drop(run);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// See [`TaskCell::until_aborted`]. A type with a name, because the future of an async function holds what it is given twice.
pub(crate) struct UntilAborted<'a, F> {
    cell: &'a TaskCell,
    future: F,
}

impl<F: Future + Unpin> Future for UntilAborted<'_, F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { cell, future } = &mut *self;
        let is_remote = cell.is_remote();
        if !is_remote && !cell.begin_poll() {
            return Poll::Ready(None);
        }
        match Pin::new(future).poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if is_remote || cell.keep_waker(cx.waker()) => Poll::Pending,
            Poll::Pending => Poll::Ready(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::pin, sync::Arc};

    use serde_json::json;
    use tokio::sync::oneshot;

    use super::*;
    use crate::{SessionId, TaskSpec, Timestamp, ToolCall};

    fn cell() -> Arc<TaskCell> {
        let spec = TaskSpec::new(SessionId::new("s"), ToolCall::new("call_1", "tool", json!({})));
        TaskCell::new(spec, Timestamp::default(), None, None)
    }

    /// Something that waits, and what hears of its being dropped.
    fn waiting() -> (impl Future<Output = ()>, oneshot::Receiver<()>) {
        let (held, dropped) = oneshot::channel();
        let future = async {
            let _held = held;
            std::future::pending().await
        };
        (future, dropped)
    }

    #[tokio::test]
    async fn an_aborted_future_is_dropped_where_it_waits() {
        let (cell, (future, dropped)) = (cell(), waiting());
        let run = tokio::spawn({
            let cell = Arc::clone(&cell);
            async move { cell.until_aborted(pin!(future)).await }
        });
        tokio::task::yield_now().await;
        cell.abort();
        assert_eq!(run.await.unwrap(), None);
        assert!(dropped.await.is_err());
    }

    #[tokio::test]
    async fn a_future_that_was_aborted_before_is_never_polled() {
        let cell = cell();
        cell.abort();
        assert_eq!(
            cell.until_aborted(poll_fn(|_| -> Poll<()> { unreachable!() })).await,
            None
        );
    }

    #[tokio::test]
    async fn a_future_that_is_aborted_while_it_is_polled_is_dropped_when_it_waits() {
        let cell = cell();
        let stopped = cell.until_aborted(poll_fn(|_| {
            cell.abort();
            Poll::<()>::Pending
        }));
        assert_eq!(stopped.await, None);
        // What it has done by then counts.
        let other = super::tests::cell();
        let ended = other.until_aborted(poll_fn(|_| {
            other.abort();
            Poll::Ready(1)
        }));
        assert_eq!(ended.await, Some(1));
    }

    #[tokio::test]
    async fn only_a_future_that_a_thread_is_in_is_given_up_and_once() {
        let cell = cell();
        let quarantine = Quarantine::default();
        let give_up = || cell.give_up(&quarantine);
        assert!(!give_up(), "it has not begun");
        let looked_at = cell.until_aborted(poll_fn(|_| Poll::Ready((give_up(), give_up()))));
        assert_eq!(looked_at.await, Some((true, false)));
        assert_eq!(quarantine.count(), 1);
        assert!(cell.let_go());
        assert!(!cell.let_go());

        let (cell, (future, _dropped)) = (super::tests::cell(), waiting());
        let future = pin!(future);
        let mut waits = cell.until_aborted(future);
        poll_fn(|cx| Poll::Ready(Pin::new(&mut waits).poll(cx).is_pending())).await;
        assert!(!cell.give_up(&quarantine), "it waits, and can be dropped");
    }

    #[tokio::test]
    async fn a_task_that_is_remembered_does_not_keep_its_future() {
        let (cell, (future, dropped)) = (cell(), waiting());
        let run = tokio::spawn({
            let cell = Arc::clone(&cell);
            async move { cell.until_aborted(pin!(future)).await }
        });
        tokio::task::yield_now().await;
        assert!(!cell.let_go(), "nobody has given it up");
        run.abort();
        assert!(run.await.is_err());
        assert!(dropped.await.is_err());
    }
}
