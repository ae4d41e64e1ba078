//! Traversal of every schema in a schema.

use serde_json::{Map, Value};

/// Keywords whose value maps names to schemas.
const MAPS: [&str; 5] = [
    "properties",
    "patternProperties",
    "$defs",
    "definitions",
    "dependentSchemas",
];

/// Keywords whose value is a list of schemas. Before 2020-12, `items` may be a list too.
const LISTS: [&str; 5] = ["anyOf", "oneOf", "allOf", "prefixItems", "items"];

/// Keywords whose value is a schema.
const SCHEMAS: [&str; 11] = [
    "items",
    "additionalProperties",
    "propertyNames",
    "contains",
    "not",
    "if",
    "then",
    "else",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
];

/// Visits every schema that is an object, inner ones first, with its JSON pointer.
///
/// Values (`default`, `const`, `enum`, `examples`) are not visited, and neither are maps of names, because a property
/// may have the name `title`.
pub(super) fn walk<E>(
    schema: &mut Value,
    path: &mut String,
    visit: &mut dyn FnMut(&mut Map<String, Value>, &str) -> Result<(), E>,
) -> Result<(), E> {
    let Value::Object(object) = schema else {
        return Ok(());
    };
    each_child(object, path, &mut |child, path| walk(child, path, visit))?;
    visit(object, path)
}

/// Calls `f` with each schema directly below `object`, booleans included, and its JSON pointer.
pub(super) fn each_child<E>(
    object: &mut Map<String, Value>,
    path: &mut String,
    f: &mut dyn FnMut(&mut Value, &mut String) -> Result<(), E>,
) -> Result<(), E> {
    let here = path.len();
    for (keyword, value) in object {
        match value {
            Value::Object(schemas) if MAPS.contains(&keyword.as_str()) => {
                for (name, child) in schemas {
                    push(path, keyword);
                    push(path, name);
                    f(child, path)?;
                    path.truncate(here);
                }
            }
            Value::Array(schemas) if LISTS.contains(&keyword.as_str()) => {
                for (index, child) in schemas.iter_mut().enumerate() {
                    push(path, keyword);
                    push(path, &index.to_string());
                    f(child, path)?;
                    path.truncate(here);
                }
            }
            Value::Object(_) | Value::Bool(_) if SCHEMAS.contains(&keyword.as_str()) => {
                push(path, keyword);
                f(value, path)?;
                path.truncate(here);
            }
            _ => {}
        }
    }
    Ok(())
}

fn push(path: &mut String, segment: &str) {
    path.push('/');
    path.push_str(&escape(segment));
}

/// Escapes a name for a JSON pointer (RFC 6901).
pub(super) fn escape(segment: &str) -> String {
    segment.replace('~', "~0").replace('/', "~1")
}
