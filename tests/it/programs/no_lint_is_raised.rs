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

/// A type that is deprecated.
#[allow(deprecated, reason = "the derives name the type")]
pub mod old {
    /// A number.
    #[deprecated]
    #[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
    pub struct Old {
        /// The number.
        pub number: u8,
    }
}

/// Tools for others.
pub mod tools {
    use async_tool_runtime::{ToolContext, async_tool};

    #[allow(deprecated)]
    use super::old::Old;

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

    /// Finds a user.
    #[async_tool]
    #[allow(non_snake_case)]
    #[must_use]
    pub fn find(userId: u64) -> u64 {
        userId
    }

    /// Finds a group.
    #[async_tool]
    #[must_use]
    pub fn find_group(#[allow(non_snake_case)] groupId: u64) -> u64 {
        groupId
    }

    /// Takes what is on its way out.
    #[async_tool]
    #[expect(deprecated, reason = "until callers have moved on")]
    #[must_use]
    pub fn take(old: &Old) -> u8 {
        old.number
    }

    /// Does nothing.
    #[async_tool]
    #[deprecated]
    pub fn nothing() {
        println!("nothing");
    }
}

/// Tools that no agent has.
#[deny(dead_code)]
pub mod unused {
    use async_tool_runtime::async_tool;

    /// Is used with some features.
    #[async_tool]
    #[allow(dead_code, reason = "a feature uses it")]
    fn allowed_to_be_unused() {
        println!("nothing");
    }
}

#[test]
fn compiles_and_runs() {
    drop((tools::add::tool(), tools::wait::tool(), tools::nothing::tool()));
}
