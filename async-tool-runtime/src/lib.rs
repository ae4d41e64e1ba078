//! Asynchronous tools for LLM agents.
//!
//! Every module below is private; what users name is here at the root.

mod agent;
mod backend;
mod broadcast;
mod clock;
mod context;
mod future;
mod journal;
mod manager;
mod model;
mod schema;
mod session;
mod task;
mod tool;

#[doc(hidden)]
pub mod __private;
#[cfg(any(test, feature = "testing"))]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;

pub use agent::{
    AckPolicy, AgentAction, AgentError, AgentEvent, AgentEventKind, AgentEventStream, AgentInput, AgentMachine,
    AgentPolicy, AgentState, AgentTask, AsyncAgent, AsyncAgentBuilder, FoldError, Ledger, RunError, StartError, Timer,
    TurnEvent, TurnNo, WakePolicy,
};
pub use async_tool_macros::async_tool;
pub use backend::{Backend, BackendCapabilities, BackendError, CancelMode, Executor, Settlement};
pub use clock::Timestamp;
pub use context::{Answer, AnswerContent, Message, Transcript};
pub use future::{BoxFuture, BoxStream};
pub use journal::{AppendError, Entry, Given, Journal, MemoryJournal, ReadError, Seq};
pub use manager::{AsyncToolManager, AsyncToolManagerBuilder, BuildError, ShutdownReport, SubmitError};
pub use model::{Model, ModelError, ModelEvent, ModelRequest, ModelStream, RulePlanner, StopReason, TurnEnd, Usage};
pub use session::SessionId;
pub use task::{
    AsyncTaskResult, CallId, EventStream, ParseTaskIdError, ParseTaskNoError, TaskAck, TaskEvent, TaskHandle, TaskId,
    TaskNo, TaskOutcome, TaskSnapshot, TaskSpec, TaskStatus, Timing, ToolCall,
};
pub use tool::{
    Background, BoundCall, CancellationToken, Effect, FromToolContext, FunctionTool, IdempotencyKey, RegistryError,
    Requirement, State, Tool, ToolContext, ToolDefinition, ToolError, ToolErrorKind, ToolFailure, ToolOptions,
    ToolOutput, ToolRegistry,
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
