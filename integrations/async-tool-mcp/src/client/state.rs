//! State of a task of the server.

use std::time::Duration;

use serde_json::{Map, Value};

use super::failure::Failure;

/// State of a task of the server, as it last told.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TaskState {
    pub(super) id: String,
    pub(super) progress: TaskProgress,
    pub(super) status_message: Option<String>,
    /// Interval between polls that the server asks for.
    pub(super) poll_interval: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum TaskProgress {
    Working,
    /// Open questions by key.
    InputRequired(Map<String, Value>),
    Completed(Value),
    Failed(Value),
    Cancelled,
}

impl TaskState {
    /// Reads the task out of the answer to `tools/call` or `tasks/get`.
    pub(super) fn read(answer: &Value) -> Result<Self, Failure> {
        let invalid = |what: &str| Failure::Invalid(format!("the task has no {what}"));
        let id = answer["taskId"].as_str().filter(|id| !id.is_empty());
        let progress = match answer["status"].as_str() {
            Some("working") => TaskProgress::Working,
            Some("input_required") => {
                // The answer to `tools/call` has the status alone.
                let requests = answer.get("inputRequests").and_then(Value::as_object);
                TaskProgress::InputRequired(requests.cloned().unwrap_or_default())
            }
            Some("completed") => match answer.get("result") {
                Some(result @ Value::Object(_)) => TaskProgress::Completed(result.clone()),
                // It is in the answer to the next `tasks/get`.
                None if answer["resultType"] == "task" => TaskProgress::Working,
                _ => return Err(invalid("`result`, although it is completed")),
            },
            Some("failed") => match answer.get("error") {
                Some(error @ Value::Object(_)) => TaskProgress::Failed(error.clone()),
                None if answer["resultType"] == "task" => TaskProgress::Working,
                _ => return Err(invalid("`error`, although it failed")),
            },
            Some("cancelled") => TaskProgress::Cancelled,
            _ => return Err(invalid("known status")),
        };
        Ok(Self {
            id: id.ok_or_else(|| invalid("id"))?.to_owned(),
            progress,
            status_message: answer["statusMessage"].as_str().map(str::to_owned),
            poll_interval: answer["pollIntervalMs"].as_u64().map(Duration::from_millis),
        })
    }
}
