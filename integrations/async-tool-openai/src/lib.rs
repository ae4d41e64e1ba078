//! OpenAI Responses for [`async_tool_runtime`], with native asynchronous tool calls.
//!
//! [`OpenAiModel`] is a [`Model`](async_tool_runtime::Model). Models that know `"async": true`
//! ([guide](https://developers.openai.com/api/docs/guides/async-tool-calling)) leave their calls open and are given each result as the output of its own call; the life cycle that the
//! protocol lacks (cancellation, a cap, a TTL, recovery after a restart) is this crate's. Other models are answered at once and told results in
//! messages.
#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

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
