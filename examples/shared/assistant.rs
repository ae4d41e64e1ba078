//! The agent that the programs share.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use async_tool_runtime::{AsyncAgent, AsyncToolManager, Model, RulePlanner};

use crate::{tools, tree::Tree};

/// Tasks that run at once; further ones wait in the queue. The number is small, so that a queue can be seen.
pub const SLOTS: usize = 4;

/// System prompt for a language model. The rule planner ignores it.
pub const SYSTEM: &str = "You help a user with the files of one directory tree. Every path is relative to it. Use the tools for all that \
    the user asks for: call all tools that a message needs at once, and leave out the arguments that the user says nothing about. Slow \
    tools go on in the background: say briefly what runs, and report each result when it comes. Never make a result up. Answer in one or \
    two sentences of plain text.";

/// Starts an agent whose tools read the tree below `root`.
///
/// `root` need not exist: each call of a tool then fails, and its error names `root`.
///
/// # Errors
///
/// If the manager or the agent can't be set up.
pub async fn start(root: &Path, model: Arc<dyn Model>) -> anyhow::Result<AsyncAgent> {
    let manager = AsyncToolManager::builder()
        .tools(tools::all())
        .state(Tree::new(root))
        .concurrency(SLOTS)
        .build()
        .context("can't set up the tools")?;
    AsyncAgent::builder(model, manager)
        .system(SYSTEM)
        .session("chat")
        .start()
        .await
        .context("can't start the agent")
}

/// Rule planner, in place of a language model. It understands the names of the tools, and these sentences as well.
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
