//! A search over every file of a tree.

use anyhow::anyhow;
use async_tool_runtime::{ToolContext, async_tool, tool};
use regex::bytes::Regex;
use serde::Serialize;

use crate::{reading::Reading, tree::Tree};

/// Number of matches that the model is shown.
const SHOWN: usize = 5;

/// Lines that match.
#[derive(Serialize)]
pub(super) struct Matches {
    matches: u64,
    files: u64,
    first: Vec<String>,
    skipped: u64,
}

/// Searches all text files of a tree for a regular expression. Returns the number of matching lines, and the first of them.
#[async_tool(effect = "read", timeout = "10m")]
pub(super) fn search_text(
    /// The regular expression, in Rust's syntax.
    pattern: String,
    /// The directory, relative to the tree.
    #[arg(default = ".")]
    path: String,
    /// Spread the reading over this time, as from a slow disk.
    #[arg(default = 0.0)]
    spread_seconds: f64,
    #[inject] tree: tool::State<Tree>,
    #[inject] cx: ToolContext,
) -> anyhow::Result<Matches> {
    let pattern = Regex::new(&pattern).map_err(|error| {
        let text = error.to_string();
        // Only the last line: the lines above draw an arrow at the mistake, which a model can't use.
        anyhow!(
            "`pattern` is not a valid regular expression: {}",
            text.lines().last().unwrap_or_default()
        )
    })?;
    let mut reading = Reading::start(&tree, &path, spread_seconds, &cx)?;
    let (mut matches, mut files, mut first) = (0, 0, Vec::new());
    for file in &mut reading {
        let file = file?;
        if file.is_binary() {
            continue;
        }
        let before = matches;
        for (index, line) in file.bytes.split(|byte| *byte == b'\n').enumerate() {
            if pattern.is_match(line) {
                matches += 1;
                if first.len() < SHOWN {
                    let text = String::from_utf8_lossy(line);
                    let text: String = text.trim().chars().take(80).collect();
                    first.push(format!("{}:{}: {text}", file.name(), index + 1));
                }
            }
        }
        files += u64::from(matches > before);
    }
    Ok(Matches {
        matches,
        files,
        first,
        skipped: reading.skipped(),
    })
}
