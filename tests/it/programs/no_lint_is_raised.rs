//! The strictest users see no lint of ours.
#![deny(
    warnings,
    missing_docs,
    unsafe_code,
    unused_qualifications,
    unreachable_pub,
    missing_debug_implementations
)]
#![deny(
    unused_results,
    single_use_lifetimes,
    unused_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    let_underscore_drop
)]
#![deny(clippy::all, clippy::pedantic, clippy::nursery)]

/// Tools for others.
pub mod tools {
    use async_tool_runtime::{ToolContext, async_tool};

    /// Adds.
    #[async_tool(timeout = "5s", grace = "1.5ms")]
    #[must_use]
    pub fn add(left: i32, #[arg(default = 5)] right: i32) -> String {
        format!("{}", left + right)
    }

    /// Waits.
    ///
    /// # Errors
    ///
    /// Never.
    #[async_tool]
    pub async fn wait(#[inject] cx: ToolContext, text: &str) -> Result<usize, std::io::Error> {
        std::future::ready(()).await;
        Ok(text.len() + cx.attempt() as usize)
    }

    /// Does nothing.
    #[async_tool]
    #[deprecated]
    pub fn nothing() {
        println!("nothing");
    }
}

#[test]
fn compiles_and_runs() {
    drop((tools::add::tool(), tools::wait::tool(), tools::nothing::tool()));
}
