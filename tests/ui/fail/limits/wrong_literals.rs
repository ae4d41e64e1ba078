//! Mistakes in literals are reported by the macro.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work(
    #[arg(min = 5, max = -1)] _number: i8,
    #[arg(min)] _other: i8,
    #[arg(pattern = "(", examples = "a")] _text: &str,
    #[arg(pattern = "(?=a)")] _ahead: &str,
    #[arg(pattern = "(?i)a")] _flags: &str,
    #[arg(pattern = r"\Aa")] _start: &str,
    #[arg(pattern = 5)] _number_of_text: &str,
) {
}

fn main() {}
