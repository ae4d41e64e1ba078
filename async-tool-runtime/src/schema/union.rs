//! Values of several kinds: alternatives, enumerations and nullable types.

use serde_json::{Map, Value, json};

use super::description::{code, describe_as};

/// Turns `oneOf` into `anyOf`. The variants of an enum exclude each other anyway, and most dialects have only `anyOf`.
pub(super) fn one_of_to_any_of(object: &mut Map<String, Value>) {
    let Some(variants) = object.remove("oneOf") else {
        return;
    };
    if !object.contains_key("anyOf") {
        object.insert("anyOf".to_owned(), variants);
    } else if let Value::Array(all) = object.entry("allOf").or_insert_with(|| json!([])) {
        all.push(json!({"anyOf": variants}));
    }
}

/// Flattens an alternative that only holds alternatives.
///
/// Input: `{anyOf: [{anyOf: [a, b]}, c]}`
///
/// Output: `{anyOf: [a, b, c]}`
pub(super) fn flatten_any_of(object: &mut Map<String, Value>) {
    let Some(Value::Array(variants)) = object.get_mut("anyOf") else {
        return;
    };
    let nested = std::mem::take(variants);
    for mut variant in nested {
        match variant.as_object_mut() {
            Some(inner) if inner.len() == 1 && inner.get("anyOf").is_some_and(Value::is_array) => {
                if let Some(Value::Array(inner)) = inner.remove("anyOf") {
                    variants.extend(inner);
                }
            }
            _ => variants.push(variant),
        }
    }
}

/// Merges compositions into one schema where the meaning allows it. `allOf` disappears, and the alternatives of an
/// object with properties of its own (a flattened enum) become whole objects.
pub(super) fn merge_compositions(object: &mut Map<String, Value>) {
    merge_all_of(object);
    distribute(object);
}

fn merge_all_of(object: &mut Map<String, Value>) {
    let Some(Value::Array(all)) = object.get("allOf") else {
        return;
    };
    let mut base = object.clone();
    base.remove("allOf");
    let merged = all.iter().try_fold(base, |base, part| merge(&base, part.as_object()?));
    if let Some(merged) = merged {
        *object = merged;
    }
}

/// Input: `{properties: {a}, anyOf: [{properties: {b}}, {properties: {c}}]}`
///
/// Output: `{anyOf: [{properties: {a, b}}, {properties: {a, c}}]}`
fn distribute(object: &mut Map<String, Value>) {
    let keyword = if object.contains_key("anyOf") { "anyOf" } else { "oneOf" };
    let Some(Value::Array(variants)) = object.get(keyword) else {
        return;
    };
    let mut base = object.clone();
    base.remove(keyword);
    let mut outside = Map::new();
    for annotation in ["description", "default", "examples", "deprecated"] {
        if let Some(value) = base.remove(annotation) {
            outside.insert(annotation.to_owned(), value);
        }
    }
    if base.remove("unevaluatedProperties") == Some(Value::Bool(false)) {
        base.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    if base.is_empty() {
        return;
    }
    let closed = base.get("additionalProperties") == Some(&Value::Bool(false));
    let open = {
        let mut open = base.clone();
        if closed {
            open.remove("additionalProperties");
        }
        open
    };
    let merged: Option<Vec<Value>> = variants
        .iter()
        .map(|variant| {
            let mut merged = merge(&open, variant.as_object()?)?;
            if closed {
                merged.entry("additionalProperties").or_insert(Value::Bool(false));
            }
            Some(Value::Object(merged))
        })
        .collect();
    if let Some(merged) = merged {
        outside.insert(keyword.to_owned(), Value::Array(merged));
        *object = outside;
    }
}

/// Merges two schemas that must both hold; `None` if only an `allOf` can express that.
pub(super) fn merge(base: &Map<String, Value>, part: &Map<String, Value>) -> Option<Map<String, Value>> {
    if limits_names_of(base, part) || limits_names_of(part, base) {
        return None;
    }
    let mut merged = base.clone();
    for (keyword, value) in part {
        match (keyword.as_str(), merged.get_mut(keyword), value) {
            (_, None, _) => {
                merged.insert(keyword.clone(), value.clone());
            }
            ("description", Some(Value::String(_)), Value::String(text)) => describe_as(&mut merged, text),
            ("properties", Some(Value::Object(own)), Value::Object(more)) => {
                for (name, schema) in more {
                    match own.get(name) {
                        Some(other) if other != schema => return None,
                        Some(_) => {}
                        None => {
                            own.insert(name.clone(), schema.clone());
                        }
                    }
                }
            }
            ("required", Some(Value::Array(own)), Value::Array(more)) => {
                for name in more {
                    if !own.contains(name) {
                        own.push(name.clone());
                    }
                }
            }
            ("type", Some(own), more) => match (types_of(own), types_of(more)) {
                (a, b) if b.iter().all(|kind| a.contains(kind)) => *own = more.clone(),
                (a, b) if a.iter().all(|kind| b.contains(kind)) => {}
                _ => return None,
            },
            (_, Some(own), more) if own == more => {}
            _ => return None,
        }
    }
    Some(merged)
}

/// True if `one` limits properties that only `other` declares.
fn limits_names_of(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let names = |object: &Map<String, Value>| -> Vec<String> {
        let properties = object.get("properties").and_then(Value::as_object);
        properties
            .map(|properties| properties.keys().cloned().collect())
            .unwrap_or_default()
    };
    let own = names(one);
    let limits = one
        .get("additionalProperties")
        .is_some_and(|rule| *rule != Value::Bool(true));
    limits && names(other).iter().any(|name| !own.contains(name))
}

/// Turns alternatives that are all constants into one `enum`; the description lists the documentation of each.
///
/// Input: `{oneOf: [{enum: ["fast"], type: "string"}, {const: "slow", description: "Takes its time."}]}`
///
/// Output: ``{enum: ["fast", "slow"], type: "string", description: "- `slow`: Takes its time."}``
pub(super) fn constants_to_enum(object: &mut Map<String, Value>) {
    let keyword = if object.contains_key("anyOf") { "anyOf" } else { "oneOf" };
    let Some(Value::Array(variants)) = object.get(keyword) else {
        return;
    };
    if ["type", "enum", "const"].iter().any(|own| object.contains_key(*own)) {
        return;
    }
    let mut kinds: Vec<Value> = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    let mut docs: Vec<String> = Vec::new();
    for variant in variants {
        let Value::Object(variant) = variant else {
            return;
        };
        let constants = match (variant.get("const"), variant.get("enum")) {
            (Some(constant), None) => vec![constant.clone()],
            (None, Some(Value::Array(constants))) => constants.clone(),
            _ => return,
        };
        if !variant
            .keys()
            .all(|keyword| matches!(keyword.as_str(), "type" | "const" | "enum" | "description"))
        {
            return;
        }
        if let Some(Value::String(doc)) = variant.get("description") {
            let named: Vec<String> = constants.iter().map(code).collect();
            docs.push(format!("- {}: {doc}", named.join(", ")));
        }
        for constant in constants {
            let kind = Value::from(kind_of(&constant));
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
            if !values.contains(&constant) {
                values.push(constant);
            }
        }
    }
    object.remove(keyword);
    object.insert("enum".to_owned(), Value::Array(values));
    let kind = if kinds.len() == 1 {
        kinds.remove(0)
    } else {
        Value::Array(kinds)
    };
    object.insert("type".to_owned(), kind);
    if !docs.is_empty() {
        describe_as(object, &docs.join("\n"));
    }
}

/// Adds the missing type of constants, for dialects that require a type everywhere.
pub(super) fn name_type(object: &mut Map<String, Value>) {
    if object.contains_key("type") {
        return;
    }
    let mut kinds: Vec<&str> = match (object.get("const"), object.get("enum")) {
        (Some(constant), _) => vec![kind_of(constant)],
        (None, Some(Value::Array(constants))) => constants.iter().map(kind_of).collect(),
        _ => return,
    };
    kinds.sort_by_key(|kind| *kind == "null");
    kinds.dedup();
    let kind = match kinds.as_slice() {
        [kind] => json!(kind),
        kinds => json!(kinds),
    };
    object.insert("type".to_owned(), kind);
}

/// Turns `const` into an `enum` with one value, for dialects without `const`.
pub(super) fn const_to_enum(object: &mut Map<String, Value>) {
    if let Some(constant) = object.remove("const") {
        object.entry("type").or_insert_with(|| Value::from(kind_of(&constant)));
        object.insert("enum".to_owned(), Value::Array(vec![constant]));
    }
}

/// Input: `{anyOf: [{type: "string"}, {type: "null"}]}`
///
/// Output: `{type: ["string", "null"]}`
pub(super) fn join_null(object: &mut Map<String, Value>) {
    let Some(Value::Array(variants)) = object.get("anyOf") else {
        return;
    };
    let [one, other] = variants.as_slice() else {
        return;
    };
    let value = match (is_null(one), is_null(other)) {
        (false, true) => one,
        (true, false) => other,
        _ => return,
    };
    let mut value = match value {
        Value::Object(value) if value.contains_key("type") => value.clone(),
        _ => return,
    };
    let mut outside = object.clone();
    outside.remove("anyOf");
    make_nullable(&mut value);
    // The description at the place comes first.
    if let Some(merged) = merge(&outside, &value) {
        *object = merged;
    }
}

/// Makes a schema accept null too.
pub(super) fn make_nullable(object: &mut Map<String, Value>) {
    if accepts_null(object) {
        return;
    }
    let is_composed = ["anyOf", "oneOf", "allOf", "$ref", "not", "if"]
        .iter()
        .any(|keyword| object.contains_key(*keyword));
    let is_typed = object.contains_key("type");
    if let Some(Value::Array(variants)) = object.get_mut("anyOf")
        && !is_typed
    {
        variants.push(json!({"type": "null"}));
    } else if is_composed || !is_typed {
        let mut outside = Map::new();
        if !object.contains_key("$ref")
            && let Some(description) = object.remove("description")
        {
            outside.insert("description".to_owned(), description);
        }
        outside.insert(
            "anyOf".to_owned(),
            json!([Value::Object(std::mem::take(object)), {"type": "null"}]),
        );
        *object = outside;
    } else {
        const_to_enum(object);
        if let Some(Value::Array(values)) = object.get_mut("enum")
            && !values.contains(&Value::Null)
        {
            values.push(Value::Null);
        }
        if let Some(kind) = object.get_mut("type") {
            let mut kinds: Vec<Value> = types_of(kind).into_iter().map(Value::from).collect();
            if !kinds.contains(&json!("null")) {
                kinds.push(json!("null"));
            }
            *kind = Value::Array(kinds);
        }
    }
}

/// True if null matches a schema, without following references.
fn accepts_null(object: &Map<String, Value>) -> bool {
    let by_type = object.get("type").map(|kind| types_of(kind).contains(&"null"));
    let by_enum = object
        .get("enum")
        .and_then(Value::as_array)
        .map(|values| values.contains(&Value::Null));
    let by_const = object.get("const").map(Value::is_null);
    let by_any_of = object.get("anyOf").and_then(Value::as_array).map(|variants| {
        variants
            .iter()
            .any(|variant| variant.as_object().is_some_and(accepts_null))
    });
    let checks = [by_type, by_enum, by_const, by_any_of];
    checks.iter().any(Option::is_some) && checks.iter().all(|check| check.unwrap_or(true))
}

/// True for a schema of null alone.
fn is_null(schema: &Value) -> bool {
    schema.get("type") == Some(&json!("null"))
        && schema
            .as_object()
            .is_some_and(|schema| schema.keys().all(|keyword| keyword == "type"))
}

/// The names in `type`, which is a string or a list.
pub(super) fn types_of(kind: &Value) -> Vec<&str> {
    match kind {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The name of a value's type.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
