//! Tokio tasks that carry out one task after the other.
//!
//! A tokio task is made by the thread that submits, and mostly freed by another one. For a short tool, both take longer than the tool, the more so
//! as they need the same part of the allocator. One that has nothing more to do waits for the next task instead.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use serde_json::Value;
use tokio::runtime::Handle;

use super::{
    Inner,
    admission::Gate,
    handover::{Giver, Handover},
    run::RunGuard,
    shelf::Shelf,
};
use crate::{
    future::BoxFuture,
    manager::path::Begun,
    tool::{BoundCall, ToolError},
};

/// A task that has its slot, with its call. They are dropped in this order: first what is user code, and then what says how the task has ended.
pub(super) struct Load {
    pub(super) call: BoundCall,
    pub(super) guard: RunGuard,
}

/// A carrier that waits for a load. Dropped, it ends.
pub(super) type Idle = Giver<Load>;

pub(super) type Carriers = Shelf<Idle>;

/// A tokio task that carries out what it is given. A type with a name, because the future of an async function is larger.
pub(super) struct Carrier {
    /// None while it waits for a load.
    doing: Option<Doing>,
    /// Where it is given the next load. None once its task has had to wait: a task at work is to be small.
    handover: Option<Arc<Handover<Load>>>,
    /// Whether it waits for the next one.
    stays: bool,
}

enum Doing {
    Begins(Load),
    Waits(BoxFuture<'static, Result<Value, ToolError>>, RunGuard),
}

/// A task that comes to its end; without a result if it was told to stop before it began, or aborted.
type End = (RunGuard, Option<Result<Value, ToolError>>);

impl Carrier {
    pub(super) const fn new(load: Load, stays: bool) -> Self {
        Self {
            doing: Some(Doing::Begins(load)),
            handover: None,
            stays,
        }
    }

    /// Waits for the next load; `None` if there will be none.
    fn poll_load(&self, cx: &mut Context<'_>) -> Poll<Option<Load>> {
        match &self.handover {
            Some(handover) => handover.poll_taken(cx),
            None => Poll::Ready(None),
        }
    }

    fn poll_task(&mut self, doing: Doing, cx: &mut Context<'_>) -> Poll<End> {
        let (guard, mut rest) = match doing {
            Doing::Begins(Load { call, guard }) => match guard.begin(call, cx) {
                Some(Begun::Waits(rest)) => (guard, rest),
                Some(Begun::Ended(result)) => return Poll::Ready((guard, Some(result))),
                None => return Poll::Ready((guard, None)),
            },
            Doing::Waits(rest, guard) => (guard, rest),
        };
        let result = Pin::new(&mut guard.cell.until_aborted(rest.as_mut())).poll(cx);
        if let Poll::Ready(result) = result {
            // Before it is said that the task has ended.
            drop(rest);
            return Poll::Ready((guard, result));
        }
        self.handover = None;
        self.doing = Some(Doing::Waits(rest, guard));
        Poll::Pending
    }

    fn end(&mut self, (guard, result): End) {
        let inner = self.stays.then(|| Arc::clone(&guard.inner));
        guard.finish(result);
        if let Some(inner) = inner {
            let handover = Arc::clone(self.handover.get_or_insert_default());
            // Where there are enough of them, it hears that nothing will come.
            drop(inner.carriers.keep(Giver::new(handover)));
        }
    }
}

impl Future for Carrier {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let doing = match self.doing.take() {
            Some(doing) => doing,
            None => match ready!(self.poll_load(cx)) {
                Some(load) => Doing::Begins(load),
                None => return Poll::Ready(()),
            },
        };
        let end = ready!(self.poll_task(doing, cx));
        self.end(end);
        if let Some(load) = ready!(self.poll_load(cx)) {
            // Others have their turn first, however fast the next one has come.
            self.doing = Some(Doing::Begins(load));
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        if let Some(handover) = &self.handover {
            drop(handover.leave());
        }
    }
}

impl Inner {
    /// Whether carriers of this runtime wait for more. Those of one runtime only: all that wait are alike then, and the first one will do.
    #[inline]
    pub(super) fn keeps_carriers(&self, runtime: &Handle) -> bool {
        self.backend.is_none() && self.runtime.get().is_some_and(|home| home.id() == runtime.id())
    }

    /// A carrier on this runtime that has nothing to do, if there is one.
    #[inline]
    pub(super) fn idle_carrier(&self, gate: &mut Gate, runtime: &Handle) -> Option<Idle> {
        if !self.keeps_carriers(runtime) {
            return None;
        }
        self.carriers.take(&mut gate.carriers)
    }

    /// From now on none waits.
    pub(super) fn dismiss_carriers(&self) {
        // First the shelf: whoever comes to the gate meanwhile takes along what is there.
        let kept = self.carriers.close();
        let taken = std::mem::take(&mut self.queue().carriers);
        // Outside of the locks: they are woken.
        drop((kept, taken));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, AtomicUsize, Ordering},
        task::{Wake, Waker},
    };

    use serde_json::json;

    use super::*;
    use crate::{
        Arguments, AsyncToolManager, FunctionTool, SessionId, TaskSpec, ToolCall, ToolDefinition, task::TaskCell,
    };

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// A manager of a tool that counts its calls.
    fn manager(calls: &Arc<AtomicUsize>) -> AsyncToolManager {
        let calls = Arc::clone(calls);
        let definition = ToolDefinition::new("count", "Counts.", json!({"type": "object"}));
        let tool = FunctionTool::from_parts(definition, move |_| {
            let calls = Arc::clone(&calls);
            Ok(BoundCall::without_context(|| async move {
                calls.fetch_add(1, Ordering::Relaxed);
                Ok(Value::Null)
            }))
        });
        AsyncToolManager::builder().tool(tool).build().unwrap()
    }

    fn load(manager: &AsyncToolManager) -> Load {
        let inner = &manager.inner;
        let path = inner.executor.path("count").unwrap();
        let call = ToolCall::new("call_1", "count", Arguments::from_text("{}"));
        let bound = path.attempt.bind(&call.arguments).unwrap();
        let spec = TaskSpec::new(SessionId::new("s"), call);
        let cell = TaskCell::new(spec, manager.now(), None, Some(Arc::clone(path)));
        inner.tasks().insert(&cell, None);
        Load {
            call: bound,
            guard: RunGuard::new(inner, cell),
        }
    }

    #[test]
    fn others_have_their_turn_between_two_tasks() {
        let (calls, woken) = (Arc::default(), Arc::new(Woken::default()));
        let manager = manager(&calls);
        let mut carrier = Carrier::new(load(&manager), true);
        // The second load is there as soon as the first one is done. By hand: the giver for it is made only then.
        let handover = carrier.handover.insert(Arc::default());
        assert!(Giver::new(Arc::clone(handover)).give(load(&manager)).is_ok());

        let waker = Waker::from(Arc::clone(&woken));
        let mut poll = || Pin::new(&mut carrier).poll(&mut Context::from_waker(&waker));
        assert!(poll().is_pending());
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        assert!(woken.0.swap(false, Ordering::Relaxed), "it goes on by itself");
        assert!(poll().is_pending());
        assert_eq!(calls.load(Ordering::Relaxed), 2);
        assert!(!woken.0.load(Ordering::Relaxed), "it waits");
        assert_eq!(manager.stats().completed, 2);
    }

    #[test]
    fn what_was_given_and_not_begun_is_settled_when_the_carrier_is_dropped() {
        let calls = Arc::default();
        let manager = manager(&calls);
        let mut carrier = Carrier::new(load(&manager), true);
        let handover = carrier.handover.insert(Arc::default());
        assert!(Giver::new(Arc::clone(handover)).give(load(&manager)).is_ok());
        drop(carrier);
        assert_eq!((manager.stats().cancelled, manager.stats().open), (2, 0));
        assert_eq!(calls.load(Ordering::Relaxed), 0);
    }
}
