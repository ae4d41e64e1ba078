//! A thread with a channel.

use std::{
    io,
    sync::mpsc::{Receiver, Sender, channel},
    thread::{self, JoinHandle},
};

/// A thread that processes its channel. The drop waits until the thread has finished.
pub(crate) struct Worker<T> {
    queue: Option<Sender<T>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Worker<T> {
    /// Starts the thread. The channel that `run` receives closes when the worker is dropped.
    pub(crate) fn start(name: &str, run: impl FnOnce(Receiver<T>) + Send + 'static) -> io::Result<Self> {
        let (queue, received) = channel();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || run(received))?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    /// Sends an item. If the thread has ended, the item is dropped.
    pub(crate) fn send(&self, item: T) {
        if let Some(queue) = &self.queue {
            let _ = queue.send(item);
        }
    }
}

impl<T> Drop for Worker<T> {
    fn drop(&mut self) {
        self.queue = None;
        // An answer can wake a tokio task that drops the last handle on this thread itself, which must not wait for its
        // own end.
        if let Some(thread) = self
            .thread
            .take_if(|thread| thread.thread().id() != thread::current().id())
        {
            let _ = thread.join();
        }
    }
}
