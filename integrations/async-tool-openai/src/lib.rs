//! OpenAI Responses for [`async_tool_runtime`], with native asynchronous tool calls.
//!
//! [`OpenAiModel`] is a [`Model`](async_tool_runtime::Model). Models that know `"async": true`
//! ([guide](https://developers.openai.com/api/docs/guides/async-tool-calling)) leave their calls open and are given each result as the output of its own call; the life cycle that the
//! protocol lacks (cancellation, a cap, a TTL, recovery after a restart) is this crate's. Other models are answered at once and told results in
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
//! The crate's README shows what becomes of a call, case by case.

mod builder;
mod failure;
mod lowering;
mod model;
mod request;
mod timeouts;
mod transport;
mod turn;

pub use builder::{BuildError, OpenAiModelBuilder};
pub use model::OpenAiModel;
pub use timeouts::Timeouts;

/// The example of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
