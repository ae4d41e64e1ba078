//! Turn of the model. An adapter is user code: its panic fails the turn and not the session.

use std::{future::poll_fn, pin::Pin, task::Poll};

use futures_core::Stream;

use super::{measured::measured, spans::Names};
use crate::{
    model::{Model, ModelError, ModelEvent, ModelRequest, ModelStream},
    unwind::{self, Guarded, Panicked},
};

const PART: &str = "the model's adapter";

/// Names of a model; an error if it panics.
pub(super) fn names(model: &dyn Model) -> Result<Names<'_>, Panicked> {
    unwind::call(PART, || Names {
        provider: model.provider(),
        model: model.name(),
    })
}

/// Starts a turn. A model whose names panicked is not asked.
pub(super) fn ask(model: &dyn Model, request: ModelRequest, names: Result<Names<'_>, Panicked>) -> ModelStream {
    names
        .and_then(|_| unwind::call(PART, || measured(model, || model.generate(request))))
        .unwrap_or_else(|_| ModelStream::failed(model_panicked()))
}

/// Contains panics of the stream's `Drop`.
pub(super) const fn guard(stream: ModelStream) -> Guarded<ModelStream> {
    Guarded::new(PART, stream)
}

pub(super) async fn next_event(stream: &mut Guarded<ModelStream>) -> Option<Result<ModelEvent, ModelError>> {
    poll_fn(|cx| {
        unwind::call(PART, || Pin::new(stream.get()).poll_next(cx))
            .unwrap_or_else(|_| Poll::Ready(Some(Err(model_panicked()))))
    })
    .await
}

fn model_panicked() -> ModelError {
    // The panic's message may quote the conversation, and this text gets into the journal.
    ModelError::permanent("the model's adapter panicked")
}
