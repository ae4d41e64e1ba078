//! Questions of tools as forms that a client shows.

use async_tool_runtime::{TaskId, tool::InputRequest};
use serde_json::{Map, Value, json};

use super::wire::is_form_schema;

/// Open question of a call.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// Task that asks: the call's own, or one below it.
    pub(super) task: TaskId,
    pub(super) message: String,
    pub(super) schema: Value,
    shape: Shape,
}

/// Relation of a form's fields to the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// The field `approve`.
    Approval,
    /// The fields are the answer.
    Whole,
    /// The field `answer` is the answer.
    Field,
    /// The field `answer` is the answer as JSON: MCP's forms have only flat fields.
    Json,
}

/// Reply of a client.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reply {
    Answer(Value),
    Approve,
    Refuse(String),
    /// Text of the problem; the question is asked again.
    Invalid(String),
}

impl Question {
    pub(super) fn new(task: TaskId, tool: &str, request: &InputRequest) -> Option<Self> {
        let (message, schema, shape) = match request {
            InputRequest::Approval { arguments } => (
                format!("Allow the call of `{tool}` with {}?", json!(arguments)),
                object_of("approve", json!({"type": "boolean", "title": "Allow the call"})),
                Shape::Approval,
            ),
            InputRequest::Input { prompt, schema } => {
                let (schema, shape) = form(schema);
                (prompt.clone(), schema, shape)
            }
            _ => return None,
        };
        Some(Self {
            task,
            message,
            schema,
            shape,
        })
    }

    /// Beginning of the question's key: the title of the answer's schema, its only field, or the form's kind.
    pub(super) fn stem(&self) -> String {
        let title = self.schema.get("title").and_then(Value::as_str);
        let fields = self.schema.get("properties").and_then(Value::as_object);
        let only = fields
            .filter(|fields| fields.len() == 1)
            .and_then(|fields| fields.keys().next());
        match (self.shape, title.or(only.map(String::as_str))) {
            (Shape::Approval, _) => "approval".to_owned(),
            (Shape::Whole, Some(name)) => snake_case(name),
            _ => "answer".to_owned(),
        }
    }

    /// True if the other question is the same, or the same one asked again.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.schema == other.schema && self.message.ends_with(&other.message)
    }

    /// The same question, after an answer that doesn't fit.
    pub(super) fn again(mut self, problem: &str) -> Self {
        self.message = format!("The last answer doesn't fit: {problem}. {}", self.message);
        self
    }

    /// The request for the client.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "method": "elicitation/create",
            "params": {"mode": "form", "message": self.message, "requestedSchema": self.schema},
        })
    }

    /// Reads a client's response, which is an `ElicitResult`.
    pub(super) fn read(&self, response: &Value) -> Reply {
        match response.get("action").and_then(Value::as_str) {
            Some("accept") => {}
            Some("decline") => return Reply::Refuse("the user has declined".to_owned()),
            Some("cancel") => return Reply::Refuse("the user has dismissed the question".to_owned()),
            _ => return Reply::Invalid("`action` must be `accept`, `decline` or `cancel`".to_owned()),
        }
        let Some(content) = response.get("content").and_then(Value::as_object) else {
            return Reply::Invalid("`content` must be an object".to_owned());
        };
        let field = |name: &str| {
            let value = content.get(name).cloned();
            value.ok_or_else(|| Reply::Invalid(format!("`content` lacks `{name}`")))
        };
        let read = match self.shape {
            Shape::Approval => field("approve").map(|value| match value {
                Value::Bool(true) => Reply::Approve,
                Value::Bool(false) => Reply::Refuse("the user has not allowed it".to_owned()),
                _ => Reply::Invalid("`approve` must be true or false".to_owned()),
            }),
            // Some clients send fields of other forms too.
            Shape::Whole => {
                let known = self.schema.get("properties").and_then(Value::as_object);
                let is_known = |name: &str| known.is_some_and(|known| known.contains_key(name));
                let fields = content.iter().filter(|(name, _)| is_known(name));
                Ok(Reply::Answer(
                    fields.map(|(name, value)| (name.clone(), value.clone())).collect(),
                ))
            }
            Shape::Field => field("answer").map(Reply::Answer),
            Shape::Json => field("answer").map(|value| {
                let text = value.as_str().unwrap_or_default();
                match serde_json::from_str(text) {
                    Ok(value) => Reply::Answer(value),
                    Err(error) => Reply::Invalid(format!("`answer` must be a text with JSON: {error}")),
                }
            }),
        };
        read.unwrap_or_else(|problem| problem)
    }
}

/// Form for answers of a schema: an object with flat fields.
fn form(schema: &Value) -> (Value, Shape) {
    let mut whole = schema.clone();
    if let Some(fields) = whole.as_object_mut() {
        for other in ["$schema", "$defs", "additionalProperties"] {
            fields.remove(other);
        }
        if is_form_schema(&whole) {
            return (whole, Shape::Whole);
        }
    }
    let mut field = schema.clone();
    if let Some(fields) = field.as_object_mut() {
        fields.remove("$schema");
    }
    let one = object_of("answer", field);
    if is_form_schema(&one) {
        return (one, Shape::Field);
    }
    let described = format!("JSON of this schema: {schema}");
    (
        object_of("answer", json!({"type": "string", "description": described})),
        Shape::Json,
    )
}

fn object_of(name: &str, field: Value) -> Value {
    let mut properties = Map::new();
    properties.insert(name.to_owned(), field);
    json!({"type": "object", "properties": properties, "required": [name]})
}

fn snake_case(title: &str) -> String {
    let mut name = String::new();
    for letter in title.chars() {
        if !letter.is_ascii_alphanumeric() {
            if !name.is_empty() && !name.ends_with('_') {
                name.push('_');
            }
        } else {
            if letter.is_ascii_uppercase() && !name.is_empty() && !name.ends_with('_') {
                name.push('_');
            }
            name.push(letter.to_ascii_lowercase());
        }
    }
    let name = name.trim_end_matches('_');
    if name.is_empty() {
        "answer".to_owned()
    } else {
        name.to_owned()
    }
}
