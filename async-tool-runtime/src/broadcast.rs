//! A broadcast channel as a stream.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::future::BoxFuture;

/// Next item of a broadcast channel, or a gap.
pub(crate) enum Received<T> {
    Item(T),
    /// Number of items that were overwritten before they were read.
    Missed(u64),
}

/// Stream over a broadcast channel.
///
/// tokio's receiver can't be polled, so the stream keeps the future of its `recv`. That also makes `next` cancel safe.
pub(crate) struct BroadcastStream<T>(BoxFuture<'static, (Result<T, RecvError>, Receiver<T>)>);

impl<T: Clone + Send + 'static> BroadcastStream<T> {
    pub(crate) fn new(receiver: Receiver<T>) -> Self {
        Self(Box::pin(receive(receiver)))
    }
}

impl<T: Clone + Send + 'static> Stream for BroadcastStream<T> {
    type Item = Received<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Received<T>>> {
        let (received, receiver) = ready!(self.0.as_mut().poll(cx));
        self.0 = Box::pin(receive(receiver));
        Poll::Ready(match received {
            Ok(item) => Some(Received::Item(item)),
            Err(RecvError::Lagged(missed)) => Some(Received::Missed(missed)),
            Err(RecvError::Closed) => None,
        })
    }
}

impl<T> fmt::Debug for BroadcastStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BroadcastStream(..)")
    }
}

async fn receive<T: Clone>(mut receiver: Receiver<T>) -> (Result<T, RecvError>, Receiver<T>) {
    (receiver.recv().await, receiver)
}

/// Waits for the next item of a stream.
pub(crate) async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx)).await
}
