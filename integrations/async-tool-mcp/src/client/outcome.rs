//! Outcome of a call from the result that a server gave.

use async_tool_runtime::{
    ToolError,
    content::{Content, Media},
};
use serde_json::{Value, json};

/// Outcome of a call from its `CallToolResult`.
///
/// The structured content is the value, if there is one; a text alone is a text. Images, sounds and files are media with the texts around
/// them, so that a model sees them. Anything else is the list of content blocks. Structured content that no block says comes last in both.
pub(super) fn of_result(mut result: Value) -> Result<Value, ToolError> {
    let mut blocks = match result.get_mut("content").map(Value::take) {
        Some(Value::Array(blocks)) => blocks,
        _ => Vec::new(),
    };
    let structured = result.get_mut("structuredContent").map(Value::take);
    let structured = structured.filter(|structured| !structured.is_null());
    if result["isError"] == true {
        return Err(ToolError::failed(reason(&blocks, structured.as_ref())));
    }
    if blocks.iter().all(|block| block["type"] == "text") {
        let text = text_of(&blocks);
        return Ok(match structured {
            Some(structured) => unwrapped(structured, &text),
            None => Value::String(text),
        });
    }
    let structured = structured.filter(|structured| !is_said(structured, &blocks));
    if let Some(content) = with_media(&blocks, structured.as_ref()) {
        return Ok(content);
    }
    blocks.extend(structured);
    Ok(Value::Array(blocks))
}

/// Text of an error, whole: what went wrong is often at the end of a long output. The runtime bounds what a model is shown of it.
fn reason(blocks: &[Value], structured: Option<&Value>) -> String {
    let texts = blocks.iter().filter_map(|block| match block["type"].as_str() {
        Some("resource_link") => Some(block.to_string()),
        _ => said_by(block).map(str::to_owned),
    });
    let text = texts.collect::<Vec<_>>().join("\n");
    match structured {
        Some(structured) if text.trim().is_empty() => structured.to_string(),
        _ if text.trim().is_empty() => "the tool failed, and gives no reason".to_owned(),
        _ => text,
    }
}

/// Value of blocks of which some are media; `None` if none of them is.
fn with_media(blocks: &[Value], structured: Option<&Value>) -> Option<Value> {
    let parts: Vec<_> = blocks.iter().map(|block| (media_of(block), block)).collect();
    if parts.iter().all(|(media, _)| media.is_none()) {
        return None;
    }
    let parts = parts.into_iter().map(|(media, block)| match media {
        Some(Ok(media)) => Content::from(media),
        Some(Err(what)) => Content::from(format!("[{what} that can't be read]")),
        None => match said_by(block) {
            Some(text) => Content::from(text),
            None => Content::from(block.to_string()),
        },
    });
    let structured = structured.map(|structured| Content::from(structured.to_string()));
    let content: Content = parts.chain(structured).collect();
    serde_json::to_value(content).ok()
}

/// True if the blocks have structured content: as the JSON of a text, or as the bytes of media.
fn is_said(structured: &Value, blocks: &[Value]) -> bool {
    let is_block = |block: &Value| match said_by(block) {
        Some(text) => says(text, structured) || wrapped(structured).is_some_and(|value| says(text, value)),
        None => {
            let bytes = block["data"].as_str().or_else(|| block["resource"]["blob"].as_str());
            bytes.is_some_and(|bytes| holds(structured, bytes))
        }
    };
    blocks.iter().any(is_block)
}

fn holds(value: &Value, text: &str) -> bool {
    match value {
        Value::String(string) => string == text,
        Value::Array(items) => items.iter().any(|item| holds(item, text)),
        Value::Object(fields) => fields.values().any(|field| holds(field, text)),
        _ => false,
    }
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
    match wrapped(&structured).filter(|value| says(text, value)) {
        Some(value) => value.clone(),
        None => structured,
    }
}

fn wrapped(structured: &Value) -> Option<&Value> {
    let fields = structured.as_object().filter(|fields| fields.len() == 1)?;
    fields.get("result")
}

/// True if a text is the value, or its JSON.
fn says(text: &str, value: &Value) -> bool {
    value == text || serde_json::from_str(text).is_ok_and(|said: Value| said == *value)
}

/// Text of a block, or of the resource in it.
fn said_by(block: &Value) -> Option<&str> {
    block["text"].as_str().or_else(|| block["resource"]["text"].as_str())
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
                json!(["a", shown, "{\"a\":1}"]),
            ),
            (
                json!({"content": [image], "structuredContent": {"total": 42}}),
                json!([shown, "{\"total\":42}"]),
            ),
            // The structured content says what a block says.
            (
                json!({"content": [text("{\"a\": 1}"), image], "structuredContent": {"a": 1}}),
                json!(["{\"a\": 1}", shown]),
            ),
            (
                json!({"content": [text("7"), image], "structuredContent": {"result": 7}}),
                json!(["7", shown]),
            ),
            (
                json!({"content": [image], "structuredContent": {"result": [{"type": "image", "data": "aGk="}]}}),
                shown.clone(),
            ),
            (
                json!({"content": [link], "structuredContent": {"total": 42}}),
                json!([link, {"total": 42}]),
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
        let output = format!("{}the error is at the end", "a line of the output\n".repeat(10_000));
        for (result, message) in [
            (
                json!({"content": [text("no such file")], "isError": true}),
                "no such file",
            ),
            (json!({"content": [text(&output)], "isError": true}), &*output),
            (
                json!({"content": [text("it broke"), {"type": "resource", "resource": {"uri": "x:y", "text": "the log"}}], "isError": true}),
                "it broke\nthe log",
            ),
            (
                json!({"content": [image], "structuredContent": {"code": 7}, "isError": true}),
                "{\"code\":7}",
            ),
            (
                json!({"content": [text("it broke")], "structuredContent": {"code": 7}, "isError": true}),
                "it broke",
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
