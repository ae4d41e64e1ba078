//! A mistake under a condition is one where the condition holds.

use async_tool_runtime::{async_tool, async_tools};

/// Works.
#[async_tool]
fn work(#[cfg_attr(all(), arg(mni = 1))] _number: u8, #[cfg_attr(any(), arg(mxa = 1))] _other: u8) {}

struct Service;

#[async_tools]
impl Service {
    /// Works.
    #[async_tool]
    fn work(&self, #[cfg_attr(all(), arg(mni = 1))] _number: u8, #[cfg_attr(any(), arg(mxa = 1))] _other: u8) {}
}

fn main() {}
