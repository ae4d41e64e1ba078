//! Keywords of a dialect, and the treatment of all others.

use serde_json::{Map, Value};

use super::{document::Document, limit, object::unknown_requirement, refusal::Refusal};

/// Treatment of a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The dialect has the keyword.
    Keep,
    /// The keyword goes into the description.
    Describe,
    /// The keyword doesn't limit values, or the dialect implies it.
    Drop,
    /// The dialect can't express the keyword.
    Refuse,
}

impl Fate {
    /// Treatment of a keyword that a dialect lacks.
    pub(super) fn of_missing(keyword: &str) -> Self {
        match keyword {
            "minimum" | "exclusiveMinimum" | "maximum" | "exclusiveMaximum" | "multipleOf" | "minLength"
            | "maxLength" | "pattern" | "format" | "contentEncoding" | "contentMediaType" | "minItems" | "maxItems"
            | "uniqueItems" | "minProperties" | "maxProperties" | "default" | "examples" | "deprecated" => {
                Self::Describe
            }
            _ if explain(keyword).is_some() => Self::Refuse,
            // By the specification, readers may ignore unknown annotations.
            _ => Self::Drop,
        }
    }
}

/// Keeps, describes, drops or refuses every keyword of the document.
pub(super) fn restrict(document: &mut Document, fate: impl Fn(&str, &Value) -> Fate) -> Result<(), Refusal> {
    document.walk(&mut |object, path| {
        limit::describe(object, |keyword, value| fate(keyword, value) == Fate::Describe);
        object.retain(|keyword, value| fate(keyword, value) != Fate::Drop);
        match object
            .iter()
            .find(|(keyword, value)| fate(keyword, value) == Fate::Refuse)
        {
            Some((keyword, _)) => Err(refuse(path, keyword)),
            None => {
                check_constants(object, path)?;
                check_required(object, path)
            }
        }
    })
}

fn check_constants(object: &Map<String, Value>, path: &str) -> Result<(), Refusal> {
    let is_composite = |value: &Value| value.is_object() || value.is_array();
    let keyword = if object.get("const").is_some_and(is_composite) {
        "const"
    } else if object
        .get("enum")
        .and_then(Value::as_array)
        .is_some_and(|values| values.iter().any(is_composite))
    {
        "enum"
    } else {
        return Ok(());
    };
    Err(Refusal::new(
        path,
        keyword,
        "has no objects or lists as constants",
        "take an enum of names",
    ))
}

fn check_required(object: &Map<String, Value>, path: &str) -> Result<(), Refusal> {
    match unknown_requirement(object) {
        Some(name) => Err(Refusal::new(
            path,
            "required",
            format!("can require only declared properties, and `{name}` is not declared"),
            format!("describe `{name}` under `properties`"),
        )),
        None => Ok(()),
    }
}

/// Makes the refusal of a keyword, with the rule and the fix.
pub(super) fn refuse(path: &str, keyword: &str) -> Refusal {
    let (rule, hint) = explain(keyword).unwrap_or(("lacks a keyword", "describe the argument without it"));
    Refusal::new(path, keyword.to_owned(), rule, hint)
}

/// Makes the refusal of a schema that allows any value.
pub(super) fn refuse_any(path: &str) -> Refusal {
    Refusal::new(
        path,
        "true",
        "needs a type for every value",
        "take a type that says what the value is, or a `String` that holds JSON",
    )
}

/// Makes the refusal of a recursive type.
pub(super) fn refuse_recursion(path: &str) -> Refusal {
    Refusal::new(
        path,
        "$ref",
        "has no recursive types",
        "take a flat list whose items name their parent",
    )
}

fn explain(keyword: &str) -> Option<(&'static str, &'static str)> {
    Some(match keyword {
        "additionalProperties" | "patternProperties" | "propertyNames" => (
            "has no maps: it needs the name of every property",
            "take a list of structs, each with a key and a value",
        ),
        "prefixItems" => ("has no tuples of different types", "take a struct with named fields"),
        "allOf" => ("has no intersections", "take one struct with all the fields"),
        "anyOf" | "oneOf" => (
            "has no alternatives beside other keywords",
            "take an enum in a field of its own",
        ),
        "not"
        | "if"
        | "then"
        | "else"
        | "dependentSchemas"
        | "dependentRequired"
        | "dependencies"
        | "contains"
        | "minContains"
        | "maxContains"
        | "unevaluatedItems"
        | "unevaluatedProperties"
        | "contentSchema"
        | "additionalItems"
        | "$dynamicRef"
        | "$recursiveRef" => (
            "has no conditions on a value",
            "say it in the description, and check it in the tool",
        ),
        _ => return None,
    })
}
