//! Outcome of a call from the result that a server gave.

use async_tool_runtime::ToolError;
use serde_json::Value;

use super::failure::shown;

/// Outcome of a call from its `CallToolResult`.
///
/// The structured content is the value, if there is one; a text alone is a text; anything else is the list of content blocks.
pub(super) fn of_result(mut result: Value) -> Result<Value, ToolError> {
    let blocks = match result.get_mut("content").map(Value::take) {
        Some(Value::Array(blocks)) => blocks,
        _ => Vec::new(),
    };
    if result["isError"] == true {
        let text = text_of(&blocks);
        return Err(ToolError::failed(match text.is_empty() {
            true => "the tool failed, and gives no reason".to_owned(),
            false => shown(&text),
        }));
    }
    let is_text = blocks.iter().all(|block| block["type"] == "text");
    match result.get_mut("structuredContent").map(Value::take) {
        Some(structured) if !structured.is_null() && is_text => Ok(unwrapped(structured, &text_of(&blocks))),
        _ if is_text => Ok(Value::String(text_of(&blocks))),
        _ => Ok(Value::Array(blocks)),
    }
}

/// Value in `{"result": value}`, if the text says the same without it: structured content is an object, so servers wrap other values.
fn unwrapped(structured: Value, text: &str) -> Value {
    let wrapped = match structured.as_object() {
        Some(fields) if fields.len() == 1 => fields.get("result"),
        _ => None,
    };
    let says = |value: &Value| value == text || serde_json::from_str(text).is_ok_and(|said: Value| said == *value);
    match wrapped.filter(|value| says(value)) {
        Some(value) => value.clone(),
        None => structured,
    }
}

fn text_of(blocks: &[Value]) -> String {
    let texts = blocks.iter().filter_map(|block| block["text"].as_str());
    texts.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use async_tool_runtime::ToolErrorKind;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_result_becomes_the_simplest_value_that_says_all_of_it() {
        let text = |text: &str| json!({"type": "text", "text": text});
        let image = json!({"type": "image", "data": "aGk=", "mimeType": "image/png"});
        for (result, value) in [
            (json!({"content": [text("a")]}), json!("a")),
            (json!({"content": [text("a"), text("b")]}), json!("a\nb")),
            (json!({"content": []}), json!("")),
            (json!({}), json!("")),
            (
                json!({"content": [text("{\"a\":1}")], "structuredContent": {"a": 1}}),
                json!({"a": 1}),
            ),
            (
                json!({"content": [text("a"), image], "structuredContent": {"a": 1}}),
                json!([text("a"), image]),
            ),
            (json!({"content": [image]}), json!([image])),
            (
                json!({"content": [text("a")], "isError": false, "structuredContent": null}),
                json!("a"),
            ),
        ] {
            assert_eq!(of_result(result.clone()).unwrap(), value, "{result}");
        }
        for (result, message) in [
            (
                json!({"content": [text("no such file")], "isError": true}),
                "no such file",
            ),
            (
                json!({"content": [], "isError": true}),
                "the tool failed, and gives no reason",
            ),
        ] {
            let error = of_result(result).unwrap_err();
            assert_eq!((error.kind(), error.model_message()), (ToolErrorKind::Failed, message));
        }
    }
}
