//! A pattern is one that the library and all readers of JSON Schema take.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work(
    #[arg(pattern = r"^\p{L}+$")] _letters: String,
    #[arg(pattern = r"^(a)\1$")] _backreference: String,
    #[arg(pattern = "[a&&b]")] _intersection: String,
    #[arg(pattern = "a{2,1}")] _range: String,
) {
}

fn main() {}
