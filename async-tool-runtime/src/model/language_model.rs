//! The trait of all models.

use super::{Capabilities, ModelRequest, ModelStream};

/// A language model, or anything that can act as one.
///
/// An implementation MUST end its stream with [`ModelEvent::Done`](super::ModelEvent::Done) or an error, MUST give a call only when it is complete,
/// and SHOULD give text as it comes. Dropping the stream aborts the turn.
pub trait Model: Send + Sync + 'static {
    /// Starts one turn.
    fn generate(&self, request: ModelRequest) -> ModelStream;

    /// Capabilities of the provider. An agent asks for them when it starts, and they must stay the same.
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
