//! Turn of the model. An adapter is user code: its panic fails the turn and not the session.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::Poll,
};

use futures_core::Stream;

use crate::model::{Model, ModelError, ModelEvent, ModelRequest, ModelStream};

/// Starts a turn.
pub(super) fn ask(model: &dyn Model, request: ModelRequest) -> ModelStream {
    catch_unwind(AssertUnwindSafe(|| model.generate(request))).unwrap_or_else(|_| ModelStream::failed(model_panicked()))
}

pub(super) async fn next_event(stream: &mut ModelStream) -> Option<Result<ModelEvent, ModelError>> {
    poll_fn(|cx| {
        catch_unwind(AssertUnwindSafe(|| Pin::new(&mut *stream).poll_next(cx)))
            .unwrap_or_else(|_| Poll::Ready(Some(Err(model_panicked()))))
    })
    .await
}

fn model_panicked() -> ModelError {
    ModelError::permanent("the model's adapter panicked")
}
