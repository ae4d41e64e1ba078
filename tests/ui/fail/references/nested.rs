//! Only `&T` and `Option<&T>` are lent; anything else is one error.

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work(_texts: Vec<&str>, _pair: (u8, &str), #[arg(default, min_len = 1)] _numbers: Box<&u8>) {}

fn main() {}
