//! Answers to `tools/call`, as the specification wants them read.

use serde_json::{Map, Value};

use super::{failure::Failure, state::TaskState};

/// Answer to a `tools/call`.
#[derive(Debug)]
pub(super) enum Reply {
    /// Result of the call.
    Complete(Value),
    /// The call goes on as a task of the server.
    Task(TaskState),
    /// The server asks before it begins. The call is repeated with the answers.
    InputRequired {
        requests: Map<String, Value>,
        /// State of the server's, which comes back unread.
        state: Option<Value>,
    },
}

impl Reply {
    /// Reads an answer. An answer without a type is complete; one of an unknown type is invalid.
    pub(super) fn of_call(answer: Value) -> Result<Self, Failure> {
        match result_type(&answer)? {
            "complete" => Ok(Self::Complete(answer)),
            "task" => TaskState::read(&answer).map(Self::Task),
            "input_required" => {
                let requests = match answer.get("inputRequests") {
                    None | Some(Value::Null) => Map::new(),
                    Some(Value::Object(requests)) => requests.clone(),
                    Some(_) => return Err(Failure::Invalid("`inputRequests` is no object".to_owned())),
                };
                let state = answer.get("requestState").filter(|state| !state.is_null()).cloned();
                if requests.is_empty() && state.is_none() {
                    return Err(Failure::Invalid("it wants input, and doesn't say which".to_owned()));
                }
                Ok(Self::InputRequired { requests, state })
            }
            other => Err(unexpected(other)),
        }
    }
}

/// Checks the answer of any other method, which is complete or invalid.
pub(super) fn complete(answer: Value) -> Result<Value, Failure> {
    match result_type(&answer)? {
        "complete" => Ok(answer),
        other => Err(unexpected(other)),
    }
}

fn result_type(answer: &Value) -> Result<&str, Failure> {
    match answer {
        Value::Object(fields) => match fields.get("resultType") {
            None => Ok("complete"),
            Some(Value::String(name)) => Ok(name),
            Some(other) => Err(Failure::Invalid(format!("`resultType` is {other}"))),
        },
        other => Err(Failure::Invalid(format!("the result is {other}"))),
    }
}

fn unexpected(result_type: &str) -> Failure {
    Failure::Invalid(format!(
        "a result of the type `{result_type}` is no answer to this request"
    ))
}
