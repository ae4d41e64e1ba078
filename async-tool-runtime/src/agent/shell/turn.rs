//! Turn of the model. An adapter is user code: its panic fails the turn and not the session.

use std::{future::poll_fn, pin::Pin, task::Poll};

use futures_core::Stream;
use tracing::Span;

use super::spans::record_names;
use crate::{
    model::{Model, ModelError, ModelEvent, ModelRequest, ModelStream},
    unwind::{self, Guarded},
};

const PART: &str = "the model's adapter";

/// Starts a turn. The names of the model go into its span.
pub(super) fn ask(model: &dyn Model, request: ModelRequest, span: &Span) -> ModelStream {
    let ask = || {
        record_names(span, model);
        model.generate(request)
    };
    unwind::call(PART, ask).unwrap_or_else(|_| ModelStream::failed(model_panicked()))
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
