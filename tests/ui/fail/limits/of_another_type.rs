//! Ranges are of numbers, lengths of what has one, and patterns of texts.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work(
    #[arg(min = 1)] _text: &str,
    #[arg(max_len = 1)] _number: Option<u8>,
    #[arg(pattern = "^a")] _list: &[String],
) {
}

fn main() {}
