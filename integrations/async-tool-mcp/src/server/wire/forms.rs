//! Forms, as rmcp's types take them.

use rmcp::model::{ElicitRequestParams, ElicitationSchema, InputRequest};
use serde_json::Value;

/// True if a schema is that of a form: an object with flat fields.
pub(in crate::server) fn is_form_schema(schema: &Value) -> bool {
    // The types drop keywords that they don't know, and an answer must fit the whole schema.
    let is_flat = |field: &Value| {
        let kind = field.get("type").and_then(Value::as_str);
        let is_plain = matches!(kind, Some("string" | "number" | "integer" | "boolean"));
        is_plain
            && ["$ref", "anyOf", "allOf", "not"]
                .iter()
                .all(|key| field.get(key).is_none())
    };
    let fields = schema.get("properties").and_then(Value::as_object);
    schema.get("type").and_then(Value::as_str) == Some("object")
        && fields.is_some_and(|fields| fields.values().all(is_flat))
        && serde_json::from_value::<ElicitationSchema>(schema.clone()).is_ok()
}

/// The request as rmcp has it. `None` can't be: each form was checked.
pub(super) fn input_request(question: &Value) -> Option<InputRequest> {
    serde_json::from_value(question.clone()).ok()
}

pub(super) fn elicitation(question: &Value) -> Option<ElicitRequestParams> {
    serde_json::from_value(question.get("params")?.clone()).ok()
}
