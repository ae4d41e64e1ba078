//! A thread with a queue.

use std::{
    io,
    sync::mpsc::{Receiver, Sender, channel},
    thread::{self, JoinHandle},
};

/// A thread that works off what it is sent. Dropped, it lets the thread finish, and waits for it.
pub(crate) struct Worker<T> {
    queue: Option<Sender<T>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Worker<T> {
    /// Starts the thread. The queue that `run` is given ends when the worker is dropped.
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

    /// Adds to the queue. What is sent to a thread that has ended is dropped.
    pub(crate) fn send(&self, item: T) {
        if let Some(queue) = &self.queue {
            let _ = queue.send(item);
        }
    }
}

impl<T> Drop for Worker<T> {
    fn drop(&mut self) {
        self.queue = None;
        // An answer can wake a task whose end drops the last handle: then this is the thread itself, and it ends without being waited for.
        if let Some(thread) = self
            .thread
            .take_if(|thread| thread.thread().id() != thread::current().id())
        {
            let _ = thread.join();
        }
    }
}
