//! Means to test an agent without a language model.

mod scripted;

pub use scripted::ScriptedModel;
