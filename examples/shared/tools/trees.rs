//! Slow tools: they read every file of a tree. They aren't async, so they run on the blocking pool.

use std::collections::BTreeMap;

use async_tool_runtime::{ToolContext, async_tool, tool};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{language::language_of, reading::Reading, tree::Tree};

/// Number of groups that the model is shown.
const SHOWN: usize = 5;

/// Lines by language.
#[derive(Serialize)]
pub(super) struct LineCount {
    files: u64,
    lines: u64,
    lines_by_language: BTreeMap<&'static str, u64>,
    skipped: u64,
}

/// Counts the lines of all text files of a tree, by language.
#[async_tool(effect = "read", timeout = "10m")]
pub(super) fn count_lines(
    /// The directory, relative to the tree.
    #[arg(default = ".")]
    path: String,
    /// Spread the reading over this time, as from a slow disk.
    #[arg(default = 0.0)]
    spread_seconds: f64,
    #[inject] tree: tool::State<Tree>,
    #[inject] cx: ToolContext,
) -> anyhow::Result<LineCount> {
    let mut reading = Reading::start(&tree, &path, spread_seconds, &cx)?;
    let mut languages = BTreeMap::new();
    let mut files = 0;
    for file in &mut reading {
        let file = file?;
        if file.is_binary() {
            continue;
        }
        files += 1;
        *languages.entry(language_of(&file.path)).or_default() +=
            file.bytes.split_inclusive(|byte| *byte == b'\n').count() as u64;
    }
    Ok(LineCount {
        files,
        lines: languages.values().sum(),
        lines_by_language: languages,
        skipped: reading.skipped(),
    })
}

/// One hash for a whole tree.
#[derive(Serialize)]
pub(super) struct TreeHash {
    bytes: u64,
    files: u64,
    sha256: String,
    skipped: u64,
}

/// Computes one SHA-256 over the names and contents of all files of a tree.
#[async_tool(effect = "read", timeout = "10m")]
pub(super) fn hash_tree(
    /// The directory, relative to the tree.
    #[arg(default = ".")]
    path: String,
    /// Spread the reading over this time, as from a slow disk.
    #[arg(default = 0.0)]
    spread_seconds: f64,
    #[inject] tree: tool::State<Tree>,
    #[inject] cx: ToolContext,
) -> anyhow::Result<TreeHash> {
    let mut reading = Reading::start(&tree, &path, spread_seconds, &cx)?;
    let mut hash = Sha256::new();
    let (mut files, mut bytes) = (0, 0);
    for file in &mut reading {
        let file = file?;
        files += 1;
        bytes += file.bytes.len() as u64;
        // Lengths first, so that a byte can't move from a name into the contents without changing the hash.
        for part in [file.path.as_os_str().as_encoded_bytes(), &file.bytes] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    Ok(TreeHash {
        bytes,
        files,
        sha256: hex(&hash.finalize()),
        skipped: reading.skipped(),
    })
}

/// Groups of files with the same contents.
#[derive(Serialize)]
pub(super) struct Duplicates {
    groups: usize,
    wasted_bytes: u64,
    first: Vec<Vec<String>>,
    skipped: u64,
}

/// Finds files of a tree with the same contents; empty files don't count.
#[async_tool(effect = "read", timeout = "10m")]
pub(super) fn find_duplicates(
    /// The directory, relative to the tree.
    #[arg(default = ".")]
    path: String,
    /// Spread the reading over this time, as from a slow disk.
    #[arg(default = 0.0)]
    spread_seconds: f64,
    #[inject] tree: tool::State<Tree>,
    #[inject] cx: ToolContext,
) -> anyhow::Result<Duplicates> {
    let mut reading = Reading::start(&tree, &path, spread_seconds, &cx)?;
    let mut by_content: BTreeMap<[u8; 32], (u64, Vec<String>)> = BTreeMap::new();
    for file in &mut reading {
        let file = file?;
        if !file.bytes.is_empty() {
            let (size, paths) = by_content.entry(Sha256::digest(&file.bytes).into()).or_default();
            *size = file.bytes.len() as u64;
            paths.push(file.name());
        }
    }
    let groups: Vec<(u64, Vec<String>)> = by_content.into_values().filter(|(_, paths)| paths.len() > 1).collect();
    Ok(Duplicates {
        groups: groups.len(),
        wasted_bytes: groups.iter().map(|(size, paths)| size * (paths.len() as u64 - 1)).sum(),
        first: groups.into_iter().take(SHOWN).map(|(_, paths)| paths).collect(),
        skipped: reading.skipped(),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
