//! Redaction of calls and results that are in no journal. Those of a journal are redacted already.

use async_tool_runtime::{TaskOutcome, Tool, agent::REDACTED};
use serde_json::Value;

/// Arguments without those that the tool marks as secret. Unknown arguments of such a tool are left out too, because a secret may have a
/// misspelt name.
pub(crate) fn arguments(tool: Option<&dyn Tool>, arguments: &Value) -> Value {
    let Some(tool) = tool else { return arguments.clone() };
    let secret = &tool.options().sensitive_arguments;
    if secret.is_empty() {
        return arguments.clone();
    }
    let Value::Object(fields) = arguments else {
        return REDACTED.into();
    };
    let known = tool
        .definition()
        .input_schema
        .get("properties")
        .and_then(Value::as_object);
    let shown = fields.iter().map(|(name, value)| {
        let is_secret = secret.iter().any(|secret| **secret == **name);
        let is_known = known.is_some_and(|known| known.contains_key(name));
        let value = if is_secret || !is_known {
            REDACTED.into()
        } else {
            value.clone()
        };
        (name.clone(), value)
    });
    Value::Object(shown.collect())
}

/// True if calls of the tool have secrets.
pub(crate) fn has_secrets(tool: Option<&dyn Tool>) -> bool {
    let options = tool.map(Tool::options);
    options.is_some_and(|options| options.sensitive_result || !options.sensitive_arguments.is_empty())
}

/// True if an outcome may have a secret of the tool.
pub(crate) fn hides(tool: Option<&dyn Tool>, outcome: &TaskOutcome) -> bool {
    let Some(tool) = tool else { return false };
    let options = tool.options();
    // A message of a failure may quote the arguments.
    options.sensitive_result || !options.sensitive_arguments.is_empty() && !outcome.is_completed()
}
