//! Asynchronous tools for LLM agents: annotate a function, and its calls run in the background.
//!
//! A model that calls a slow tool should not have to wait for it.
//!
//! - [`#[async_tool]`](async_tool) makes a tool of a plain function.
//! - An [`AsyncToolManager`] runs the calls of tools in the background.
//! - An [`AsyncAgent`] acknowledges slow calls to the model, so that the model can go on. It delivers each result once, when it is ready, in any
//!   order.
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
//! # Find your way
//!
//! The names that every program needs are at the root; the others are in modules.
//!
//! | module | content |
//! |---|---|
//! | [`ways_in`] | ways to use the library: one call, a manager alone, a loop or client of your own, rig, a whole agent |
//! | [`web_service`] | a web service with an agent for each session: the whole program |
//! | [`operating`] | operating a service: deploys, capacity, limits, memory, logs |
//! | [`costs`] | model calls and tokens of work in the background, and how to save them |
//! | [`logs`] | log lines, spans and traces: targets, levels, and what is left out |
//! | [`guide`] | how to write tools, from one line to methods with state |
//! | [`steering`] | the `task` tool of the model: its actions, arguments and answers |
//! | [`tool`] | tools with and without the macro: arguments, context, errors, options |
//! | [`schema`] | JSON Schema, in the dialect of each provider |
//! | [`task`] | tasks (executions of calls) as data: ids, status, outcome, result, events |
//! | [`policy`] | settings that keep a tool in bounds: retries, rates, breakers, caches, approval |
//! | [`manager`] | execution of calls: [`AsyncToolManager`], handles, layers of the host, counts |
//! | [`agent`] | conversations: [`AsyncAgent`], its policies, events and limits |
//! | [`agent::custom`] | agents that have a loop of their own |
//! | [`agent::machine`] | the agent's decisions alone, without I/O |
//! | [`model`] | interface to language models; [`RulePlanner`] needs no key and no network |
//! | [`content`] | text with images, sounds and files, in messages and results |
//! | [`wording`] | the texts of the library that a model reads, and how to change them |
//! | [`journal`] | the log of a session (one conversation), for recovery, replay and audit |
//! | [`context`] | the conversation as the model sees it, and pruning to the model's context |
//! | [`backend`] | interface to engines that run tasks in other processes |
//! | [`future`] | the boxed future in the signatures of traits |
//! | `testing` | tests of agents without a language model (feature `testing`) |
//!
//! # Guarantees
//!
//! 1. Every accepted task ends exactly once. Its outcome reaches the conversation exactly once, or is dropped for a recorded reason.
//! 2. The model is never told a result that doesn't exist. An acknowledgement says that there is no result yet, and neither a tool's text nor the
//!    model's own text can forge a result.
//!
//! # Runtime
//!
//! Tasks and agents run on tokio. Manager and agent need its timers: build the runtime with `enable_time` or `enable_all`.
//!
//! # Features
//!
//! All features are off by default.
//!
//! | feature | adds | cost |
//! |---|---|---|
//! | `cache` | cached values of tools: `cache(ttl = "5m")` | three more crates |
//! | `metrics` | metrics of tasks through the [`metrics`](https://docs.rs/metrics) facade, see [Metrics](#metrics) | |
//! | `inventory` | `collected_tools`, which returns all tools of a program | code that runs before `main` |
//! | `tokenizer` | `BpeTokens`, which counts tokens with a tokenizer | some twelve more crates, and 5 MB of vocabulary in the program |
//! | `testing` | the module `testing`: tests of agents without a language model, in one order of events or in thousands | for tests only: turns on tokio's `test-util`, with which a clock can be paused |
//! | `arrayvec`, `bigdecimal`, `bytes`, `chrono`, `either`, `indexmap`, `jiff`, `rust_decimal`, `semver`, `smallvec`, `smol_str`, `url`, `uuid` | types of the crate of that name as arguments and results, see [the guide](guide#take-types-of-other-crates) | that crate |
//!
//! # Logs and traces
//!
//! Each task's end, each session's begin and end, and each failure is a line of [`tracing`](https://docs.rs/tracing); turns and calls are spans.
//! The page [Logs and traces](logs) has the targets, the levels and an example.
//!
//! # Metrics
//!
//! With the feature `metrics`, a manager reports these metrics to the installed recorder. Each has the label `tool`, which is empty for calls of
//! unknown tools. [`AsyncToolManager::stats`] has the counts without the feature.
//!
//! | name | kind | meaning |
//! |---|---|---|
//! | `async_tool.task.queued.seconds` | histogram | time from a task's acceptance to its first attempt, or to its end if it had none |
//! | `async_tool.task.running.seconds` | histogram | time from a task's first attempt to its end |
//! | `async_tool.task.attempts` | histogram | number of attempts of a task |
//! | `async_tool.tasks.settled` | counter | ended tasks; label `status`: `completed`, `failed` (also an unknown outcome), `cancelled` |
//! | `async_tool.tasks.rejected` | counter | refused calls |
//! | `async_tool.tasks.shared` | counter | calls that joined the run of another call |
//! | `async_tool.task.retries` | counter | attempts after the first |
//! | `async_tool.breaker.open` | gauge | 1 from the opening of a [breaker](policy::BreakerPolicy) until a probe succeeds, also while the breaker is half-open; then 0 |
//! | `async_tool.breaker.refusals` | counter | calls that a breaker refused |
//! | `async_tool.cache.hits`, `async_tool.cache.misses` | counter | calls that got a cached value, and calls for which the cache had none |
//!
//! Managers and agents also report metrics with the names and labels of OpenTelemetry's [conventions for GenAI](https://github.com/open-telemetry/semantic-conventions-genai),
//! as of 0.1.0. The durations are those of the [spans](logs#spans). Each has the label `gen_ai.operation.name`.
//!
//! | name | kind | meaning | further labels |
//! |---|---|---|---|
//! | `gen_ai.execute_tool.duration` | histogram | seconds from a call's acceptance to its end | `gen_ai.tool.name`, `gen_ai.tool.type`; `error.type` if it failed |
//! | `gen_ai.client.operation.duration` | histogram | seconds of a turn of the model | `gen_ai.provider.name` and `gen_ai.request.model` if the model has them; `error.type` if it failed |
//! | `gen_ai.client.inference.usage.input_tokens`, `.output_tokens`, `.cache_read.input_tokens`, `.reasoning.output_tokens` | counter | tokens of turns; the last two are parts of the first two | as of a turn, without `error.type`; `gen_ai.token.modality`, which is `unknown` |
//! | `gen_ai.invoke_agent.duration` | histogram | seconds of the turns since a message or a result woke an agent | |

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod agent;
pub mod backend;
mod broadcast;
mod clock;
pub mod content;
pub mod context;
#[cfg(any(doc, doctest))]
pub mod costs;
pub mod future;
mod id;
pub mod journal;
pub mod manager;
pub mod model;
#[cfg(any(doc, doctest))]
pub mod operating;
mod planner;
pub mod policy;
pub mod schema;
mod session;
#[cfg(any(doc, doctest))]
pub mod steering;
pub mod task;
pub mod tool;
mod unwind;
#[cfg(any(doc, doctest))]
pub mod ways_in;
#[cfg(any(doc, doctest))]
pub mod web_service;
pub mod wording;

#[doc(hidden)]
pub mod __private;
#[cfg(any(doc, doctest))]
pub mod guide;
#[cfg(any(doc, doctest))]
pub mod logs;
#[cfg(any(test, feature = "testing"))]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;

/// Crates whose traits and types are in the signatures of this one, in the same versions. A program that uses these names needs no
/// dependency of its own; the guide shows the attributes for derives under "Take types of your own".
// Hidden, and a module, because serde reexports types of std. Otherwise rustc would find two paths to each, and write
// `std::string::String` in the errors of every program.
#[doc(hidden)]
pub mod crates {
    pub use {schemars, serde, serde_json};
}

pub use agent::{AgentEvent, AgentEventKind, AgentRegistry, AsyncAgent, run};
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

/// Collects tools: `tools![research_topic, files::count_lines]`, each by the path of its function, or as an expression for a tool that is
/// set up on the spot.
///
/// Returns a `Vec<Arc<dyn Tool>>` for [`AsyncToolManagerBuilder::tools`](manager::AsyncToolManagerBuilder::tools) and [`run`](agent::run).
///
/// If rustc says `expected type, found function`, the function lacks [`#[async_tool]`](macro@async_tool).
///
/// ```
/// use async_tool_runtime::{Tool, async_tool, tools};
/// use std::time::Duration;
///
/// /// Adds one.
/// #[async_tool(effect = "read")]
/// fn add_one(number: i64) -> i64 {
///     number + 1
/// }
///
/// let tools = tools![add_one, add_one::tool().name("add_slowly").timeout(Duration::from_secs(60))];
/// assert_eq!(&*tools[1].definition().name, "add_slowly");
/// ```
#[macro_export]
macro_rules! tools {
    ($($tool:path),* $(,)?) => {
        ::std::vec::Vec::<::std::sync::Arc<dyn $crate::Tool>>::from([$(::std::sync::Arc::new(<$tool>::tool()) as _),*])
    };
    // The rules with `@` read one tool at a time. A path comes before an expression, which would take it too.
    (@each [$($done:expr,)*]) => {
        ::std::vec::Vec::<::std::sync::Arc<dyn $crate::Tool>>::from([$($done),*])
    };
    (@each [$($done:expr,)*] $tool:path $(, $($rest:tt)*)?) => {
        $crate::tools!(@each [$($done,)* ::std::sync::Arc::new(<$tool>::tool()) as ::std::sync::Arc<dyn $crate::Tool>,] $($($rest)*)?)
    };
    (@each [$($done:expr,)*] $tool:expr $(, $($rest:tt)*)?) => {
        $crate::tools!(@each [$($done,)* ::core::convert::Into::<::std::sync::Arc<dyn $crate::Tool>>::into($tool),] $($($rest)*)?)
    };
    ($($tools:tt)+) => {
        $crate::tools!(@each [] $($tools)+)
    };
}

/// The first example of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
