//! Quick tools: their calls are answered within the turn.

use anyhow::anyhow;
use async_tool_runtime::{async_tool, tool};
use serde::Serialize;

use crate::tree::Tree;

/// Lists a directory: names in order, directories with a slash at the end.
#[async_tool(effect = "read", timeout = "10s")]
pub(super) async fn list_directory(
    /// The directory, relative to the tree.
    #[arg(default = ".")]
    path: String,
    #[inject] tree: tool::State<Tree>,
) -> anyhow::Result<Vec<String>> {
    let mut directory = tokio::fs::read_dir(tree.resolve(&path)?)
        .await
        .map_err(|error| anyhow!("can't list `{path}`: {error}"))?;
    let mut names = Vec::new();
    while let Some(entry) = directory.next_entry().await? {
        let is_directory = entry.file_type().await.is_ok_and(|kind| kind.is_dir());
        let slash = if is_directory { "/" } else { "" };
        names.push(format!("{}{slash}", entry.file_name().to_string_lossy()));
    }
    names.sort();
    Ok(names)
}

/// Beginning of a file.
#[derive(Serialize)]
pub(super) struct Excerpt {
    lines: usize,
    text: String,
}

/// Reads the first lines of a file. Bytes that are no UTF-8 are replaced.
#[async_tool(effect = "read", timeout = "10s")]
pub(super) async fn read_file(
    /// The file, relative to the tree.
    path: String,
    /// The maximum number of lines.
    #[arg(default = 10)]
    lines: usize,
    #[inject] tree: tool::State<Tree>,
) -> anyhow::Result<Excerpt> {
    let bytes = tokio::fs::read(tree.resolve(&path)?)
        .await
        .map_err(|error| anyhow!("can't read `{path}`: {error}"))?;
    let text = String::from_utf8_lossy(&bytes);
    let first: Vec<&str> = text.lines().take(lines).collect();
    Ok(Excerpt {
        lines: first.len(),
        text: first.join("\n"),
    })
}
