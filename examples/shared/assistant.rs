//! The agent of the programs.

use std::path::Path;

use anyhow::Context as _;
use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner};

use crate::{tools, tree::Tree};

/// How many tools run at once; further ones wait in the queue. Few, so that a queue can be seen.
pub const SLOTS: usize = 4;

/// Starts an agent whose tools read the tree below `root`.
///
/// `root` need not exist: the tools find out when they are called, and tell the model.
///
/// # Errors
///
/// The manager or the agent can't be set up.
pub async fn start(root: &Path) -> anyhow::Result<AsyncAgent> {
    let manager = AsyncToolManager::builder()
        .tools(tools::all())
        .state(Tree::new(root))
        .concurrency(SLOTS)
        .build()
        .context("the tools can't be set up")?;
    AsyncAgent::builder(planner(), manager)
        .start()
        .await
        .context("the agent can't be started")
}

/// Understands the names of the tools by itself; these sentences come on top.
fn planner() -> RulePlanner {
    RulePlanner::new()
        .rule("hash every file", "hash_tree")
        .rule("hash every file over {spread_seconds} seconds", "hash_tree")
        .rule("count the lines", "count_lines")
        .rule("count the lines over {spread_seconds} seconds", "count_lines")
        .rule("search for {pattern} over {spread_seconds} seconds", "search_text")
        .rule("search for {pattern}", "search_text")
        .rule("find duplicates", "find_duplicates")
        .rule("find duplicates over {spread_seconds} seconds", "find_duplicates")
        .rule("watch for changes", "watch_tree")
        .rule("what is here", "list_directory")
        .rule("what is in {path}", "list_directory")
        .rule("read {path}", "read_file")
}
