//! Limits on names and sizes that the documentation of a provider states.

use async_tool_runtime::{ToolDefinition, schema::Dialect};
use serde_json::{Value, json};

fn definition(properties: Value) -> ToolDefinition {
    ToolDefinition::new("tool", "A tool.", json!({"type": "object", "properties": properties}))
}

/// Path and keyword of the error, and its text.
fn refusal(properties: Value, dialect: Dialect) -> Option<(String, String, String)> {
    let error = definition(properties).for_dialect(dialect).err()?;
    assert_eq!(error.dialect(), dialect);
    Some((error.path().to_owned(), error.keyword().to_owned(), error.to_string()))
}

#[test]
fn anthropic_refuses_names_of_arguments_outside_of_its_pattern() {
    let long = "x".repeat(65);
    for dialect in [Dialect::Anthropic, Dialect::AnthropicStrict] {
        for (name, path) in [
            ("größe", "#/properties/größe"),
            ("a b", "#/properties/a b"),
            ("$top", "#/properties/$top"),
            ("filter[id]", "#/properties/filter[id]"),
            ("a/b", "#/properties/a~1b"),
            ("", "#/properties/"),
            (&*long, &*format!("#/properties/{long}")),
        ] {
            let (at, keyword, said) =
                refusal(json!({name: {"type": "string"}, "fine": {"type": "string"}}), dialect).unwrap();
            assert_eq!((&*at, &*keyword), (path, "properties"), "{dialect}");
            assert!(said.contains("^[a-zA-Z0-9_.-]{1,64}$"), "{said}");
        }
        let longest = "x".repeat(64);
        for name in ["a", "A-b_c.9", &*longest] {
            assert_eq!(
                refusal(json!({name: {"type": "string"}}), dialect),
                None,
                "{dialect}: {name}"
            );
        }
        // It checks the names of the arguments only.
        let inner = json!({"place": {"type": "object", "properties": {"größe": {"type": "string"}}, "required": []}});
        assert_eq!(refusal(inner, dialect), None, "{dialect}");
    }
    for &dialect in Dialect::ALL {
        if !matches!(dialect, Dialect::Anthropic | Dialect::AnthropicStrict) {
            assert_eq!(
                refusal(json!({"größe": {"type": "string"}}), dialect),
                None,
                "{dialect}"
            );
        }
    }
}

#[test]
fn the_error_names_the_rule_and_the_fix() {
    let (_, _, said) = refusal(json!({"a b": {"type": "string"}}), Dialect::Anthropic).unwrap();
    assert_eq!(
        said,
        "Anthropic's API needs names of arguments that match `^[a-zA-Z0-9_.-]{1,64}$`, but `#/properties/a b` has another name; \
         rename the argument"
    );
    let (_, _, said) = refusal(nested(10, "object"), Dialect::OpenAiStrict).unwrap();
    let path = format!("#{}", "/properties/it".repeat(10));
    assert_eq!(
        said,
        format!(
            "OpenAI's strict mode takes at most 10 levels of objects, but `{path}` has one more; give the tool fewer or simpler arguments"
        )
    );
}

/// Properties with this many objects inside each other.
fn nested(objects: usize, kind: &str) -> Value {
    let mut schema = json!({"type": "string"});
    for _ in 0..objects {
        let object = json!({"type": "object", "properties": {"it": schema}});
        schema = if kind == "list" {
            json!({"type": "array", "items": object})
        } else {
            object
        };
    }
    json!({"it": schema})
}

#[test]
fn openai_takes_ten_levels_of_objects() {
    let strict = Dialect::OpenAiStrict;
    for kind in ["object", "list"] {
        assert_eq!(refusal(nested(9, kind), strict), None);
        let (path, keyword, _) = refusal(nested(10, kind), strict).unwrap();
        let step = if kind == "list" {
            "/properties/it/items"
        } else {
            "/properties/it"
        };
        assert_eq!((path, &*keyword), (format!("#{}", step.repeat(10)), "properties"));
        for dialect in [Dialect::Plain, Dialect::Anthropic, Dialect::Gemini] {
            assert_eq!(refusal(nested(20, kind), dialect), None, "{dialect}");
        }
    }
}

#[test]
fn references_are_no_nesting() {
    let strict = |properties: Value, definitions: Value| {
        let schema = json!({"type": "object", "properties": properties, "$defs": definitions});
        ToolDefinition::new("tool", "A tool.", schema).for_dialect(Dialect::OpenAiStrict)
    };
    let tree =
        json!({"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}}});
    assert!(strict(json!({"tree": {"$ref": "#/$defs/Tree"}}), json!({"Tree": tree})).is_ok());

    let deep = |objects: usize| json!({"Deep": {"type": "object", "properties": nested(objects, "object")}});
    let property = json!({"it": {"$ref": "#/$defs/Deep"}});
    assert!(strict(property.clone(), deep(9)).is_ok());
    assert!(
        strict(property, deep(10))
            .unwrap_err()
            .path()
            .ends_with("/properties/it/properties/it")
    );
}

fn many(count: usize, schema: &Value) -> Value {
    let named = (0..count).map(|number| (format!("p{number}"), schema.clone()));
    Value::Object(named.collect())
}

fn values(count: usize, length: usize) -> Value {
    let values: Vec<String> = (0..count).map(|number| format!("{number:0length$}")).collect();
    json!({"type": "string", "enum": values})
}

#[test]
fn openai_takes_a_limited_number_of_properties_values_and_characters() {
    let table = [
        (many(5_000, &json!({"type": "string"})), None),
        (
            many(5_001, &json!({"type": "string"})),
            Some(("#", "properties", "at most 5000 properties in all, but `#` has 5001")),
        ),
        (many(4, &values(249, 3)), None),
        (
            many(5, &values(249, 3)),
            Some(("#", "enum", "at most 1000 values of `enum` in all, but `#` has 1245")),
        ),
        (json!({"it": values(250, 100)}), None),
        (
            json!({"it": values(251, 100)}),
            Some((
                "#/properties/it",
                "enum",
                "15000 characters in an `enum` of more than 250 values, but `#/properties/it` has 25100",
            )),
        ),
        (
            many(10, &values(50, 250)),
            Some((
                "#",
                "properties",
                "at most 120000 characters in names and constants in all, but `#` has 1250",
            )),
        ),
    ];
    for (properties, expected) in table {
        let required: Vec<String> = properties.as_object().unwrap().keys().cloned().collect();
        let schema = json!({"type": "object", "properties": properties, "required": required});
        let definition = ToolDefinition::new("tool", "A tool.", schema);
        for dialect in [Dialect::Plain, Dialect::GeminiJsonSchema, Dialect::Anthropic] {
            assert!(definition.for_dialect(dialect).is_ok(), "{dialect}");
        }
        match (definition.for_dialect(Dialect::OpenAiStrict), expected) {
            (Ok(_), None) => {}
            (Err(error), Some((path, keyword, said))) => {
                assert_eq!((error.path(), error.keyword()), (path, keyword));
                assert!(error.to_string().contains(said), "{error}");
            }
            (rendered, expected) => panic!("{rendered:?} instead of {expected:?}"),
        }
    }
}
