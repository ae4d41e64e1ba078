//! Message that completes a task.

use async_tool_runtime::{SessionId, TaskId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Order;

/// End of a task, as a message: from the function itself, or from Lambda for a function that failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// Task that has ended.
    pub task: TaskId,
    /// Its session.
    pub session: SessionId,
    /// Result, or the reason of the failure.
    pub end: Result<Value, String>,
}

impl Completion {
    /// Completion of an order.
    #[must_use]
    pub fn of(order: &Order, value: Value) -> Self {
        Self {
            task: order.task,
            session: order.session.clone(),
            end: Ok(value),
        }
    }

    /// Text of the message.
    #[must_use]
    pub fn to_message(&self) -> String {
        match &self.end {
            Ok(value) => json!({"task": self.task, "session": self.session, "value": value}),
            Err(why) => json!({"task": self.task, "session": self.session, "error": why}),
        }
        .to_string()
    }

    /// Reads a message, also one of Lambda's `OnFailure` destination, which has the function's payload in it.
    ///
    /// ```
    /// # use aws::Completion;
    /// let task = async_tool_runtime::TaskId::new();
    /// let failed = serde_json::json!({
    ///     "requestContext": {"condition": "RetriesExhausted"},
    ///     "requestPayload": {"task": task, "session": "ann"},
    ///     "responsePayload": {"errorMessage": "no orders"},
    /// });
    /// let completion = Completion::read(&failed.to_string()).unwrap();
    /// assert_eq!(completion.task, task);
    /// assert!(completion.end.unwrap_err().contains("no orders"));
    /// ```
    ///
    /// # Errors
    ///
    /// Reason for which it is no such message.
    pub fn read(message: &str) -> Result<Self, String> {
        match serde_json::from_str(message).map_err(|error| format!("no completion of a task: {error}"))? {
            Wire::Completed { task, session, value } => Ok(Self {
                task,
                session,
                end: Ok(value),
            }),
            Wire::Failed { task, session, error } => Ok(Self {
                task,
                session,
                end: Err(error),
            }),
            Wire::Undelivered {
                request_payload: Whose { task, session },
                request_context,
                response_payload,
            } => {
                let said = response_payload.get("errorMessage").and_then(Value::as_str);
                let condition = request_context.condition;
                let why = said.map_or_else(
                    || format!("the function was not carried out ({condition})"),
                    |said| format!("the function failed ({condition}): {said}"),
                );
                Ok(Self {
                    task,
                    session,
                    end: Err(why),
                })
            }
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Wire {
    Completed {
        task: TaskId,
        session: SessionId,
        value: Value,
    },
    Failed {
        task: TaskId,
        session: SessionId,
        error: String,
    },
    #[serde(rename_all = "camelCase")]
    Undelivered {
        request_payload: Whose,
        request_context: Condition,
        // Absent if the event grew too old before the function ran.
        #[serde(default)]
        response_payload: Value,
    },
}

#[derive(Serialize, Deserialize)]
struct Whose {
    task: TaskId,
    session: SessionId,
}

#[derive(Serialize, Deserialize)]
struct Condition {
    condition: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_completion_reads_what_it_writes_also_a_result_that_is_null() {
        for end in [
            Ok(json!({"a": [1, null]})),
            Ok(Value::Null),
            Err("no orders".to_owned()),
        ] {
            let completion = Completion {
                task: TaskId::new(),
                session: "ann".into(),
                end,
            };
            assert_eq!(Completion::read(&completion.to_message()), Ok(completion));
        }
    }

    #[test]
    fn an_event_that_grew_too_old_is_a_failure() {
        let task = TaskId::new();
        let message = json!({
            "requestContext": {"condition": "EventAgeExceeded", "approximateInvokeCount": 0},
            "requestPayload": {"task": task, "session": "ann", "customer": "ann"},
        });
        let completion = Completion::read(&message.to_string()).unwrap();
        assert_eq!((completion.task, &completion.session), (task, &"ann".into()));
        assert_eq!(
            completion.end.unwrap_err(),
            "the function was not carried out (EventAgeExceeded)"
        );
    }

    #[test]
    fn other_messages_are_refused() {
        for message in [
            "",
            "hello",
            "{}",
            r#"{"task": "x", "session": "s", "value": 1}"#,
            r#"{"session": "s", "value": 1}"#,
        ] {
            assert!(
                Completion::read(message).unwrap_err().starts_with("no completion"),
                "{message}"
            );
        }
    }
}
