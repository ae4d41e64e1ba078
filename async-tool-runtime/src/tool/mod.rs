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
mod bound;
mod call;
mod cancellation;
#[cfg(feature = "inventory")]
mod collected;
mod constraint;
mod context;
mod definition;
mod effect;
mod error;
mod function;
mod idempotency_key;
mod inject;
mod messages;
mod nearest;
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
mod state;
mod state_map;
#[expect(clippy::module_inception, reason = "it is the folder's own noun")]
mod tool;

pub use arguments::Arguments;
pub use bound::BoundCall;
pub use call::{CallId, ToolCall};
pub use cancellation::CancellationToken;
#[cfg(feature = "inventory")]
pub use collected::{Collected, collected_tools};
pub use context::ToolContext;
pub(crate) use context::{ContextHost, TaskContext, outside_of_a_manager};
pub use definition::ToolDefinition;
pub use effect::{Background, Effect};
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
pub use tool::Tool;

pub(crate) use bind::bind;
pub(crate) use bound::Run;
pub(crate) use constraint::Constraints;
pub(crate) use nearest::nearest;
pub(crate) use options::check_argument;
pub(crate) use refusal::{describe, refuse, shorten};
pub(crate) use registry::TASK_TOOL;
pub(crate) use state_map::StateMap;
