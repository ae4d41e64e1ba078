//! Descriptions in words for limits and annotations that a dialect lacks.

use serde_json::{Map, Value};

use super::description::{code, describe_as};

/// Keywords that a description can express.
const KEYWORDS: [&str; 20] = [
    "minimum",
    "exclusiveMinimum",
    "maximum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "format",
    "contentEncoding",
    "contentMediaType",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "enum",
    "default",
    "examples",
    "deprecated",
];

/// Moves the keywords that `is_moved` picks into the description.
///
/// Input: `{type: "integer", minimum: 1, maximum: 9, description: "How many."}`
///
/// Output: `{type: "integer", description: "How many.\n\nBetween 1 and 9."}`
pub(super) fn describe(object: &mut Map<String, Value>, is_moved: impl Fn(&str, &Value) -> bool) {
    let mut taken = Map::new();
    for keyword in KEYWORDS {
        if object.get(keyword).is_some_and(|value| is_moved(keyword, value))
            && let Some(value) = object.remove(keyword)
        {
            taken.insert(keyword.to_owned(), value);
        }
    }
    let words = words(&taken);
    if !words.is_empty() {
        describe_as(object, &words.join(" "));
    }
}

fn words(taken: &Map<String, Value>) -> Vec<String> {
    let get = |keyword| taken.get(keyword);
    let mut words = Vec::new();
    match (get("minimum"), get("maximum")) {
        (Some(min), Some(max)) => words.push(format!("Between {min} and {max}.")),
        (Some(min), None) => words.push(format!("At least {min}.")),
        (None, Some(max)) => words.push(format!("At most {max}.")),
        (None, None) => {}
    }
    if let Some(bound) = get("exclusiveMinimum") {
        words.push(format!("More than {bound}."));
    }
    if let Some(bound) = get("exclusiveMaximum") {
        words.push(format!("Less than {bound}."));
    }
    if let Some(step) = get("multipleOf") {
        words.push(format!("A multiple of {step}."));
    }
    words.extend(count(get("minLength"), get("maxLength"), "character", "characters"));
    if let Some(pattern) = get("pattern") {
        words.push(format!("Matches the regular expression {}.", code(pattern)));
    }
    if let Some(format) = get("format") {
        words.push(format!("Format: {}.", code(format)));
    }
    if let Some(encoding) = get("contentEncoding") {
        words.push(format!("Encoded as {}.", code(encoding)));
    }
    if let Some(media_type) = get("contentMediaType") {
        words.push(format!("Media type: {}.", code(media_type)));
    }
    words.extend(count(get("minItems"), get("maxItems"), "item", "items"));
    if get("uniqueItems") == Some(&Value::Bool(true)) {
        words.push("No two items are the same.".to_owned());
    }
    words.extend(count(
        get("minProperties"),
        get("maxProperties"),
        "property",
        "properties",
    ));
    match get("enum").and_then(Value::as_array).map(Vec::as_slice) {
        Some([value]) => words.push(format!("Always {}.", code(value))),
        Some(values) => words.push(format!("One of {}.", list(values))),
        None => {}
    }
    // A null default only shows that the argument is optional, which the schema already says.
    if let Some(default) = get("default").filter(|default| !default.is_null()) {
        words.push(format!("Default: `{default}`."));
    }
    if let Some(Value::Array(examples)) = get("examples")
        && !examples.is_empty()
    {
        let examples: Vec<String> = examples.iter().map(|example| format!("`{example}`")).collect();
        words.push(format!("Examples: {}.", examples.join(", ")));
    }
    if get("deprecated") == Some(&Value::Bool(true)) {
        words.push("Deprecated.".to_owned());
    }
    words
}

fn count(min: Option<&Value>, max: Option<&Value>, one: &str, many: &str) -> Option<String> {
    let noun = |number: &Value| if number.as_u64() == Some(1) { one } else { many };
    match (min, max) {
        (Some(min), Some(max)) if min == max => Some(format!("Exactly {max} {}.", noun(max))),
        (Some(min), Some(max)) => Some(format!("{min} to {max} {}.", noun(max))),
        (Some(min), None) => Some(format!("At least {min} {}.", noun(min))),
        (None, Some(max)) => Some(format!("At most {max} {}.", noun(max))),
        (None, None) => None,
    }
}

fn list(values: &[Value]) -> String {
    let values: Vec<String> = values.iter().map(code).collect();
    values.join(", ")
}
