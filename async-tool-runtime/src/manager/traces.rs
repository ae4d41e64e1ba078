//! The library's spans in the host's traces.

use std::{
    cell::Cell,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
};

use tracing::Span;

use crate::{session::SessionId, unwind};

/// Name of the host's code, in the log line of a panic.
const PART: &str = "the propagator of traces";
/// Longest text that is kept, in bytes. A `traceparent` of W3C's version 00 has 55.
const LONGEST: usize = 256;

/// Carrier of trace contexts between spans that no stack connects: those of background tasks, later turns, other processes.
///
/// The library's spans go through `tracing`, which knows no ids of traces. A tracing system does, and the host connects the two: it reads
/// the id of a span as a W3C [`traceparent`](https://www.w3.org/TR/trace-context/#traceparent-header), and continues a trace from one. The
/// library keeps these texts where the work goes: in the journal with a message of the user, in the [`TaskSpec`](crate::task::TaskSpec) of a task,
/// and in its result. So it depends on no tracing system.
///
/// With a propagator:
///
/// - A message of the user has a span, `user_message`. What follows is in its trace: the agent's turns, their calls, and the turns that are
///   told the results. That holds after a restart too.
/// - Calls of a turn are children of its span, which ends with the turn and not with the calls.
/// - A turn is linked with the calls whose results it was told; `deliver_results` is a span for the late ones.
/// - A worker's span of a task, [`execute_tool.run`](crate::manager::Executor::execute), is a child of the call's span.
///
/// `examples/telemetry` has an implementation for OpenTelemetry, 40 lines long.
///
/// # Contract
///
/// The methods are called often, and on any thread. They MUST NOT block. A panic in one is logged, and the span stands alone.
///
/// ```
/// use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, manager::TracePropagator, tools};
/// use async_tool_runtime::task::TaskSpec;
/// use serde_json::json;
/// use std::sync::{Arc, Mutex};
///
/// /// A tracing system of one thread: a stack of the current contexts.
/// #[derive(Clone, Default)]
/// struct Contexts(Arc<Mutex<Vec<String>>>);
///
/// impl TracePropagator for Contexts {
///     fn current(&self) -> Option<String> {
///         self.0.lock().unwrap().last().cloned()
///     }
///
///     fn continued(&self, traceparent: &str, then: &mut dyn FnMut()) {
///         self.0.lock().unwrap().push(traceparent.to_owned());
///         then();
///         self.0.lock().unwrap().pop();
///     }
///
///     fn link(&self, _traceparent: &str) {}
/// }
///
/// # /// Adds two numbers.
/// # #[async_tool(effect = "read")]
/// # fn add(a: i64, b: i64) -> i64 {
/// #     a + b
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tools(tools![add]).propagator(Contexts::default()).build()?;
/// let call = ToolCall::new("call_1", "add", json!({"a": 2, "b": 3}));
/// let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"; // from the header of a request
/// let task = manager.submit_task(TaskSpec::new(SessionId::new("s"), call).with_traceparent(traceparent))?;
/// # task.outcome().await;
/// # Ok(())
/// # }
/// ```
pub trait TracePropagator: Send + Sync + 'static {
    /// `traceparent` of the span that is current on this thread; `None` if it has none.
    fn current(&self) -> Option<String>;

    /// Calls `then` exactly once. A span that begins in it MUST be a child of the span that `traceparent` names, as if that span were current.
    fn continued(&self, traceparent: &str, then: &mut dyn FnMut());

    /// Links the span that is current on this thread with the one that `traceparent` names.
    fn link(&self, traceparent: &str);
}

// `dyn TracePropagator` must stay possible: the manager holds one of any kind.
const _: fn(&dyn TracePropagator) = |_| {};

/// Propagator of the host, if it has one. Contains its panics.
#[derive(Clone, Default)]
pub(crate) struct Traces(Option<Arc<dyn TracePropagator>>);

impl Traces {
    pub(crate) fn new(propagator: impl TracePropagator) -> Self {
        Self(Some(Arc::new(propagator)))
    }

    /// True if there is a propagator.
    pub(crate) const fn are_on(&self) -> bool {
        self.0.is_some()
    }

    /// `traceparent` of a span.
    pub(crate) fn of(&self, span: &Span) -> Option<Arc<str>> {
        let propagator = self.0.as_ref().filter(|_| !span.is_disabled())?;
        let current = call(|| span.in_scope(|| propagator.current())).flatten()?;
        (current.len() <= LONGEST).then(|| current.into())
    }

    /// Calls `function`; spans that begin in it are children of `traceparent`, if there is one.
    pub(crate) fn within<T>(&self, traceparent: Option<&str>, function: impl FnOnce() -> T) -> T {
        let (Some(propagator), Some(traceparent)) = (&self.0, traceparent) else {
            return function();
        };
        // The function is the library's: its panic is not one of the propagator, and goes on.
        let (function, returned) = (Cell::new(Some(function)), Cell::new(None));
        let mut then = || {
            if let Some(function) = function.take() {
                returned.set(Some(catch_unwind(AssertUnwindSafe(function))));
            }
        };
        call(|| propagator.continued(traceparent, &mut then));
        // A propagator that panicked, or broke its contract, costs only the context.
        then();
        match returned.take() {
            Some(Ok(value)) => value,
            Some(Err(panic)) => resume_unwind(panic),
            None => unreachable!("the function was called"),
        }
    }

    /// Links a span with others.
    pub(crate) fn link<'a>(&self, span: &Span, others: impl IntoIterator<Item = &'a str>) {
        let Some(propagator) = self.0.as_ref().filter(|_| !span.is_disabled()) else {
            return;
        };
        for other in others {
            call(|| span.in_scope(|| propagator.link(other)));
        }
    }

    /// Span of a message of the user, and its `traceparent`. Without a propagator, nothing could follow it, and there is none.
    pub(crate) fn message(&self, session: &SessionId) -> (Span, Option<Arc<str>>) {
        if !self.are_on() {
            return (Span::none(), None);
        }
        let span = tracing::info_span!(
            target: "async_tool::span",
            "user_message",
            "gen_ai.conversation.id" = session.as_str(),
        );
        let traceparent = self.of(&span);
        (span, traceparent)
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Traces").field(&self.are_on()).finish()
    }
}

/// Calls the host's code; `None` if it panics.
fn call<T>(run: impl FnOnce() -> T) -> Option<T> {
    unwind::call(PART, run)
        .inspect_err(|panicked| tracing::error!(target: "async_tool::task", "{} panicked", panicked.part()))
        .ok()
}
