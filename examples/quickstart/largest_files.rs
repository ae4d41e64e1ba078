//! A quick tool of the quickstart alone.

use std::cmp::Reverse;

use async_tool_runtime::{async_tool, tool};
use shared::tree::Tree;

/// Names the largest files of the tree, with their sizes in bytes.
#[async_tool(effect = "read", timeout = "10m")]
pub(crate) fn largest_files(
    /// Number of files to name.
    #[arg(default = 3)]
    count: usize,
    #[inject] tree: tool::State<Tree>,
) -> anyhow::Result<Vec<(u64, String)>> {
    let files = tree.files(".")?;
    let mut sizes = Vec::with_capacity(files.paths.len());
    for path in &files.paths {
        let name = path.strip_prefix(&files.root)?.display().to_string();
        sizes.push((path.metadata()?.len(), name));
    }
    sizes.sort_by_key(|(size, _)| Reverse(*size));
    sizes.truncate(count);
    Ok(sizes)
}
