//! Names for boxed futures and streams, which the object-safe traits return.

use std::{future::Future, pin::Pin};

use futures_core::Stream;

/// A boxed future that can move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A boxed stream that can move between threads.
pub type BoxStream<'a, T> = Pin<Box<dyn Stream<Item = T> + Send + 'a>>;
