//! Ends of calls, as MCP tells them.

use async_tool_runtime::{
    AsyncTaskResult, TaskOutcome, ToolError, ToolErrorKind,
    content::{Content, Media, MediaKind, Part},
    tool::ToolRegistry,
};
use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use super::offer;

/// Reason for which a task has no result after a restart.
pub(super) const INTERRUPTED: &str = "interrupted by a restart";

/// End of a call.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum End {
    /// The tool returned a value or an error of its own.
    Done(ToolResult),
    /// The call broke: an error of JSON-RPC.
    Broken(String),
    /// The client asked for it.
    Cancelled(String),
}

/// Result of a tool, as `CallToolResult` has it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ToolResult {
    pub(super) content: Vec<Value>,
    pub(super) structured: Option<Value>,
    pub(super) is_error: bool,
}

impl End {
    /// `by_client` is true if the client has asked for the end.
    pub(super) fn of(result: &AsyncTaskResult, registry: &ToolRegistry, by_client: bool) -> Self {
        match &result.outcome {
            TaskOutcome::Completed(value) => {
                let is_structured = registry
                    .find(&result.tool)
                    .is_some_and(|tool| offer::is_structured(&**tool));
                Self::Done(match result.media.as_slice() {
                    [] => ToolResult::of_value(value, is_structured),
                    media => ToolResult::of_media(result, value, media),
                })
            }
            TaskOutcome::Failed(error) => match error.kind() {
                ToolErrorKind::Panicked | ToolErrorKind::Internal | ToolErrorKind::Unknown => {
                    Self::Broken(error.model_message().to_owned())
                }
                _ => Self::Done(ToolResult::of_error(error)),
            },
            TaskOutcome::Cancelled(reason) if by_client => Self::Cancelled(reason.clone()),
            TaskOutcome::Cancelled(reason) => Self::Broken(format!("the server has stopped the call: {reason}")),
            TaskOutcome::Unknown(why) if why.starts_with(INTERRUPTED) => Self::Broken(why.clone()),
            TaskOutcome::Unknown(why) => Self::Broken(format!("{INTERRUPTED}: {why}")),
            _ => Self::Broken("the end of the call is of a kind that this version doesn't know".to_owned()),
        }
    }
}

impl ToolResult {
    fn of_value(value: &Value, is_structured: bool) -> Self {
        let text = match value {
            Value::String(text) => text.clone(),
            // A function without a value: some clients read the first block unasked.
            Value::Null => "done".to_owned(),
            value => value.to_string(),
        };
        Self {
            content: vec![text_block(text)],
            structured: is_structured.then(|| value.clone()),
            is_error: false,
        }
    }

    /// A value with images, sounds or files in it: the parts of a `Content` in their order, or else the media after the text of the value.
    fn of_media(result: &AsyncTaskResult, value: &Value, media: &[Media]) -> Self {
        let whole = result.whole_value();
        let content = whole.and_then(|whole| Content::deserialize(&*whole).ok());
        let content = match &content {
            Some(content) => content.parts().into_iter().map(part_block).collect(),
            None => {
                let text = text_block(value.to_string());
                std::iter::once(text).chain(media.iter().map(media_block)).collect()
            }
        };
        Self {
            content,
            structured: None,
            is_error: false,
        }
    }

    /// An error that the model reads, so that it can correct its call.
    pub(super) fn of_error(error: &ToolError) -> Self {
        let mut text = error.model_message().to_owned();
        if let Some(after) = error.retry_after() {
            text.push_str(&format!("; try again after {} s", after.as_secs_f64().ceil()));
        }
        Self::of_failure(text)
    }

    pub(super) fn of_failure(text: impl Into<String>) -> Self {
        Self {
            content: vec![text_block(text.into())],
            structured: None,
            is_error: true,
        }
    }

    /// A text that is no end of the call.
    pub(super) fn of_notice(text: impl Into<String>) -> Self {
        Self {
            is_error: false,
            ..Self::of_failure(text)
        }
    }

    /// The JSON of a `CallToolResult`.
    pub(super) fn to_json(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("resultType".to_owned(), json!("complete"));
        fields.insert("content".to_owned(), Value::Array(self.content.clone()));
        if let Some(structured) = &self.structured {
            fields.insert("structuredContent".to_owned(), structured.clone());
        }
        fields.insert("isError".to_owned(), json!(self.is_error));
        fields
    }
}

fn text_block(text: String) -> Value {
    json!({"type": "text", "text": text})
}

fn part_block(part: Part<'_>) -> Value {
    match part {
        Part::Text(text) => text_block(text.to_owned()),
        Part::Media(media) => media_block(media),
        _ => text_block("a part of a kind that this version doesn't know".to_owned()),
    }
}

fn media_block(media: &Media) -> Value {
    let kind = media.essence();
    let name = media.name().unwrap_or("attachment");
    match (media.to_base64(), media.as_url()) {
        (Some(data), _) => match media.kind() {
            MediaKind::Image => json!({"type": "image", "data": data, "mimeType": kind}),
            MediaKind::Audio => json!({"type": "audio", "data": data, "mimeType": kind}),
            _ => {
                let uri = format!(
                    "attachment:///{}",
                    name.replace(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.', "_")
                );
                json!({"type": "resource", "resource": {"uri": uri, "mimeType": kind, "blob": data}})
            }
        },
        (None, Some(url)) => json!({"type": "resource_link", "uri": url, "name": name, "mimeType": kind}),
        // The journal has lost them.
        (None, None) => text_block(format!("{} Its bytes are lost, and can't be sent.", media.describe())),
    }
}
