//! Outcome of a call from the result that a server gave.

use async_tool_runtime::{
    ToolError,
    content::{Content, Media},
};
use serde_json::{Value, json};

use super::failure::shown;

/// Outcome of a call from its `CallToolResult`.
///
/// The structured content is the value, if there is one; a text alone is a text. Images, sounds and files are media with the texts around
/// them, so that a model sees them. Anything else is the list of content blocks.
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
        _ => Ok(with_media(&blocks).unwrap_or(Value::Array(blocks))),
    }
}

/// Value of blocks of which some are media; `None` if none of them is.
fn with_media(blocks: &[Value]) -> Option<Value> {
    let parts: Vec<_> = blocks.iter().map(|block| (media_of(block), block)).collect();
    if parts.iter().all(|(media, _)| media.is_none()) {
        return None;
    }
    let content: Content = parts
        .into_iter()
        .map(|(media, block)| match media {
            Some(Ok(media)) => Content::from(media),
            Some(Err(what)) => Content::from(format!("[{what} that can't be read]")),
            None => match block["text"].as_str().or_else(|| block["resource"]["text"].as_str()) {
                Some(text) => Content::from(text),
                None => Content::from(block.to_string()),
            },
        })
        .collect();
    serde_json::to_value(content).ok()
}

/// Media of a block, or the kind of the block whose bytes can't be read; `None` for a block of another kind.
fn media_of(block: &Value) -> Option<Result<Media, &'static str>> {
    let (what, of, data) = match block["type"].as_str()? {
        "image" => ("an image", block, &block["data"]),
        "audio" => ("a sound", block, &block["data"]),
        "resource" => {
            let resource = &block["resource"];
            ("a file", resource, resource.get("blob")?)
        }
        _ => return None,
    };
    let kind = of["mimeType"].as_str().unwrap_or("application/octet-stream");
    let read = serde_json::from_value::<Media>(json!({"$media": {"type": kind, "data": data}}));
    let name = of["uri"].as_str().and_then(|uri| uri.rsplit('/').next());
    Some(match (read, name.filter(|name| !name.is_empty())) {
        (Ok(media), Some(name)) => Ok(media.with_name(name)),
        (Ok(media), None) => Ok(media),
        (Err(_), _) => Err(what),
    })
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

    use super::*;

    #[test]
    fn a_result_becomes_the_simplest_value_that_says_all_of_it() {
        let text = |text: &str| json!({"type": "text", "text": text});
        let image = json!({"type": "image", "data": "aGk=", "mimeType": "image/png"});
        let shown = json!({"$media": {"type": "image/png", "data": "aGk="}});
        let file = json!({"type": "resource", "resource": {"uri": "file:///a/b.pdf", "mimeType": "application/pdf", "blob": "aGk="}});
        let link = json!({"type": "resource_link", "uri": "https://example.com/a", "name": "a"});
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
                json!(["a", shown]),
            ),
            (json!({"content": [image]}), shown),
            (
                json!({"content": [text("a"), file, {"type": "resource", "resource": {"uri": "x:y", "text": "b"}}]}),
                json!(["a", {"$media": {"type": "application/pdf", "name": "b.pdf", "data": "aGk="}}, "b"]),
            ),
            (
                json!({"content": [{"type": "audio", "data": "no base64", "mimeType": "audio/wav"}]}),
                json!("[a sound that can't be read]"),
            ),
            (json!({"content": [link]}), json!([link])),
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
