//! Tools: definitions, arguments, context, results and errors.
//!
//! A tool is a function with a name, a description and a schema of its arguments. [`#[async_tool]`](crate::async_tool) makes one of a
//! function, [`FunctionTool`] one of a closure, and [`Tool`] is the trait behind both.
//!
//! ```
//! use async_tool_runtime::{async_tool, tool::Arguments, Tool};
//! use serde_json::json;
//!
//! /// Greets a person.
//! #[async_tool(effect = "read")]
//! fn greet(
//!     /// The person's name.
//!     name: String,
//! ) -> String {
//!     format!("Hello, {name}!")
//! }
//!
//! let tool = greet::tool();
//! assert_eq!(&*tool.definition().name, "greet");
//! assert_eq!(tool.definition().input_schema["required"], json!(["name"]));
//!
//! let error = tool.bind(&Arguments::from(json!({"nme": "Ada"}))).unwrap_err();
//! assert!(error.model_message().ends_with("unknown field `nme`, expected `name`; did you mean `name`?"));
//! ```
//!
//! # Invariants
//!
//! 1. Arguments are bound before any code of the tool runs. Arguments that don't fit are an error for the model. No tool sees a value that
//!    its types or its schema forbid, and no default replaces a wrong value.
//! 2. A definition is built once and shared by pointer, because providers cache prompts by their bytes.
//! 3. Values from the host are marked `#[inject]` and never appear in a schema, so a model can't write them.
//! 4. An `Err` always reaches the model as an error. A `Result` is never serialised whole, because `{"Err": …}` reads like an
//!    answer.
//! 5. A value that JSON can't express is an error and never `null`. A value too deep to be read back from a journal is an error, too.
//!
//! Deliberately absent: when and where a tool runs (`manager/`), and the form of a definition on a provider's wire (the adapters).

mod aliases;
mod alternative;
mod arguments;
mod bind;
mod bound;
mod call;
mod cancellation;
mod checkpoint;
#[cfg(feature = "inventory")]
mod collected;
mod constraint;
mod context;
mod culprit;
mod definition;
mod duration;
mod effect;
mod error;
mod fault;
pub(crate) mod flattened;
mod function;
mod idempotency_key;
mod inject;
mod messages;
mod misfit;
mod nearest;
mod nesting;
mod options;
pub(crate) mod output;
mod plain_text;
mod progress;
mod reader;
mod reconcile;
mod refusal;
mod registry;
mod repair;
mod report;
mod request;
mod shown;
mod state;
mod state_map;
mod task_tool;
#[expect(clippy::module_inception, reason = "it is the folder's own noun")]
mod tool;
mod variants;
mod writer;
pub(crate) mod written;

pub use arguments::Arguments;
pub use bound::BoundCall;
pub use call::{CallId, ToolCall};
pub use cancellation::CancellationToken;
#[cfg(feature = "inventory")]
pub use collected::{Collected, collected_tools};
pub use context::ToolContext;
pub(crate) use context::{ContextHost, TaskContext, outside_of_a_manager, overdue};
pub use definition::ToolDefinition;
pub use effect::{Background, Effect, McpTasks};
pub use error::{ToolError, ToolErrorKind};
pub use function::FunctionTool;
pub use idempotency_key::IdempotencyKey;
pub use inject::{FromToolContext, Requirement};
pub use messages::Messages;
pub use options::{
    Approval, BreakerPolicy, CachePolicy, Dedupe, DeliveryPolicy, Embedder, Priority, RateLimit, ResourceArgument,
    RetryPolicy, Scope, SemanticCache, ToolOptions,
};
pub use output::{ToolFailure, ToolOutput};
pub use progress::Progress;
pub use reconcile::{LostTask, Reconciled, Reconciler};
pub use registry::{RegistryError, ToolRegistry};
pub use report::ProgressReport;
pub use request::InputRequest;
pub use state::State;
pub use task_tool::TaskTool;
pub use tool::{IntoTool, Tool};

pub(crate) use aliases::Aliases;
pub(crate) use bind::bind;
pub(crate) use bound::Run;
pub(crate) use constraint::Constraints;
pub(crate) use nearest::nearest;
pub(crate) use nesting::{deep_result, is_too_deep, too_deep};
pub(crate) use options::check_argument;
pub(crate) use refusal::{describe, refuse, shorten};
pub(crate) use repair::repair;
pub(crate) use state_map::StateMap;
pub(crate) use task_tool::TASK_TOOL;
pub(crate) use variants::restore_order;
pub(crate) use writer::to_json;
