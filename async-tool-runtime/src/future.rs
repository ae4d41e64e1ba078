//! Boxed futures and streams, as the object-safe traits return them.

pub use futures_core::{future::BoxFuture, stream::BoxStream};
