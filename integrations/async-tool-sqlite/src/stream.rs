//! Streams of rows, in bounded memory.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use async_tool_runtime::journal::ReadError;
use futures_core::Stream;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::{StoreError, journal::Shared};

/// Some items, and the position after them.
#[derive(Debug)]
pub(crate) struct Piece<C, T> {
    pub(crate) items: VecDeque<Result<T, StoreError>>,
    pub(crate) next: Option<C>,
}

impl<C, T> Default for Piece<C, T> {
    /// The end of the stream.
    fn default() -> Self {
        Self {
            items: VecDeque::new(),
            next: None,
        }
    }
}

impl<C, T> Piece<C, T> {
    /// Drops all items after the first error.
    pub(crate) fn until_error(mut self) -> Self {
        if let Some(failed) = self.items.iter().position(Result::is_err) {
            self.items.truncate(failed + 1);
            self.next = None;
        }
        self
    }

    /// A last piece that consists of an error.
    pub(crate) fn failed(error: impl Into<StoreError>) -> Self {
        Self {
            items: VecDeque::from([Err(error.into())]),
            next: None,
        }
    }
}

/// Stream of pieces from the reader. It reads one piece ahead, so at most two are in memory.
pub(crate) struct Pieces<C, T> {
    shared: Arc<Shared>,
    read: fn(&Connection, C) -> Piece<C, T>,
    start: Option<C>,
    asked: Option<oneshot::Receiver<Piece<C, T>>>,
    items: VecDeque<Result<T, StoreError>>,
}

impl<C, T> Pieces<C, T> {
    pub(crate) fn new(shared: &Arc<Shared>, start: C, read: fn(&Connection, C) -> Piece<C, T>) -> Self {
        Self {
            shared: Arc::clone(shared),
            read,
            start: Some(start),
            asked: None,
            items: VecDeque::new(),
        }
    }
}

impl<C: Send + 'static, T: Send + 'static> Pieces<C, T> {
    fn ask(&self, from: C) -> oneshot::Receiver<Piece<C, T>> {
        let read = self.read;
        self.shared.reader().ask(move |connection| read(connection, from))
    }
}

impl<C: Send + Unpin + 'static, T: Send + Unpin + 'static> Stream for Pieces<C, T> {
    type Item = Result<T, ReadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Poll::Ready(Some(item.map_err(ReadError::from)));
            }
            if let Some(asked) = &mut self.asked {
                let piece = ready!(Pin::new(asked).poll(cx));
                let piece = piece.unwrap_or_else(|_| Piece::failed(StoreError::Stopped));
                self.items = piece.items;
                // The next piece is read while the caller takes this one.
                self.asked = piece.next.map(|next| self.ask(next));
            } else if let Some(start) = self.start.take() {
                self.asked = Some(self.ask(start));
            } else {
                return Poll::Ready(None);
            }
        }
    }
}
