//! The agent of the programs.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use async_tool_runtime::{AsyncAgent, AsyncToolManager, Model, RulePlanner};

use crate::{tools, tree::Tree};

/// How many tools run at once; further ones wait in the queue. Few, so that a queue can be seen.
pub const SLOTS: usize = 4;

/// What a language model is told at the start. The planner passes over it.
const SYSTEM: &str = "You help a user with the files of one directory tree. Every path is relative to it. Use the tools for all that \
    the user asks for: call all tools that a message needs at once, and leave out the arguments that the user says nothing about. Slow \
    tools go on in the background: say briefly what runs, and report each result when it comes. Never make a result up. Answer in one or \
    two sentences of plain text.";

/// Starts an agent whose tools read the tree below `root`.
///
/// `root` need not exist: the tools find out when they are called, and tell the model.
///
/// # Errors
///
/// The manager or the agent can't be set up.
pub async fn start(root: &Path, model: Arc<dyn Model>) -> anyhow::Result<AsyncAgent> {
    let manager = AsyncToolManager::builder()
        .tools(tools::all())
        .state(Tree::new(root))
        .concurrency(SLOTS)
        .build()
        .context("the tools can't be set up")?;
    AsyncAgent::builder(model, manager)
        .system(SYSTEM)
        .start()
        .await
        .context("the agent can't be started")
}

/// The stand-in for a model. It understands the names of the tools by itself; these sentences come on top.
#[must_use]
pub fn planner() -> RulePlanner {
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
