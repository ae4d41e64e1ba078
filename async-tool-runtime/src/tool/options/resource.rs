//! Which arguments of a tool name what its calls read and write.

use std::{fmt, sync::Arc};

use serde_json::Value;

use crate::tool::nearest::nearest;

/// An argument whose value names a resource: `reads = "path"`, `writes = "path:destination"`.
///
/// The kind tells apart resources whose values may look the same, and makes tools mean the same thing whose arguments have different
/// names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ResourceArgument {
    /// What the value is the name of: `path`. By default the name of the argument.
    pub kind: Arc<str>,
    /// The name of the argument, as the model writes it.
    pub argument: Arc<str>,
}

impl ResourceArgument {
    /// Reads a list of arguments, each alone or as `kind:argument`, with commas between them.
    pub(crate) fn list(text: &str) -> Vec<Self> {
        if text.trim().is_empty() {
            return Vec::new();
        }
        let arguments = text.split(',').map(|part| {
            let (kind, argument) = part.split_once(':').unwrap_or((part, part));
            Self {
                kind: kind.trim().into(),
                argument: argument.trim().into(),
            }
        });
        arguments.collect()
    }

    /// What is wrong with it for a tool with this input schema.
    pub(crate) fn check(&self, key: &str, schema: &Value) -> Result<(), String> {
        if self.kind.is_empty() {
            return Err(format!(
                "`{key}` must name a kind before the `:`: write `{key} = \"kind:argument\"`"
            ));
        }
        check_argument(key, &self.argument, schema)
    }
}

/// What is wrong with a name that `key` gives for an argument of a tool with this input schema.
pub(crate) fn check_argument(key: &str, argument: &str, schema: &Value) -> Result<(), String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    if properties.is_some_and(|properties| properties.contains_key(argument)) {
        return Ok(());
    }
    let known = || {
        properties
            .into_iter()
            .flat_map(|properties| properties.keys().map(String::as_str))
    };
    let meant = match nearest(argument, known()) {
        Some(meant) => format!("write `{meant}`; "),
        None => String::new(),
    };
    let mut names: Vec<_> = known().map(|name| format!("`{name}`")).collect();
    // A feature of serde_json, which any crate in the program can turn on, keeps the order in which they came.
    names.sort_unstable();
    let names = match names.as_slice() {
        [] => "it has none".to_owned(),
        names => format!("the arguments are {}", names.join(", ")),
    };
    Err(format!(
        "`{key}` must name arguments of the tool, and `{argument}` is none: {meant}{names}"
    ))
}

impl fmt::Display for ResourceArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == self.argument {
            f.write_str(&self.argument)
        } else {
            write!(f, "{}:{}", self.kind, self.argument)
        }
    }
}
