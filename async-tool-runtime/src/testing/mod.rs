//! Means to test tools and agents without a language model.

mod context;
mod scripted;

pub use context::tool_context;
pub use scripted::ScriptedModel;
