//! What a model can call: definitions, what a tool is given, and how it fails.
//!
//! # Invariants
//!
//! 1. Arguments are bound before anything runs. A call whose arguments don't fit is an error for the model; no tool sees
//!    a value that its types or its schema don't allow, and no default stands in for a wrong value.
//! 2. A definition is built once and shared by pointer: providers cache prompts by their bytes.
//! 3. What a host supplies is marked with `#[inject]` and never appears in a schema, so a model can't write it.
//! 4. An `Err` is always an error to the model. A `Result` is never serialised whole, because `{"Err": …}` reads like an
//!    answer.
//!
//! Absent on purpose: when and where a tool runs (`manager/`), and how a definition looks on a provider's wire (the
//! adapters).

mod arguments;
mod bind;
mod cancellation;
#[cfg(feature = "inventory")]
mod collected;
mod constraint;
mod context;
mod definition;
mod delivery;
mod effect;
mod error;
mod function;
mod future;
mod inject;
mod messages;
mod options;
pub(crate) mod output;
mod plain_text;
mod progress;
mod reader;
mod reconcile;
mod registry;
mod repair;
mod state;

use crate::future::BoxFuture;
use serde_json::Value;

pub use arguments::Arguments;
pub(crate) use bind::{bind, shorten};
pub use cancellation::CancellationToken;
#[cfg(feature = "inventory")]
pub use collected::{Collected, collected_tools};
pub(crate) use constraint::Constraints;
pub use context::ToolContext;
pub(crate) use context::{ContextHost, TaskContext, outside_of_a_manager};
pub use definition::ToolDefinition;
pub use delivery::DeliveryPolicy;
pub use effect::{Background, Effect};
pub use error::{ToolError, ToolErrorKind};
pub use function::FunctionTool;
pub use future::{FutureArgument, TaskRef};
pub use inject::{FromToolContext, IdempotencyKey, Requirement};
pub use messages::Messages;
pub use options::ToolOptions;
pub use output::{ToolFailure, ToolOutput};
pub use progress::{Progress, ProgressReport};
pub use reconcile::{LostTask, Reconciled, Reconciler};
pub use registry::{RegistryError, ToolRegistry};
pub(crate) use registry::{TASK_TOOL, nearest};
pub use state::State;
pub(crate) use state::StateMap;

/// Something a model can call.
///
/// [`#[async_tool]`](crate::async_tool) makes one of a function; [`FunctionTool`] makes one of a closure. Implement the
/// trait where neither fits: for tools whose names are known only at run time, or that live in another process.
///
/// An implementation MUST return the same definition every time, and MUST NOT do the work in `bind`.
pub trait Tool: Send + Sync + 'static {
    /// The name, description and schemas of the tool.
    fn definition(&self) -> &ToolDefinition;

    /// How its calls are to be run.
    fn options(&self) -> &ToolOptions {
        ToolOptions::DEFAULT
    }

    /// What the host must have registered for the tool to work; checked when the manager is built.
    fn requirements(&self) -> &[Requirement] {
        &[]
    }

    /// Checks the arguments and gives back the call, ready to run. Called again for every attempt.
    ///
    /// # Errors
    ///
    /// [`ToolErrorKind::InvalidArguments`], with a message that says where, what was expected and what came.
    fn bind(&self, arguments: &Arguments) -> Result<BoundCall, ToolError>;
}

// `dyn Tool` must stay possible: the registry holds tools of many types.
const _: fn(&dyn Tool) = |_| {};

/// A call whose arguments have been checked, ready to run once.
pub struct BoundCall(pub(crate) Run);

/// How a call runs: on the async threads, or on the blocking pool.
pub(crate) enum Run {
    Async(Box<dyn FnOnce(ToolContext) -> BoxFuture<'static, Result<Value, ToolError>> + Send>),
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
            Run::Async(_) => "BoundCall::future(..)",
            Run::Blocking(_) => "BoundCall::blocking(..)",
        })
    }
}
