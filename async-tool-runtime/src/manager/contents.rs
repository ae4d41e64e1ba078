//! Arguments and results in spans, for hosts that opt in.

use serde_json::Value;
use tracing::{Span, field::display};

use crate::{
    task::{TaskOutcome, TaskSpec},
    tool::{ToolRegistry, shorten},
};

/// Longest text of arguments or of a result in a span, in characters.
const SHOWN: usize = 4_096;

const REDACTED: &str = "[redacted]";

/// Records the arguments of a call without those that are marked as sensitive; of a call that holds the secret result of another,
/// nothing.
pub(super) fn record_arguments(span: &Span, registry: &ToolRegistry, task: &TaskSpec) {
    let arguments = &task.call.arguments;
    let tool = registry.find(&task.call.name).filter(|_| !task.holds_secret);
    let secret = tool.map_or(&[][..], |tool| &tool.options().sensitive_arguments[..]);
    let shown = match (tool, secret) {
        (Some(_), []) => arguments.to_string(),
        (Some(tool), secret) => {
            // A secret may have a misspelt name, so unknown arguments are no safer than marked ones.
            let properties = tool
                .definition()
                .input_schema
                .get("properties")
                .and_then(Value::as_object);
            let is_public = |name: &str| {
                properties.is_some_and(|known| known.contains_key(name))
                    && !secret.iter().any(|secret| **secret == *name)
            };
            match arguments.value().clone() {
                Value::Object(mut arguments) => {
                    for (name, value) in &mut arguments {
                        if !is_public(name) {
                            *value = REDACTED.into();
                        }
                    }
                    Value::Object(arguments).to_string()
                }
                _ => REDACTED.to_owned(),
            }
        }
        (None, _) => REDACTED.to_owned(),
    };
    span.record("gen_ai.tool.call.arguments", display(shorten(&shown, SHOWN)));
}

/// Records the value or the error of a call, unless the tool's result is marked as sensitive.
pub(super) fn record_result(span: &Span, registry: &ToolRegistry, task: &TaskSpec, outcome: &TaskOutcome) {
    // A result may repeat a secret result of another task, and the message of an error may repeat arguments.
    let tool = registry.find(&task.call.name).filter(|_| !task.holds_secret);
    let is_secret = tool.is_none_or(|tool| {
        let options = tool.options();
        options.sensitive_result || !outcome.is_completed() && !options.sensitive_arguments.is_empty()
    });
    let shown = match outcome {
        _ if is_secret => REDACTED.to_owned(),
        TaskOutcome::Completed(value) => value.to_string(),
        TaskOutcome::Failed(error) => error.message().to_owned(),
        TaskOutcome::Cancelled(reason) | TaskOutcome::Unknown(reason) => reason.clone(),
    };
    span.record("gen_ai.tool.call.result", display(shorten(&shown, SHOWN)));
}
