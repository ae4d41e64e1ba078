//! Means to test tools and agents without a language model.

mod context;
mod gates;
mod paused;
mod scripted;

pub use context::tool_context;
pub use gates::Gates;
pub use paused::run_paused;
pub use scripted::ScriptedModel;
