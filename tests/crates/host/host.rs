//! A program with tools of its own beside those of a library.

use std::sync::Arc;

use async_tool_runtime::{AsyncToolManager, Tool, async_tool, tool::collected_tools, tools};
use word_tools::Words;

/// Counts in the program itself.
#[async_tool(name = "count_words")]
fn count(text: &str) -> usize {
    text.len()
}

mod hidden {
    /// Found only by collection.
    #[async_tool_runtime::async_tool]
    fn unnamed() {}
}

fn names(tools: &[Arc<dyn Tool>]) -> Vec<&str> {
    tools.iter().map(|tool| &*tool.definition().name).collect()
}

#[test]
fn tools_of_a_library_are_listed_by_path() {
    let listed = tools![word_tools::count_words, word_tools::repeat];
    assert_eq!(names(&listed), ["count_words", "repeat"]);
    let words = Arc::new(Words::<String>::default());
    assert_eq!(names(&words.tools()), ["add_word", "newest_word"]);
}

#[test]
fn two_tools_of_one_name_are_refused_until_one_is_renamed() {
    let manager = AsyncToolManager::builder().tools(tools![word_tools::count_words]);
    let error = manager.tool(count::tool()).build().unwrap_err();
    assert_eq!(error.to_string(), "tool `count_words`: two tools have this name");

    let renamed = AsyncToolManager::builder()
        .tool(word_tools::count_words::tool())
        .tool(count::tool().name("count_bytes"))
        .build();
    assert!(renamed.is_ok());
}

#[test]
fn tools_of_all_crates_are_collected() {
    let collected = collected_tools();
    assert_eq!(
        names(&collected),
        ["count_words", "count_words", "double", "print", "repeat", "unnamed"]
    );
    assert!(AsyncToolManager::builder().tools(collected).build().is_err());
}
