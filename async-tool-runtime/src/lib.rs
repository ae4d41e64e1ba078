//! Asynchronous tools for LLM agents: annotate a function, and its calls run in the background.
//!
//! A model that calls a slow tool should not stand still. [`#[async_tool]`](async_tool) makes a tool of a plain function;
//! an [`AsyncToolManager`] runs its calls; an [`AsyncAgent`] acknowledges them to the model at once, lets it go on, and
//! gives it each result when it is ready, once, in whatever order results arrive.
//!
//! ```
//! use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner, async_tool, tools};
//!
//! /// Counts the words of a text.
//! #[async_tool(effect = "read")]
//! async fn count_words(
//!     /// The text to count in.
//!     text: String,
//! ) -> usize {
//!     text.split_whitespace().count()
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let manager = AsyncToolManager::builder().tools(tools![count_words]).build()?;
//! let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
//! agent.send(r#"count_words text="to be or not to be""#).await?;
//! agent.run_until_idle().await?;
//! # assert!(format!("{:?}", agent.transcript().await?).contains("count_words is done: 6"));
//! agent.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Where to look
//!
//! The root has the names of every program; the rest lies in modules.
//!
//! | module | for |
//! |---|---|
//! | [`guide`] | writing tools, from one line to methods with state |
//! | [`tool`] | tools with and without the macro: arguments, context, errors, options |
//! | [`schema`] | JSON Schema, in the dialect of each provider |
//! | [`task`] | tasks as data: ids, status, outcome, result, events |
//! | [`policy`] | settings that keep a tool in bounds: retries, rates, breakers, caches, consent |
//! | [`manager`] | running tools: [`AsyncToolManager`], handles, layers of the host's, numbers |
//! | [`agent`] | conversations: [`AsyncAgent`], its policies, events and limits |
//! | [`agent::custom`] | agents that have a loop of their own |
//! | [`agent::machine`] | the agent's decisions alone, without IO |
//! | [`model`] | the seam to language models; [`RulePlanner`] needs no key and no network |
//! | [`journal`] | the log of a session, and what reads it |
//! | [`context`] | conversations longer than a model's context |
//! | [`backend`] | running tasks elsewhere |
//!
//! # What it promises
//!
//! 1. Every accepted task ends exactly once, and its outcome reaches the conversation exactly once or is dropped for a
//!    recorded reason.
//! 2. The model is never told a result that doesn't exist: an acknowledgement says that there is none yet, and neither tool text nor the
//!    model's own can forge a result.
//! 3. One line per tool.
//!
//! # Runtime
//!
//! Tasks and agents run on tokio. Manager and agent need its timers: build the runtime with `enable_time` or `enable_all`.
//!
//! # Features
//!
//! - `cache`: tools keep their values, `cache(ttl = "5m")`. Off by default: three crates more.
//! - `metrics`: numbers of tasks through the [`metrics`](https://docs.rs/metrics) facade; see [Metrics](#metrics). Off by default.
//! - `inventory`: `collected_tools`, all tools of a program. Off by default: it runs code before `main`.
//! - `tokenizer`: `BpeTokens`, which counts tokens with a tokenizer. Off by default: some fourteen crates more, and 5 MB of vocabulary in the program.
//! - `testing`: the module `testing`, with what it takes to test an agent without a language model, in one order of events or in
//!   thousands. Off by default, and for tests only: it turns on tokio's `test-util`, with which clocks can be stopped.
//!
//! # Traces
//!
//! Each call is a span of [`tracing`](https://docs.rs/tracing) from when it is submitted to its end, inside of the span in which that was done, at level `info`.
//! It has the name and the attributes that OpenTelemetry's
//! [semantic conventions for GenAI](https://github.com/open-telemetry/semantic-conventions-genai) give to `execute_tool`, and `task`, its id:
//! `gen_ai.operation.name`, `gen_ai.tool.name`, `gen_ai.tool.type`, `gen_ai.tool.call.id`, `gen_ai.conversation.id`. Neither arguments
//! nor results are in it, and no description: a subscriber would format it again for every call. Of a call that ends with anything but a value, `error.type` is the [kind](ToolErrorKind) of its error (`cancelled` and `unknown` among
//! them), and the status is an error, wherever it ended: in the queue, by an abort, or with its runtime. `otel.name` and `otel.status_code` say the same to
//! `tracing-opentelemetry`. Tools that retry have a span for each attempt inside, and what a tool logs, on whatever thread it runs, is inside, too.
//!
//! # Metrics
//!
//! With the feature `metrics`, a manager tells these to the recorder that is installed. All have the label `tool`, which is empty for calls of tools
//! that there are not. [`AsyncToolManager::stats`] has the counts without it.
//!
//! | name | kind | what |
//! |---|---|---|
//! | `async_tool.task.queued.seconds` | histogram | from when a task was accepted to its first attempt, or to its end if there was none |
//! | `async_tool.task.running.seconds` | histogram | from its first attempt to its end |
//! | `async_tool.task.attempts` | histogram | how many attempts it took |
//! | `async_tool.tasks.settled` | counter | ends, also by `status`: `completed`, `failed` (or nobody can say), `cancelled` |
//! | `async_tool.tasks.rejected` | counter | calls that were refused |
//! | `async_tool.tasks.shared` | counter | calls that joined another one's run |
//! | `async_tool.task.retries` | counter | attempts beyond the first |
//! | `async_tool.breaker.open` | gauge | 1 from when a [breaker](policy::BreakerPolicy) opens until a probe has succeeded, so also while it is half-open; then 0 |
//! | `async_tool.breaker.refusals` | counter | calls that it turned away |
//! | `async_tool.cache.hits`, `async_tool.cache.misses` | counter | calls that were given a kept value, and those for which there was none |

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod agent;
pub mod backend;
mod broadcast;
mod clock;
pub mod context;
pub mod future;
mod id;
pub mod journal;
pub mod manager;
pub mod model;
mod planner;
pub mod policy;
pub mod schema;
mod session;
pub mod task;
pub mod tool;

#[doc(hidden)]
pub mod __private;
#[cfg(any(doc, doctest))]
pub mod guide;
#[cfg(any(test, feature = "testing"))]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;

/// The crates whose traits and types are in this one's signatures, in the versions that it has: a program that uses them by these names
/// needs no dependency of its own. Derives have to be told, as the guide shows under "Types of your own".
// Hidden, and a module, because serde exports std's types once more: rustc would find two ways to each, and write
// `std::string::String` in the errors of every program.
#[doc(hidden)]
pub mod crates {
    pub use {schemars, serde, serde_json};
}

pub use agent::{AgentEvent, AgentEventKind, AsyncAgent};
pub use async_tool_macros::{async_tool, async_tools};
pub use context::Message;
pub use journal::Journal;
pub use manager::{AsyncToolManager, TaskHandle};
pub use model::Model;
pub use planner::RulePlanner;
pub use task::{AsyncTaskResult, SessionId, TaskEvent, TaskId, TaskNo, TaskOutcome, TaskStatus};
pub use tool::{
    CancellationToken, Effect, FunctionTool, Tool, ToolCall, ToolContext, ToolDefinition, ToolError, ToolErrorKind,
};

/// Collects tools made by `#[async_tool]`: `tools![research_topic, files::count_lines]`.
///
/// Gives a `Vec<Arc<dyn Tool>>` for [`AsyncToolManagerBuilder::tools`](manager::AsyncToolManagerBuilder::tools).
#[macro_export]
macro_rules! tools {
    ($($tool:path),* $(,)?) => {
        ::std::vec::Vec::<::std::sync::Arc<dyn $crate::Tool>>::from([$(::std::sync::Arc::new(<$tool>::tool()) as _),*])
    };
}

/// The first example of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
