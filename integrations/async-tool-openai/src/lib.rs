//! OpenAI Responses for [`async_tool_runtime`], with native asynchronous tool calls.
//!
//! [`OpenAiModel`] is a [`Model`](async_tool_runtime::Model). Models with native asynchronous calls, declared as
//! `"async": true` ([guide](https://developers.openai.com/api/docs/guides/async-tool-calling)), leave their calls open
//! and get each result as the output of its own call. This crate adds the life cycle that the protocol lacks:
//! cancellation, a cap, a TTL, recovery after a restart. Other models get each answer at once, and late results in
//! messages.
//!
//! ```no_run
//! use async_tool_openai::OpenAiModel;
//! use async_tool_runtime::{AsyncAgent, AsyncToolManager};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let model = OpenAiModel::builder("gpt-6-astra").build()?; // the key is in OPENAI_API_KEY
//! let agent = AsyncAgent::builder(model, AsyncToolManager::builder().build()?).start().await?;
//! # Ok(())
//! # }
//! ```
//!
//! The crate's README lists the life cycle of a call, case by case.

mod builder;
mod failure;
mod lowering;
mod model;
mod names;
mod request;
mod timeouts;
mod transport;
mod turn;

pub use builder::{BuildError, OpenAiModelBuilder};
pub use model::OpenAiModel;
pub use timeouts::Timeouts;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
