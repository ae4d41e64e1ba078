//! Schemas that a dialect refuses, with the place and the keyword.

use async_tool_runtime::{
    ToolDefinition,
    schema::{Dialect, SchemaError},
};
use serde_json::{Map, Value, json};

use super::{
    golden::{object_of, of_schema, of_type},
    rendering::{IntegerMaps, Maps, MixedTuple, Tree, WithTree},
};

/// Each case: type or schema, dialect, path, keyword.
#[test]
fn a_schema_that_a_dialect_can_not_express_is_an_error_with_path_and_keyword() {
    use Dialect::{Anthropic, AnthropicStrict, Bedrock, Gemini, GeminiJsonSchema, OpenAi, OpenAiStrict, Plain};
    let it = "#/properties/it";
    let no_maps = [OpenAiStrict, AnthropicStrict, Gemini].as_slice();
    let restricted = [OpenAiStrict, AnthropicStrict, Gemini, GeminiJsonSchema].as_slice();
    let with_properties = [
        OpenAi,
        OpenAiStrict,
        Anthropic,
        AnthropicStrict,
        Gemini,
        GeminiJsonSchema,
        Bedrock,
    ]
    .as_slice();
    let alternatives = json!({"anyOf": [{"type": "object", "properties": {}}, {"type": "object", "properties": {}}]});
    let table: Vec<(&str, ToolDefinition, &[Dialect], &str, &str)> = vec![
        (
            "map",
            of_type::<Maps>(),
            no_maps,
            "#/properties/by_name",
            "additionalProperties",
        ),
        (
            "map of integers",
            of_type::<IntegerMaps>(),
            no_maps,
            "#/properties/by_number",
            "patternProperties",
        ),
        ("any value", of_schema(object_of(json!(true))), no_maps, it, "true"),
        (
            "described any value",
            of_schema(object_of(json!({"description": "x"}))),
            no_maps,
            it,
            "true",
        ),
        (
            "list of any",
            of_schema(object_of(json!({"type": "array"}))),
            no_maps,
            "#/properties/it/items",
            "true",
        ),
        ("no value", of_schema(object_of(json!(false))), restricted, it, "not"),
        (
            "tuple",
            of_type::<MixedTuple>(),
            no_maps,
            "#/properties/entry",
            "prefixItems",
        ),
        (
            "recursive root",
            of_type::<Tree>(),
            &[AnthropicStrict, Gemini],
            "#/properties/children/items",
            "$ref",
        ),
        (
            "recursion",
            of_type::<WithTree>(),
            &[AnthropicStrict, Gemini],
            "#/properties/tree/properties/children/items",
            "$ref",
        ),
        (
            "empty object",
            of_schema(object_of(json!({"type": "object"}))),
            &[Gemini],
            it,
            "properties",
        ),
        (
            "condition",
            of_schema(object_of(json!({"type": "string", "not": {"const": "x"}}))),
            restricted,
            it,
            "not",
        ),
        (
            "if",
            of_schema(object_of(json!({"type": "string", "if": {}, "then": {}}))),
            restricted,
            it,
            "if",
        ),
        (
            "dependent properties",
            of_schema(
                json!({"type": "object", "properties": {"a": {"type": "string"}}, "dependentRequired": {"a": ["b"]}}),
            ),
            restricted,
            "#",
            "dependentRequired",
        ),
        (
            "intersection",
            of_schema(object_of(
                json!({"allOf": [{"type": "string", "pattern": "a"}, {"type": "string", "pattern": "b"}]}),
            )),
            restricted,
            it,
            "allOf",
        ),
        (
            "constant object",
            of_schema(object_of(json!({"enum": [{"a": 1}]}))),
            restricted,
            it,
            "enum",
        ),
        (
            "unknown requirement",
            of_schema(json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["b"]})),
            restricted,
            "#",
            "required",
        ),
        (
            "alternatives at the root",
            of_schema(alternatives),
            with_properties,
            "#",
            "anyOf",
        ),
        (
            "constants at the root",
            of_schema(json!({"type": "object", "properties": {}, "enum": [{}]})),
            &[OpenAi, OpenAiStrict, AnthropicStrict, Gemini, GeminiJsonSchema],
            "#",
            "enum",
        ),
        (
            "condition at the root",
            of_schema(json!({"type": "object", "properties": {}, "not": {"type": "null"}})),
            &[OpenAi, OpenAiStrict, AnthropicStrict, Gemini, GeminiJsonSchema],
            "#",
            "not",
        ),
        (
            "text at the root",
            of_schema(json!({"type": "string"})),
            Dialect::ALL,
            "#",
            "type",
        ),
        (
            "text among the roots",
            of_schema(json!({"anyOf": [{"type": "string"}]})),
            &[Plain, OpenAi],
            "#",
            "anyOf",
        ),
        (
            "reference elsewhere",
            of_schema(object_of(json!({"$ref": "other.json"}))),
            Dialect::ALL,
            it,
            "$ref",
        ),
        (
            "reference to nothing",
            of_schema(object_of(json!({"$ref": "#/$defs/None"}))),
            Dialect::ALL,
            it,
            "$ref",
        ),
    ];
    for (name, definition, refusing, path, keyword) in table {
        for &dialect in refusing {
            let error: SchemaError = definition
                .for_dialect(dialect)
                .expect_err(&format!("{name} in {dialect:?}"));
            assert_eq!(
                (error.path(), error.keyword(), error.dialect()),
                (path, keyword, dialect),
                "{name}: {error}"
            );
            assert!(
                error.to_string().contains(path) && error.to_string().contains(keyword),
                "{error}"
            );
            assert!(error.to_string().ends_with(error.hint()), "{error}");
        }
        for &dialect in Dialect::ALL {
            if !refusing.contains(&dialect) && name != "text among the roots" {
                let rendered = definition.for_dialect(dialect);
                assert!(rendered.is_ok(), "{name}: {rendered:?}");
            }
        }
    }
}

#[test]
fn an_error_says_the_rule_first_and_then_the_fix() {
    let error = of_type::<Maps>().for_dialect(Dialect::OpenAiStrict).unwrap_err();
    assert_eq!(
        error.to_string(),
        "OpenAI's strict mode has no maps: it needs the name of every property, but `#/properties/by_name` has \
         `additionalProperties`; take a list of structs, each with a key and a value"
    );
}

#[test]
fn references_that_grow_without_end_are_refused_where_they_are_written_out_and_kept_elsewhere() {
    let wide = |number: usize| {
        json!({"type": "object", "properties": {
            "a": {"$ref": format!("#/$defs/D{}", number + 1)},
            "b": {"$ref": format!("#/$defs/D{}", number + 1)},
        }})
    };
    let deep =
        |number: usize| json!({"type": "object", "properties": {"a": {"$ref": format!("#/$defs/D{}", number + 1)}}});
    let last = json!({"type": "string"});
    for (levels, level) in [(30, &wide as &dyn Fn(usize) -> Value), (400, &deep)] {
        let mut schema = level(0);
        let mut definitions: Map<String, Value> = (1..levels)
            .map(|number| (format!("D{number}"), level(number)))
            .collect();
        definitions.insert(format!("D{levels}"), last.clone());
        schema["$defs"] = Value::Object(definitions);
        let definition = of_schema(schema);
        for dialect in [Dialect::Plain, Dialect::OpenAi, Dialect::Gemini] {
            let error = definition.for_dialect(dialect).unwrap_err();
            assert_eq!(error.keyword(), "$ref", "{error}");
        }
        for dialect in [
            Dialect::OpenAiStrict,
            Dialect::Anthropic,
            Dialect::GeminiJsonSchema,
            Dialect::Bedrock,
        ] {
            definition.for_dialect(dialect).unwrap();
        }
    }
}
