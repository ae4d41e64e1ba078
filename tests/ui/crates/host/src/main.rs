//! Uses the tools of a library beside its own.

use std::sync::Arc;

use async_tool_runtime::{async_tool, tool::collected_tools, tools, AsyncToolManager, Tool};
use word_tools::Words;

/// Counts in the program itself.
#[async_tool(name = "count_words")]
fn count(text: &str) -> usize {
    text.len()
}

mod hidden {
    /// Nobody names it.
    #[async_tool_runtime::async_tool]
    fn unnamed() {}
}

fn names(tools: &[Arc<dyn Tool>]) -> Vec<&str> {
    tools.iter().map(|tool| &*tool.definition().name).collect()
}

fn main() {
    let listed = tools![word_tools::count_words, word_tools::repeat];
    assert_eq!(names(&listed), ["count_words", "repeat"]);
    let manager = AsyncToolManager::builder().tools(listed);

    let words = Arc::new(Words::<String>::default());
    assert_eq!(names(&words.tools()), ["add_word", "newest_word"]);
    let runtime = AsyncToolManager::builder()
        .tool(word_tools::count_words::tool())
        .tool(count::tool().name("count_bytes"))
        .tools(words.tools())
        .build();
    assert!(runtime.is_ok());

    let twice = manager.tool(count::tool()).build();
    assert_eq!(
        twice.unwrap_err().to_string(),
        "tool `count_words`: two tools have this name"
    );

    let collected = collected_tools();
    assert_eq!(
        names(&collected),
        ["count_words", "count_words", "double", "print", "repeat", "unnamed"]
    );
    assert!(AsyncToolManager::builder().tools(collected).build().is_err());
}
