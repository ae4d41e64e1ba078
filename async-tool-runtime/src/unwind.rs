//! Panics of the host's code, caught where it is called: a panic ends one operation, and not the session or the task
//! that called it.

use std::{
    any::Any,
    error::Error,
    fmt,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::Poll,
};

use crate::future::BoxFuture;

/// Panic of a part of the host's code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Panicked {
    part: &'static str,
    text: String,
}

impl Panicked {
    #[expect(clippy::mem_forget, reason = "a payload whose drop panics again must not be dropped")]
    fn new(part: &'static str, panic: Box<dyn Any + Send>) -> Self {
        let text = text_of(&*panic).to_owned();
        // The payload is the host's too, and may panic when it is dropped.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
            std::mem::forget(again);
        }
        Self { part, text }
    }

    /// Part of the host's code that panicked. For the log: the text may quote a conversation, and Rust's panic hook writes it to stderr.
    pub(crate) const fn part(&self) -> &'static str {
        self.part
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} panicked: {}", self.part, self.text)
    }
}

impl Error for Panicked {}

/// Message of a panic.
pub(crate) fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a value that is no text")
}

/// Calls a part of the host's code.
///
/// # Errors
///
/// [`Panicked`] if it panics.
pub(crate) fn call<T>(part: &'static str, run: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| Panicked::new(part, panic))
}

/// Makes a future by the host's code, and waits for it. Cancel safe if the future is.
///
/// # Errors
///
/// [`Panicked`] if the future panics, or the code that makes it. A panic of its `Drop` is logged.
pub(crate) async fn finish<'a, T>(part: &'static str, start: impl FnOnce() -> BoxFuture<'a, T>) -> Result<T, Panicked> {
    let mut future = Guarded::new(part, call(part, start)?);
    contain(part, Pin::new(future.get())).await
}

/// Waits for a future that calls the host's code somewhere.
///
/// # Errors
///
/// [`Panicked`] if it panics. The future must not be polled again.
pub(crate) async fn contain<F: Future>(part: &'static str, mut future: Pin<&mut F>) -> Result<F::Output, Panicked> {
    poll_fn(|cx| match call(part, || future.as_mut().poll(cx)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

/// Value of the host, whose `Drop` may panic: such a panic is logged.
pub(crate) struct Guarded<T> {
    part: &'static str,
    // `None` only while it is dropped.
    value: Option<T>,
}

impl<T> Guarded<T> {
    pub(crate) const fn new(part: &'static str, value: T) -> Self {
        Self {
            part,
            value: Some(value),
        }
    }

    pub(crate) fn get(&mut self) -> &mut T {
        self.value.as_mut().expect("it is there until it is dropped")
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        let value = self.value.take();
        if let Err(panic) = call(self.part, || drop(value)) {
            tracing::error!(target: "async_tool::agent", "{} panicked when it was dropped", panic.part());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bomb(&'static str);

    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::panic_any(self.0);
        }
    }

    #[test]
    fn a_payload_that_panics_when_it_is_dropped_is_contained() {
        let panic = call("the bomb", || std::panic::panic_any(Bomb("again"))).unwrap_err();
        assert_eq!(panic.to_string(), "the bomb panicked: a value that is no text");
    }

    #[test]
    fn a_value_that_panics_when_it_is_dropped_ends_nothing() {
        drop(Guarded::new("the bomb", Bomb("tick")));
        let panic = call("the bomb", || panic!("boom {}", 1)).unwrap_err();
        assert_eq!(panic.to_string(), "the bomb panicked: boom 1");
    }
}
