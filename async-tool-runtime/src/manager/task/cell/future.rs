//! Future of a task: its abort, and the mark of one that can't be dropped.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use super::TaskCell;
use crate::manager::{quarantine::Quarantine, running::inside};

/// Current use of a task's future.
pub(super) enum Polling {
    /// No thread is in the future. The waker is from its last poll.
    Idle(Option<Waker>),
    /// A thread is in the future, so it can't be dropped.
    Polled,
    /// A thread is in the future of an ended task.
    GivenUp,
}

impl Default for Polling {
    fn default() -> Self {
        Self::Idle(None)
    }
}

impl Polling {
    pub(super) const fn is_given_up(&self) -> bool {
        matches!(self, Self::GivenUp)
    }
}

impl TaskCell {
    /// Runs a future of the task; `None` once the task is [aborted](Self::abort), and the caller must drop the future.
    /// A future that follows a task on a backend isn't stopped: it must tell the backend.
    pub(crate) const fn until_aborted<F: Future + Unpin>(self: &Arc<Self>, future: F) -> UntilAborted<'_, F> {
        UntilAborted { cell: self, future }
    }

    /// False if the future must be dropped.
    fn begin_poll(&self) -> bool {
        let mut state = self.state();
        if state.is_aborted {
            return false;
        }
        let before = std::mem::replace(&mut state.polling, Polling::Polled);
        drop(state);
        drop(before);
        true
    }

    /// False if the future must be dropped.
    fn end_poll(&self, waker: &Waker) -> bool {
        let waker = waker.clone();
        let mut state = self.state();
        if !state.polling.is_given_up() {
            state.polling = Polling::Idle(Some(waker));
        }
        !state.is_aborted
    }

    /// Puts the task into quarantine if a thread is in its future; false if none is, or it was done before.
    /// [`end`](Self::end) tells when the future is gone, and its caller takes the task out of quarantine.
    pub(crate) fn give_up(&self, quarantine: &Quarantine) -> bool {
        let mut state = self.state();
        let is_polled = matches!(state.polling, Polling::Polled) && state.is_open();
        if is_polled {
            state.polling = Polling::GivenUp;
            quarantine.enter();
        }
        is_polled
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.state().is_aborted
    }

    /// Makes the task's future be dropped at its next wait: at once, unless a thread is in it.
    pub(crate) fn abort(&self) {
        let mut state = self.state();
        state.is_aborted = true;
        let waker = match &mut state.polling {
            Polling::Idle(waker) => waker.take(),
            Polling::Polled | Polling::GivenUp => None,
        };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// See [`TaskCell::until_aborted`].
pub(crate) struct UntilAborted<'a, F> {
    cell: &'a Arc<TaskCell>,
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
        match inside(cell, || Pin::new(future).poll(cx)) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if is_remote || cell.end_poll(cx.waker()) => Poll::Pending,
            Poll::Pending => Poll::Ready(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::pin};

    use serde_json::json;
    use tokio::sync::oneshot;

    use super::*;
    use crate::{clock::Timestamp, session::SessionId, task::TaskSpec, tool::ToolCall};

    fn cell() -> Arc<TaskCell> {
        let spec = TaskSpec::new(SessionId::new("s"), ToolCall::new("call_1", "tool", json!({})));
        TaskCell::new(spec, Timestamp::default(), None, std::sync::Weak::new())
    }

    /// A future that waits forever, and a receiver that fails when the future is dropped.
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
        // A value that is ready at the abort counts.
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
        assert!(cell.end(true).was_given_up);
        assert!(!cell.end(true).was_given_up);

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
        assert!(!cell.end(true).was_given_up);
        run.abort();
        assert!(run.await.is_err());
        assert!(dropped.await.is_err());
    }
}
