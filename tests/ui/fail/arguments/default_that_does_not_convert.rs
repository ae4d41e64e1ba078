//! A written value is converted to the type of its argument, or it is one error at the value.

use async_tool_runtime::async_tool;

const WORD: &str = "a";

/// Works.
#[async_tool]
fn work(
    #[arg(default = "a")] _text: u8,
    #[arg(default = WORD)] _constant: Option<u8>,
    #[arg(default = true)] _flag: u64,
    #[arg(examples = [1.5])] _fraction: Option<u8>,
) {
}

fn main() {}
