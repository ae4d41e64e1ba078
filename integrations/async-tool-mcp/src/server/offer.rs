//! Tools as the server offers them.

use async_tool_runtime::{
    Effect, Tool, ToolDefinition,
    tool::{Background, McpTasks},
};
use serde_json::{Map, Value, json};

/// Rule for tasks of a tool.
pub(super) fn tasks(tool: &dyn Tool) -> McpTasks {
    let options = tool.options();
    match options.mcp {
        McpTasks::Optional if options.background == Background::Never => McpTasks::Never,
        tasks => tasks,
    }
}

/// Description without the notices that speak of our own agent's turns.
pub(super) fn description(definition: &ToolDefinition) -> String {
    let mut text = &*definition.description;
    for notice in [
        ToolDefinition::FUTURES,
        ToolDefinition::NOTICE,
        ToolDefinition::NOTICE_ALWAYS,
    ] {
        text = text.strip_suffix(notice).unwrap_or(text).trim_end();
    }
    text.to_owned()
}

/// True if results have a structured form besides their text. A text or nothing has none: it would be sent twice.
pub(super) fn is_structured(tool: &dyn Tool) -> bool {
    output_schema(tool).is_some()
}

/// Schema of the structured results.
pub(super) fn output_schema(tool: &dyn Tool) -> Option<Map<String, Value>> {
    // A call that is handed off ends with a text, which would break the promise of a schema.
    if tool.options().hand_off.is_some() {
        return None;
    }
    let schema = tool.definition().output_schema.as_deref()?.as_object()?;
    // Media are blocks of their own, and a structure has no bytes.
    if schema.values().any(holds_media) || is_media(schema) {
        return None;
    }
    let kind = schema.get("type").and_then(Value::as_str);
    (!matches!(kind, Some("string" | "null"))).then(|| schema.clone())
}

fn holds_media(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => is_media(fields) || fields.values().any(holds_media),
        Value::Array(items) => items.iter().any(holds_media),
        _ => false,
    }
}

/// True for the schema of `Media`: its place among the media of the result, and its type.
fn is_media(schema: &Map<String, Value>) -> bool {
    schema
        .get("required")
        .is_some_and(|required| *required == json!(["media", "type"]))
}

/// Hints for hosts: read only, destructive, idempotent.
pub(super) fn hints(tool: &dyn Tool) -> (bool, bool, bool) {
    match tool.options().effect {
        Effect::Read => (true, false, true),
        // The class doesn't say if a call destroys something; hosts ask their users less if it were denied.
        Effect::Idempotent => (false, true, true),
        _ => (false, true, false),
    }
}
