//! Ends of calls, as MCP tells them.

use async_tool_runtime::{AsyncTaskResult, TaskOutcome, ToolError, ToolErrorKind, tool::ToolRegistry};
use serde_json::{Map, Value, json};

use super::offer;

/// Why a task has no result after a restart.
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
                Self::Done(ToolResult::of_value(value, is_structured))
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
