#![doc = include_str!("../README.md")]

mod assembly;
mod blocks;
mod builder;
mod failure;
mod frames;
mod json_mode;
mod lower;
mod model;
mod plain;
mod provider;
mod secret;
mod timeouts;

pub use builder::{BuildError, GenaiModelBuilder, ToolMode};
pub use model::GenaiModel;
pub use provider::{Provider, UnknownProvider};
pub use timeouts::Timeouts;
