//! What the agent asks of a language model.
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
mod planner;
mod request;

pub use capabilities::Capabilities;
pub use error::ModelError;
pub use event::{ModelEvent, ModelStream, StopReason, TurnEnd, Usage};
pub use planner::RulePlanner;
pub use request::ModelRequest;

/// A language model, or anything that can act as one.
///
/// An implementation MUST end its stream with [`ModelEvent::Done`] or an error, MUST give a call only when it is complete,
/// and SHOULD give text as it comes. Dropping the stream aborts the turn.
pub trait Model: Send + Sync + 'static {
    /// Starts one turn.
    fn generate(&self, request: ModelRequest) -> ModelStream;

    /// What the agent has to know of the provider. It is asked when an agent starts, and the answer must stay the same.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
}

// `dyn Model` must stay possible: an agent holds one of any kind.
const _: fn(&dyn Model) = |_| {};

impl<M: Model + ?Sized> Model for std::sync::Arc<M> {
    fn generate(&self, request: ModelRequest) -> ModelStream {
        (**self).generate(request)
    }

    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }
}
