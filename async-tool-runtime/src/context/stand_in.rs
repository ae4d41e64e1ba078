//! Short replacement for a result that the model has seen.

use serde_json::{Map, Value, json};

use crate::task::{AsyncTaskResult, TaskOutcome, json_bytes};

/// Replacement for a result. The `task` tool can show the whole result again.
#[derive(Clone, Copy)]
pub(super) struct StandIn<'a> {
    pub(super) task: &'a str,
    pub(super) bytes: usize,
    /// Handle in the preview that the model saw, if there was one.
    pub(super) handle: Option<&'a str>,
}

impl StandIn<'_> {
    /// Adds the replacement to a JSON object; `prefix` precedes the size.
    pub(super) fn write(self, object: &mut Map<String, Value>, prefix: &str) {
        let Self { task, bytes, .. } = self;
        object.insert("task".into(), json!(task));
        object.insert(
            "collapsed".into(),
            json!(format!(
                "{prefix}{bytes} bytes; the tool `task` shows them again as {task}"
            )),
        );
        if let Some(handle) = self.handle.filter(|handle| *handle != task) {
            object.insert("handle".into(), json!(handle));
        }
    }
}

/// Answer that replaces a result.
pub(super) fn stand_in(result: &AsyncTaskResult) -> Value {
    let task = result
        .number
        .map_or_else(|| result.task.to_string(), |number| number.to_string());
    let preview = result.preview.as_deref();
    let bytes = preview.map_or_else(|| size_of(&result.outcome), |preview| preview.bytes);
    let status = status_of(&result.outcome);
    let mut object = Map::new();
    let stand_in = StandIn {
        task: &task,
        bytes,
        handle: preview.map(|preview| preview.handle.as_str()),
    };
    stand_in.write(&mut object, &format!("{status}, "));
    Value::Object(object)
}

const fn status_of(outcome: &TaskOutcome) -> &'static str {
    match outcome {
        TaskOutcome::Completed(_) => "completed",
        TaskOutcome::Failed(_) => "failed",
        TaskOutcome::Cancelled(_) => "cancelled",
        TaskOutcome::Unknown(_) => "unknown",
    }
}

fn size_of(outcome: &TaskOutcome) -> usize {
    match outcome {
        TaskOutcome::Completed(value) => size(value),
        TaskOutcome::Failed(error) => error.model_message().len(),
        TaskOutcome::Cancelled(text) | TaskOutcome::Unknown(text) => text.len(),
    }
}

/// Length of a value's JSON, in bytes.
pub(super) fn size(value: &Value) -> usize {
    json_bytes(value).expect("a value is JSON")
}
