//! A tool that runs until it is cancelled.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use anyhow::bail;
use async_tool_runtime::{ToolContext, async_tool, tool};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{reading::Reading, tree::Tree};

/// Result of a watch.
#[derive(Serialize)]
pub(super) struct Changes {
    rounds: u32,
    changed: Vec<String>,
}

// If it is cancelled, it returns an error: a partial result is of no use to the model.
/// Hashes all files of a tree again and again, and returns the names of files that were changed, added or removed. Without
/// `rounds` it runs until it is cancelled.
#[async_tool(effect = "read", background = "always")]
pub(super) fn watch_tree(
    /// The directory, relative to the tree.
    #[arg(default = ".")]
    path: String,
    /// The number of times to look.
    rounds: Option<u32>,
    /// The seconds that one look takes.
    #[arg(default = 0.5)]
    round_seconds: f64,
    #[inject] tree: tool::State<Tree>,
    #[inject] cx: ToolContext,
) -> anyhow::Result<Changes> {
    let look = || -> anyhow::Result<HashMap<PathBuf, [u8; 32]>> {
        Reading::start(&tree, &path, round_seconds, &cx)?
            .map(|file| file.map(|file| (file.path, Sha256::digest(&file.bytes).into())))
            .collect()
    };
    let first = look()?;
    if first.is_empty() {
        // A look at no files takes no time, so the loop would spin.
        bail!("there are no files to watch in `{path}`");
    }
    let mut last = None;
    let mut round = 1;
    while rounds.is_none_or(|rounds| round < rounds) {
        last = Some(look()?);
        round += 1;
    }
    let last = last.as_ref().unwrap_or(&first);
    let has_changed = |path: &Path| first.get(path) != last.get(path);
    let mut changed: Vec<String> = first
        .keys()
        .chain(last.keys())
        .filter(|path| has_changed(path))
        .map(|path| path.display().to_string())
        .collect();
    changed.sort();
    changed.dedup();
    Ok(Changes { rounds: round, changed })
}
