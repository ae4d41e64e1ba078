//! Asynchronous tools for LLM agents.
//!
//! Every module below is private; what users name is here at the root.

mod backend;
mod clock;
mod future;
mod manager;
mod schema;
mod session;
mod task;
mod tool;

#[doc(hidden)]
pub mod __private;

pub use async_tool_macros::async_tool;
pub use backend::{Backend, BackendCapabilities, BackendError, CancelMode, Executor, Settlement};
pub use clock::Timestamp;
pub use future::{BoxFuture, BoxStream};
pub use manager::{AsyncToolManager, AsyncToolManagerBuilder, BuildError, ShutdownReport, SubmitError};
pub use session::SessionId;
pub use task::{
    AsyncTaskResult, CallId, EventStream, ParseTaskIdError, ParseTaskNoError, TaskAck, TaskEvent, TaskHandle, TaskId, TaskNo,
    TaskOutcome, TaskSnapshot, TaskSpec, TaskStatus, Timing, ToolCall,
};
pub use tool::{
    Background, BoundCall, CancellationToken, Effect, FromToolContext, FunctionTool, IdempotencyKey, RegistryError, Requirement,
    State, Tool, ToolContext, ToolDefinition, ToolError, ToolErrorKind, ToolFailure, ToolOptions, ToolOutput, ToolRegistry,
};

/// Collects tools made by `#[async_tool]`: `tools![research_topic, files::count_lines]`.
///
/// Gives a `Vec<Arc<dyn Tool>>` for [`AsyncToolManagerBuilder::tools`].
#[macro_export]
macro_rules! tools {
    ($($tool:path),* $(,)?) => {
        ::std::vec::Vec::<::std::sync::Arc<dyn $crate::Tool>>::from([$(::std::sync::Arc::new(<$tool>::tool()) as _),*])
    };
}
