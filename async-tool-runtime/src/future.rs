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
