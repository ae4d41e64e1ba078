//! Keys that other crates have: the error names what to write here.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work(
    #[arg(description = "A word.")] _described: String,
    #[arg(required)] _required: String,
    #[arg(inject)] _injected: u8,
    #[arg(name = "other")] _named: u8,
    #[arg(range(min = 1))] _ranged: u8,
    #[arg(optional, alias = "b")] _optional: u8,
    #[arg(format = "email", title = "Mail")] _mail: String,
) {
}

fn main() {}
