//! Results that the `task` tool hands over.
//!
//! The tool's answer holds the results. With native calls, each result becomes the output of its own call instead. The
//! outputs come first, then the tool's answer, which refers to them.

use std::time::Duration;

use async_tool_runtime::{TaskNo, ToolCall};
use serde_json::{Value, json};

use super::fate::Fates;

/// Longest arguments in a row, in bytes.
const ARGUMENT_BYTES: usize = 120;

/// Status fields of a row. In a row that hands over a result, all other fields are parts of the result.
const STATUS: [&str; 5] = ["task", "tool", "status", "elapsed_ms", "progress"];
/// Fields that only a row with a result has.
const RESULT: [&str; 5] = ["result", "error", "text", "value", "matches"];

/// An answer of the `task` tool, from which results are taken.
#[derive(Debug)]
pub(super) struct Report {
    content: Value,
}

impl Report {
    pub(super) fn new(content: &Value) -> Self {
        Self {
            content: content.clone(),
        }
    }

    /// Takes this task's result out, and leaves a note that says where it is.
    pub(super) fn take(&mut self, number: TaskNo) -> Option<Value> {
        let is_collapsed = self.content.get("collapsed").cloned();
        let row = rows_mut(&mut self.content).find(|row| self::number(row) == Some(number))?;
        let told = match is_collapsed {
            Some(collapsed) => {
                let mut told = row.clone();
                told["collapsed"] = collapsed;
                told
            }
            None => told(row),
        };
        if let Some(fields) = row.as_object_mut() {
            fields.retain(|name, _| STATUS.contains(&name.as_str()));
            fields.insert("note".into(), json!("its result is the output of its own call"));
        }
        Some(told)
    }

    /// The answer without the taken results. A model that saw no acknowledgement of a call doesn't know its number, so
    /// each such row names its call.
    pub(super) fn into_value(mut self, fates: &Fates) -> Value {
        for row in rows_mut(&mut self.content) {
            let Some(unnamed) = number(row).and_then(|number| fates.unnamed(number)) else {
                continue;
            };
            if let Some(fields) = row.as_object_mut() {
                fields.insert("call".into(), json!(unnamed.call));
                if unnamed.arguments.to_string().len() <= ARGUMENT_BYTES {
                    fields.insert("arguments".into(), unnamed.arguments.value().clone());
                }
            }
        }
        self.content
    }
}

/// The tasks whose results an answer of the `task` tool hands over, each with its duration if the answer has it.
pub(super) fn handed_over(content: &Value, call: Option<&ToolCall>) -> Vec<(TaskNo, Option<Duration>)> {
    // A collapsed row has lost its result, so the requested action tells whether it had one.
    let hands_over = call.is_some_and(|call| matches!(action(call).as_deref(), Some("wait" | "result")));
    let is_collapsed = content.get("collapsed").is_some() && hands_over;
    rows(content)
        .filter(|row| is_terminal(row) && (is_collapsed || RESULT.iter().any(|name| row.get(name).is_some())))
        .filter_map(|row| {
            let number = number(row)?;
            let elapsed = row.get("elapsed_ms").and_then(Value::as_u64).map(Duration::from_millis);
            Some((number, elapsed))
        })
        .collect()
}

/// The result in the form that an answer to its call would have.
fn told(row: &Value) -> Value {
    let message = |name: &str| {
        let error = row.get("error")?;
        Some(json!({name: error.get("message")?, "note": error.get("note")}))
    };
    let status = row.get("status").and_then(Value::as_str).unwrap_or_default();
    let whole = match (row.get("result"), row.get("error"), status) {
        (Some(result), _, _) => Some(result.clone()),
        (_, Some(_), "cancelled" | "unknown") => message(status),
        (_, Some(error), _) => Some(json!({"error": error})),
        (None, None, _) => None,
    };
    whole.unwrap_or_else(|| row.clone())
}

fn rows(content: &Value) -> impl Iterator<Item = &Value> {
    let listed = content
        .get("tasks")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let alone = content.get("task").map(|_| content);
    listed.iter().chain(alone)
}

fn rows_mut(content: &mut Value) -> Box<dyn Iterator<Item = &mut Value> + '_> {
    if content.get("task").is_some() {
        return Box::new(std::iter::once(content));
    }
    Box::new(
        content
            .get_mut("tasks")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten(),
    )
}

fn number(row: &Value) -> Option<TaskNo> {
    row.get("task")?.as_str()?.parse().ok()
}

fn is_terminal(row: &Value) -> bool {
    matches!(
        row.get("status").and_then(Value::as_str),
        Some("completed" | "failed" | "cancelled" | "unknown")
    )
}

/// The requested action of the `task` tool. The runtime repairs arguments that were encoded twice, so this function
/// does too.
fn action(call: &ToolCall) -> Option<String> {
    let arguments = call.arguments.value();
    let repaired = arguments
        .as_str()
        .and_then(|text| serde_json::from_str::<Value>(text).ok());
    let arguments = repaired.as_ref().unwrap_or(arguments);
    Some(arguments.get("action")?.as_str()?.to_owned())
}
