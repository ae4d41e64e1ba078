//! The reader thread, with a connection that can't write.

use std::io;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::{StoreError, worker::Worker};

type Query = Box<dyn FnOnce(&Connection) + Send>;

/// Runs short queries one after another, so that many long sessions are read in turns, page by page.
pub(crate) struct Reader(Worker<Query>);

impl Reader {
    pub(crate) fn start(connection: Connection) -> io::Result<Self> {
        let worker = Worker::start("async-tool-sqlite-read", move |queries| {
            queries.into_iter().for_each(|query: Query| query(&connection));
        });
        Ok(Self(worker?))
    }

    /// Runs `query` on the reader thread. A query whose caller is gone is skipped.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Box::new(move |connection| {
            if !reply.is_closed() {
                let _ = reply.send(query(connection));
            }
        }));
        answer
    }

    /// Like [`ask`](Self::ask), for a query that may fail.
    pub(crate) async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.ask(query).await.map_err(|_| StoreError::Stopped)?
    }
}
