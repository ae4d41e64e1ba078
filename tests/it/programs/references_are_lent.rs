//! Arguments behind references are owned by the call and lent to the function.

use std::path::Path;

use async_tool_runtime::{Tool, async_tool};
use serde_json::json;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Query {
    text: String,
}

type Maybe<T> = Option<T>;

/// Lends, sync.
#[async_tool]
fn lend(text: &str, words: &[String], path: &Path, query: &Query, maybe: Option<&str>, some: Maybe<&[u8]>) -> usize {
    text.len()
        + words.len()
        + path.as_os_str().len()
        + query.text.len()
        + maybe.map_or(0, str::len)
        + some.map_or(0, <[u8]>::len)
}

/// Lends, async, and gives a part back.
#[async_tool]
async fn lend_later(text: &str) -> &str {
    std::future::ready(()).await;
    text.trim()
}

#[test]
fn compiles_and_runs() {
    let tool = lend::tool();
    assert_eq!(
        tool.definition().input_schema["required"],
        json!(["text", "words", "path", "query"])
    );
    let arguments = json!({"text": "a", "words": ["b"], "path": "/c", "query": {"text": "d"}, "some": [1]});
    tool.bind(&arguments.into()).unwrap();
    tool.bind(&json!({"text": 1, "words": ["b"], "path": "/c", "query": {"text": "d"}}).into())
        .unwrap_err();
    lend_later::tool().bind(&json!({"text": "x"}).into()).unwrap();
    assert_eq!(
        lend("a", &[], Path::new(""), &Query { text: String::new() }, None, None),
        1
    );
}
