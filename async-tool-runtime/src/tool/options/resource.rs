//! Arguments that name resources.

use std::{fmt, sync::Arc};

use serde_json::Value;

use crate::tool::nearest::nearest;

/// Argument whose value names a resource: `reads = "path"`, `writes = "path:destination"`.
///
/// The kind separates resources whose values may look the same. It also lets arguments with different names mean the same resource.
///
/// ```
/// use async_tool_runtime::{async_tool, Tool};
///
/// /// Copies a file.
/// #[async_tool(reads = "path:source", writes = "path:destination")]
/// async fn copy_file(source: String, destination: String) {
///     # let _ = (source, destination);
///     // …
/// }
///
/// let tool = copy_file::tool();
/// let written = &tool.options().writes[0];
/// assert_eq!((&*written.kind, &*written.argument), ("path", "destination"));
/// assert_eq!(written.to_string(), "path:destination");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ResourceArgument {
    /// Kind of the resource, such as `path`. Default: the name of the argument.
    pub kind: Arc<str>,
    /// Name of the argument, as the model writes it.
    pub argument: Arc<str>,
}

impl ResourceArgument {
    /// Parses a list with commas; each item is `argument` or `kind:argument`.
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

    /// Checks the argument against the input schema of its tool; the error says what to write instead.
    pub(crate) fn check(&self, key: &str, schema: &Value) -> Result<(), String> {
        if self.kind.is_empty() {
            return Err(format!(
                "`{key}` must name a kind before the `:`: write `{key} = \"kind:argument\"`"
            ));
        }
        check_argument(key, &self.argument, schema)
    }
}

/// Checks that the input schema of a tool has the argument that the setting `key` names; the error says what to write instead.
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
    // With serde_json's feature `preserve_order`, which any crate in the program can turn on, the map isn't sorted.
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
