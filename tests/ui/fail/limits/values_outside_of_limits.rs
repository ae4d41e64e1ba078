//! A default or an example outside of the argument's own limits.

use std::collections::HashSet;

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work(
    #[arg(default = 0, min = 1)] _small: u8,
    #[arg(default = 10, max = -1)] _large: Option<i64>,
    #[arg(default = 0.25, max = 0.2)] _fraction: f64,
    #[arg(default = "", min_len = 1)] _short: &str,
    #[arg(examples = ["ab", "abc"], max_len = 2)] _long: String,
    #[arg(default = "éé", max_len = 1)] _letters: Option<&str>,
    #[arg(default = "A", pattern = "^[a-z]$", examples = ["a", "1"])] _pattern: String,
    #[arg(examples = [1, -(2)], min = 0)] _number: i8,
    #[arg(default = Some(10), max = 9)] _given: Option<u8>,
    #[arg(default = "abc".to_owned(), max_len = 2, examples = [String::from("abc")])] _converted: String,
    #[arg(default = [1, 2, 3], max_len = 2, examples = [vec![], vec![1, 2]])] _list: Vec<u8>,
    #[arg(default = vec![1], min_len = 2)] _vec: Vec<u8>,
    // A set has equal entries once.
    #[arg(default = [1, 1, 2], max_len = 2)] _set: HashSet<u8>,
) {
}

fn main() {}
