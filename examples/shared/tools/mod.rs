//! The tools: functions with the attribute `#[async_tool]`.

mod files;
mod program;
mod search;
#[cfg(test)]
mod tests;
mod trees;
mod watch;

use std::sync::Arc;

use async_tool_runtime::{Tool, tools};

/// All tools.
pub fn all() -> Vec<Arc<dyn Tool>> {
    tools![
        files::list_directory,
        files::read_file,
        trees::count_lines,
        trees::hash_tree,
        search::search_text,
        trees::find_duplicates,
        watch::watch_tree,
        program::run_program,
    ]
}
