//! Agreement of schema and binding: a value binds exactly if the schema of its tool accepts it, or accepts a repaired form of it.
//!
//! `jsonschema` judges the values. They are made of the properties of the schema, near its limits and of other kinds. Most cases
//! differ from a good call in one place.

#![expect(unused_variables, reason = "the functions are never called")]

use std::collections::{BTreeMap, BTreeSet};

use async_tool_runtime::{Tool, async_tool};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A name that no tool here has.
const UNKNOWN: &str = "unknown";

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Unit {
    Metre,
    Foot,
}

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(dead_code, reason = "only read")]
enum Figure {
    Circle {
        #[schemars(range(min = 1, max = 5))]
        radius: u8,
    },
    Label {
        #[schemars(length(max = 3))]
        text: String,
    },
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only read")]
struct Tree {
    #[schemars(range(max = 9))]
    weight: u8,
    #[serde(default)]
    children: Vec<Self>,
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only read")]
struct Line {
    #[schemars(range(max = 5))]
    indent: u8,
}

/// Numbers.
#[async_tool]
fn numbers(
    #[arg(min = 1, max = 20)] pages: u8,
    #[arg(min = -5, max = 5, default = 0)] offset: i32,
    #[arg(min = 0.5, max = 1.5)] ratio: Option<f64>,
    #[arg(max = 40_000)] many: Option<u32>,
    #[schemars(range(min = 2, max = 4))] passed: u16,
    plain: Option<i8>,
) {
}

/// Texts.
#[async_tool]
fn texts(
    #[arg(min_len = 1, max_len = 3)] short: String,
    #[arg(pattern = r"^[a-z]{2}(-[A-Z]{2})?$", default = "en")] language: &str,
    #[arg(pattern = r"\d", max_len = 5, examples = [Some("a1".to_owned())])] code: Option<&str>,
    unit: Unit,
    #[serde(rename = "wordList")]
    #[arg(min_len = 1, max_len = 2)]
    words: &[String],
) {
}

/// Lists and maps.
#[async_tool]
fn lists(
    #[arg(max_len = 2)] list: Vec<u8>,
    #[arg(min_len = 1)] set: BTreeSet<u8>,
    #[arg(min_len = 1, max_len = 2)] map: BTreeMap<String, u8>,
    #[arg(default)] maybe: Option<Vec<bool>>,
) {
}

/// Types with limits of their own.
#[async_tool]
fn nested(
    figure: Figure,
    figures: Option<Vec<Figure>>,
    tree: Option<Tree>,
    lines: Option<BTreeMap<u32, Line>>,
    shifts: Option<BTreeMap<i8, Line>>,
) {
}

#[test]
fn a_value_binds_exactly_if_the_schema_accepts_it() {
    let good = [
        (numbers::tool(), json!({"pages": 3, "passed": 3})),
        (texts::tool(), json!({"short": "ab", "unit": "foot", "wordList": ["a"]})),
        (lists::tool(), json!({"list": [1], "set": [1], "map": {"a": 1}})),
        (nested::tool(), json!({"figure": {"kind": "circle", "radius": 1}})),
    ];
    let (mut accepted, mut refused) = (0, 0);
    for (tool, good) in good {
        let schema = &tool.definition().input_schema;
        jsonschema::meta::validate(schema).unwrap();
        let validator = jsonschema::validator_for(schema).unwrap();
        for (value, changed) in variants(schema, good.as_object().unwrap()) {
            let expected =
                validator.is_valid(&value) || repairs(&value, changed).any(|mended| validator.is_valid(&mended));
            let bound = tool.bind(&value.clone().into());
            let reason = validator.validate(&value).map_err(|error| error.to_string());
            assert_eq!(
                bound.is_ok(),
                expected,
                "{value}\nschema: {reason:?}\nbinding: {bound:?}"
            );
            *(if expected { &mut accepted } else { &mut refused }) += 1;
        }
    }
    // If all or none were accepted, the values would be badly chosen.
    assert!(accepted > 60 && refused > 300, "{accepted} accepted, {refused} refused");
}

/// The good call, and calls that differ from it in one property, each with the name of that property.
fn variants<'a>(schema: &'a Value, good: &Map<String, Value>) -> Vec<(Value, &'a str)> {
    let mut calls = vec![(Value::Object(good.clone()), "")];
    let names = schema["properties"].as_object().unwrap().keys();
    for name in names.map(String::as_str).chain([UNKNOWN]) {
        for value in values() {
            let mut call = good.clone();
            call.insert(name.to_owned(), value);
            calls.push((call.into(), name));
        }
        let mut call = good.clone();
        call.remove(name);
        calls.push((call.into(), name));
    }
    calls
}

/// Repaired forms of a call: without the `null`, and with the single value as a list. An empty text is no value.
fn repairs(call: &Value, changed: &str) -> impl Iterator<Item = Value> {
    let value = call.get(changed).cloned();
    let mut without = call.clone();
    let mut listed = call.clone();
    if let (Some(value), Some(fields)) = (&value, listed.as_object_mut()) {
        fields.insert(changed.to_owned(), json!([value]));
    }
    if let Some(fields) = without.as_object_mut() {
        fields.remove(changed);
    }
    let is_null = value == Some(Value::Null) && changed != UNKNOWN;
    let is_one = value.is_some_and(|value| !value.is_null() && !value.is_array() && value != "");
    is_null.then_some(without).into_iter().chain(is_one.then_some(listed))
}

/// Values of every kind, and around every limit above.
fn values() -> Vec<Value> {
    let mut values = vec![Value::Null, true.into(), json!({}), json!([])];
    values.extend(
        [
            -129, -128, -6, -5, -1, 0, 1, 2, 3, 4, 5, 6, 20, 21, 127, 128, 255, 256, 40_000, 40_001,
        ]
        .map(Value::from),
    );
    values.extend([0.49, 0.5, 1.49, 1.51, -0.5].map(Value::from));
    values.extend(
        [
            "", "a", "abc", "abcd", "ÄÖÜ", "en", "en-GB", "en-gb", "xen", "a1", "abcde1", "foot", "Foot",
        ]
        .map(Value::from),
    );
    let lists = [
        json!(["a"]),
        json!(["a", "b"]),
        json!(["a", "b", "c"]),
        json!([1]),
        json!([1, 2]),
        json!([1, 2, 3]),
    ];
    values.extend(lists);
    values.extend([
        json!([1, 1]),
        json!([256]),
        json!([-1]),
        json!([true, false]),
        json!([null]),
    ]);
    values.extend([
        json!({"a": 1}),
        json!({"a": 1, "b": 2}),
        json!({"a": 1, "b": 2, "c": 3}),
        json!({"a": "b"}),
    ]);
    let figures = [
        json!({"kind": "circle", "radius": 5}),
        json!({"kind": "circle", "radius": 6}),
        json!({"kind": "circle", "text": "abc"}),
        json!({"kind": "label", "text": "abc"}),
        json!({"kind": "label", "text": "abcd"}),
        json!({"kind": "square"}),
    ];
    values.extend(figures.iter().map(|figure| json!([figure])));
    values.extend(figures);
    let leaf = |weight: u8| json!({"weight": weight, "children": []});
    values.extend([leaf(9), leaf(10), json!({"weight": 1, "children": [leaf(9)]})]);
    let names = ["1", "-1", "0", " 1", "1 ", "1.0", "1e0", "+1", "", "one"];
    let lines = names
        .into_iter()
        .flat_map(|name| [5, 6].map(|indent| json!({name: {"indent": indent}})));
    values.extend(lines);
    values.push(json!({"1": {"indent": 1}, "2": {"indent": 200}}));
    values.push(json!({"weight": 1, "children": [leaf(1), {"weight": 1, "children": [leaf(10)]}]}));
    values
}

#[test]
fn a_refusal_names_the_place_the_expected_and_the_given_value() {
    let refusal = |call: Value| texts::tool().bind(&call.into()).unwrap_err().model_message().to_owned();
    assert_eq!(
        refusal(json!({"short": "abcd", "unit": "foot", "wordList": ["a"]})),
        "invalid arguments at `$.short`: expected at most 3 characters, got the string \"abcd\""
    );
    assert_eq!(
        refusal(json!({"short": "a", "unit": "foot", "wordList": ["a"], "language": "english"})),
        "invalid arguments at `$.language`: expected text that matches `^[a-z]{2}(-[A-Z]{2})?$`, got the string \"english\""
    );
    assert_eq!(
        refusal(json!({"short": "a", "unit": "foot", "wordList": []})),
        "invalid arguments at `$.wordList`: expected at least 1 items, got the array []"
    );
}

#[test]
fn limits_are_in_the_schema() {
    let tool = texts::tool();
    let properties = &tool.definition().input_schema["properties"];
    assert_eq!(
        properties["short"],
        json!({"type": "string", "minLength": 1, "maxLength": 3})
    );
    assert_eq!(
        properties["code"],
        json!({"type": ["string", "null"], "maxLength": 5, "pattern": "\\d", "examples": ["a1"]})
    );
    assert_eq!(
        properties["wordList"],
        json!({"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2})
    );
    let tool = numbers::tool();
    let properties = &tool.definition().input_schema["properties"];
    assert_eq!(
        properties["offset"],
        json!({"type": "integer", "minimum": -5, "maximum": 5, "default": 0})
    );
    assert_eq!(
        properties["ratio"],
        json!({"type": ["number", "null"], "minimum": 0.5, "maximum": 1.5})
    );
}
