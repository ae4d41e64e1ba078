//! Limits have the type of their argument.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work(#[arg(min = -1.5)] _number: u8, #[arg(max_len = "1")] _text: &str, #[arg(examples = ["a", 5])] _word: String) {}

fn main() {}
