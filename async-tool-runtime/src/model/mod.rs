//! Language models, as the agent uses them.
//!
//! One method: a request goes in, a stream of events comes out. The runtime crate has no HTTP and knows no provider;
//! adapters are crates of their own.
//!
//! # Invariants
//!
//! 1. A turn is complete only when [`ModelEvent::Done`] came. A stream that ends without it has failed, however cleanly the
//!    connection was closed, and no tool with effects has been started for it.
//! 2. What a provider wants back unchanged (signatures, reasoning items) travels in `provider` fields and is not looked at.

mod capabilities;
mod error;
mod event;
mod language_model;
mod request;

pub use capabilities::Capabilities;
pub use error::ModelError;
pub use event::{ModelEvent, ModelStream, StopReason, TurnEnd, Usage};
pub use language_model::Model;
pub use request::ModelRequest;
