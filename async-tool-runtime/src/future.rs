//! Boxed futures and streams, which the object-safe traits return.
//!
//! ```
//! use async_tool_runtime::future::BoxFuture;
//!
//! fn answer<'a>() -> BoxFuture<'a, u32> {
//!     Box::pin(async { 42 })
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! assert_eq!(answer().await, 42);
//! # }
//! ```

pub use futures_core::{future::BoxFuture, stream::BoxStream};

/// Boxes a future that tokio will run. tokio's code for a task is then compiled once, and not for each future.
pub(crate) fn boxed(future: impl Future<Output = ()> + Send + 'static) -> BoxFuture<'static, ()> {
    Box::pin(future)
}
