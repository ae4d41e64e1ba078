use serde_json::json;

use super::*;

fn refusal(schema: &Value, value: Value) -> Option<String> {
    let violation = Constraints::of(schema).check(schema, &value).err()?;
    Some(violation.to_string())
}

#[test]
fn a_refusal_names_path_expectation_and_what_came() {
    let schema = json!({"properties": {
        "count": {"type": "integer", "minimum": 1, "maximum": 20},
        "ratio": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.5},
        "code": {"type": "string", "pattern": "^[A-Z]+$", "maxLength": 3},
        "tags": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"minLength": 2}},
        "map": {"additionalProperties": {"maximum": 1}, "maxProperties": 1},
    }});
    for (value, expected) in [
        (
            json!({"count": 0}),
            "at `$.count`: expected a number of at least 1, got the number 0",
        ),
        (
            json!({"count": 21}),
            "at `$.count`: expected a number of at most 20, got the number 21",
        ),
        (
            json!({"ratio": 0}),
            "at `$.ratio`: expected a number above 0, got the number 0",
        ),
        (
            json!({"ratio": 0.7}),
            "at `$.ratio`: expected a multiple of 0.5, got the number 0.7",
        ),
        (
            json!({"code": "ABCD"}),
            "at `$.code`: expected at most 3 characters, got the string \"ABCD\"",
        ),
        (
            json!({"code": "ab"}),
            "at `$.code`: expected text that matches `^[A-Z]+$`, got the string \"ab\"",
        ),
        (
            json!({"tags": []}),
            "at `$.tags`: expected at least 1 items, got the array []",
        ),
        (
            json!({"tags": ["ab", "c"]}),
            "at `$.tags[1]`: expected at least 2 characters, got the string \"c\"",
        ),
        (
            json!({"tags": ["ab", "ab"]}),
            "at `$.tags`: expected no item twice, got the array [\"ab\",\"ab\"]",
        ),
        (
            json!({"map": {"a": 2}}),
            "at `$.map.a`: expected a number of at most 1, got the number 2",
        ),
    ] {
        assert_eq!(refusal(&schema, value).as_deref(), Some(expected));
    }
    let fine = json!({"count": 20, "ratio": 1.5, "code": "ÄBC", "tags": ["ab"], "map": {"a": 1}, "more": 1});
    assert_eq!(
        refusal(&schema, fine).as_deref(),
        Some("at `$.code`: expected text that matches `^[A-Z]+$`, got the string \"ÄBC\"")
    );
}

#[test]
fn the_alternative_that_describes_the_value_decides() {
    let schema = json!({
        "$defs": {"node": {"type": "object", "properties": {
            "level": {"maximum": 2}, "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
        }}},
        "anyOf": [{"$ref": "#/$defs/node"}, {"type": "string", "minLength": 1}],
    });
    assert_eq!(
        refusal(&schema, json!({"level": 1, "next": {"level": 2, "next": null}})),
        None
    );
    assert_eq!(
        refusal(&schema, json!({"level": 1, "next": {"level": 3}})).as_deref(),
        Some("at `$.next.level`: expected a number of at most 2, got the number 3")
    );
    assert_eq!(
        refusal(&schema, json!("")).as_deref(),
        Some("at `$`: expected at least 1 characters, got the string \"\"")
    );
    assert_eq!(refusal(&schema, json!(5)), None);
}

#[test]
fn the_values_of_a_map_by_pattern_are_checked() {
    let schema = json!({
        "properties": {"1": {"minimum": 3}},
        "patternProperties": {"^\\d+$": {"maximum": 5}, "^x": {"type": "string"}},
        "additionalProperties": false,
    });
    let constraints = Constraints::of(&schema);
    for (value, expected) in [
        (json!({"2": 5, "x": "", "1": 3}), None),
        (
            json!({"2": 6}),
            Some("at `$.2`: expected a number of at most 5, got the number 6"),
        ),
        (
            json!({"x": 6}),
            Some("at `$.x`: expected a value of type string, got the number 6"),
        ),
        (
            json!({"1": 2}),
            Some("at `$.1`: expected a number of at least 3, got the number 2"),
        ),
        (
            json!({"1": 6}),
            Some("at `$.1`: expected a number of at most 5, got the number 6"),
        ),
        (
            json!({"y": 1}),
            Some("at `$.y`: expected nothing here, got the number 1"),
        ),
    ] {
        let problem = constraints.check_all(&schema, &value).err();
        assert_eq!(problem.as_deref(), expected, "{value}");
    }
}

#[test]
fn a_pattern_that_cannot_be_compiled_forbids_no_name() {
    let schema = json!({"patternProperties": {"^(?=a)": {"maximum": 5}}, "additionalProperties": false});
    let constraints = Constraints::of(&schema);
    assert_eq!(constraints.check_all(&schema, &json!({"a": 1})), Ok(()));
}

#[test]
fn a_map_by_pattern_describes_the_values_with_such_names() {
    let schema = json!({"anyOf": [
        {"type": "object", "patternProperties": {"^\\d+$": {"type": "integer", "maximum": 5}}, "additionalProperties": false},
        {"type": "object", "properties": {"name": {"maximum": 1}}, "required": ["name"]},
    ]});
    assert_eq!(refusal(&schema, json!({"7": 5})), None);
    assert_eq!(
        refusal(&schema, json!({"7": 6})).as_deref(),
        Some("at `$.7`: expected a number of at most 5, got the number 6")
    );
    assert_eq!(
        refusal(&schema, json!({"name": 2})).as_deref(),
        Some("at `$.name`: expected a number of at most 1, got the number 2")
    );
}
