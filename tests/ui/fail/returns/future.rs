//! A function that returns a future is written `async`.

use std::{future::Future, pin::Pin};

use async_tool_runtime::async_tool;

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Works.
#[async_tool]
fn opaque() -> impl Future<Output = String> + Send {
    async { String::new() }
}

/// Works.
#[async_tool]
fn boxed() -> BoxFuture<'static, String> {
    Box::pin(async { String::new() })
}

fn main() {}
