//! Agents that have a loop of their own, such as another framework's agent.
//!
//! [`AsyncAgent::wrap`](crate::AsyncAgent::wrap) makes any [`Agent`] asynchronous:
//!
//! ```
//! use async_tool_runtime::{
//!     agent::custom::{Agent, TurnContext, TurnInput, TurnReply},
//!     async_tool, model::ModelError, tools, AsyncAgent, AsyncToolManager,
//! };
//! use serde_json::json;
//!
//! /// Looks up the weather.
//! #[async_tool(effect = "read")]
//! async fn weather(city: String) -> String {
//!     format!("rain in {city}")
//! }
//!
//! struct Reporter;
//!
//! impl Agent for Reporter {
//!     type Error = ModelError;
//!
//!     async fn turn(&mut self, input: TurnInput, cx: TurnContext) -> Result<TurnReply, ModelError> {
//!         if !input.user_text().is_empty() {
//!             cx.call("weather", json!({"city": input.user_text()}))?;
//!         }
//!         Ok(input.results().map(|result| format!("news: {:?}", result.outcome.value())).collect::<String>().into())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let manager = AsyncToolManager::builder().tools(tools![weather]).build()?;
//! let agent = AsyncAgent::wrap(Reporter, manager).start().await?;
//! assert!(agent.run_to_completion("Oslo").await?.text.contains("rain in Oslo"));
//! # agent.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`Agent`] lists the guarantees.

mod turn_context;
mod turn_input;
mod turn_mark;
mod whole;

pub use turn_context::{CallReceipt, TurnContext, TurnOverError, TurnReply};
pub use turn_input::{TurnInput, TurnItem};
pub(super) use turn_mark::is_of_agent;
pub use whole::{Agent, Transactional, WholeAgent};
