//! Results of other tasks as arguments.

use serde_json::Value;

use super::{ToolError, ToolErrorKind};
use crate::TaskNo;

/// An argument that is the result of another task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FutureArgument {
    pub(crate) position: String,
    pub(crate) source: TaskRef,
    pub(crate) pointer: String,
}

/// A task, as an argument names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskRef {
    Number(TaskNo),
    /// The n-th call of the same turn; the first is 1.
    Call(usize),
}

pub(crate) fn find_futures(arguments: &Value) -> Result<Vec<FutureArgument>, ToolError> {
    let mut found = Vec::new();
    walk(arguments, String::new(), &mut found)?;
    Ok(found)
}

fn walk(value: &Value, at: String, found: &mut Vec<FutureArgument>) -> Result<(), ToolError> {
    match value {
        Value::Object(fields) if fields.contains_key("$task") => {
            let text = fields["$task"].as_str().unwrap_or_default();
            let source = match (text.parse(), text.strip_prefix('#').and_then(|n| n.parse().ok())) {
                (Ok(number), _) => TaskRef::Number(number),
                (_, Some(place)) => TaskRef::Call(place),
                _ => return Err(ToolError::new(ToolErrorKind::InvalidArguments, "bad $task")),
            };
            let pointer = fields
                .get("pointer")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
            found.push(FutureArgument {
                position: at,
                source,
                pointer,
            });
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                walk(
                    value,
                    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")),
                    found,
                )?;
            }
        }
        Value::Array(items) => {
            for (place, value) in items.iter().enumerate() {
                walk(value, format!("{at}/{place}"), found)?;
            }
        }
        _ => {}
    }
    Ok(())
}
