//! A call that is ready to run.

use serde_json::Value;

use super::{context::ToolContext, error::ToolError};
use crate::future::BoxFuture;

/// A call whose arguments have been checked, ready to run once.
pub struct BoundCall(pub(crate) Run);

/// How a call runs: on the async threads, or on the blocking pool.
pub(crate) enum Run {
    Async(Box<dyn FnOnce(ToolContext) -> BoxFuture<'static, Result<Value, ToolError>> + Send>),
    /// The same for what needs no context. Nothing of it runs before it is polled.
    Future(BoxFuture<'static, Result<Value, ToolError>>),
    Blocking(Box<dyn FnOnce(ToolContext) -> Result<Value, ToolError> + Send>),
}

impl BoundCall {
    /// A call that runs on the async threads. It must not block: use [`BoundCall::blocking`] for what does.
    #[must_use]
    pub fn future<F, Fut>(run: F) -> Self
    where
        F: FnOnce(ToolContext) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Value, ToolError>> + Send + 'static,
    {
        Self(Run::Async(Box::new(|cx| Box::pin(run(cx)))))
    }

    /// The same for what needs nothing of its task. `make` may be called at once, and what it gives may wait in the manager's queue before it
    /// is polled: write `|| async move { .. }`, of which nothing runs by then. Takes two allocations less than a [`future`](Self::future).
    #[must_use]
    pub fn without_context<F, Fut>(make: F) -> Self
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Value, ToolError>> + Send + 'static,
    {
        // A large future would make a task large that only waits: what it is made of is smaller.
        const LARGEST: usize = 128;
        if const { size_of::<Fut>() <= LARGEST } {
            Self(Run::Future(Box::pin(make())))
        } else {
            Self::future(|_| make())
        }
    }

    /// A call that runs on tokio's blocking pool.
    #[must_use]
    pub fn blocking<F>(run: F) -> Self
    where
        F: FnOnce(ToolContext) -> Result<Value, ToolError> + Send + 'static,
    {
        Self(Run::Blocking(Box::new(run)))
    }
}

impl std::fmt::Debug for BoundCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Run::Async(_) | Run::Future(_) => "BoundCall::future(..)",
            Run::Blocking(_) => "BoundCall::blocking(..)",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use super::*;

    /// A call that says that it has run, with so many bytes of its own, and whether it has.
    fn call<const BYTES: usize>() -> (BoundCall, Arc<AtomicBool>) {
        let has_run = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&has_run);
        let own = [0_u8; BYTES];
        let call = BoundCall::without_context(move || async move {
            flag.store(true, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok(own.len().into())
        });
        (call, has_run)
    }

    #[tokio::test]
    async fn a_future_without_a_context_is_made_at_once_and_begins_when_it_is_polled() {
        let (BoundCall(Run::Future(future)), has_run) = call::<8>() else {
            panic!("it is small")
        };
        assert!(!has_run.load(Ordering::Relaxed));
        assert_eq!(future.await.unwrap(), 8);
        assert!(has_run.load(Ordering::Relaxed));
    }

    #[test]
    fn a_large_future_is_made_when_its_task_runs() {
        let (call, _) = call::<4_096>();
        assert!(matches!(call.0, Run::Async(_)));
    }
}
