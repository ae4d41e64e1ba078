#![doc = include_str!("../README.md")]

mod answer;
mod assembly;
mod blocks;
mod builder;
mod connection;
mod effort;
mod embedder;
mod failure;
mod frames;
mod json_mode;
mod lower;
mod media;
mod model;
mod provider;
mod request;
mod secret;
mod timeouts;
mod told;
mod transport;
mod wire;

pub use builder::{BuildError, GenaiModelBuilder, ToolMode};
pub use embedder::{GenaiEmbedder, GenaiEmbedderBuilder};
pub use model::GenaiModel;
pub use provider::{Provider, UnknownProvider};
pub use timeouts::Timeouts;
