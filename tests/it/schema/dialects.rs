//! The schemas of tools in the dialects of providers. "Row" is the row of the dialects' table; the goldens in `expected/` hold one
//! tool in every dialect, an error where the dialect can't say it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use async_tool_runtime::{
    FunctionTool, Tool, ToolContext, ToolDefinition, ToolError,
    schema::{Dialect, SchemaError, strip_invented_nulls},
};
use expect_test::{ExpectFile, expect_file};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The definition that a tool with these arguments has.
fn of_type<A: for<'a> Deserialize<'a> + JsonSchema + Send + 'static>() -> ToolDefinition {
    let tool = FunctionTool::new("tool", "A tool.", |_: A, _: ToolContext| async {
        Ok::<_, ToolError>(())
    });
    tool.definition().clone()
}

/// The definition of a tool whose schema was written by hand, as those of MCP servers are.
fn of_schema(schema: Value) -> ToolDefinition {
    ToolDefinition::new("tool", "A tool.", schema)
}

fn object_of(property: Value) -> Value {
    json!({"type": "object", "properties": {"it": property}, "required": ["it"], "additionalProperties": false})
}

/// Compares a tool in every dialect with the golden, and checks what holds for all.
#[track_caller]
fn check(definition: &ToolDefinition, golden: ExpectFile) {
    let mut all = Map::new();
    for &dialect in Dialect::ALL {
        let rendered = match definition.for_dialect(dialect) {
            Ok(schema) => {
                check_rendered(dialect, &schema);
                (*schema).clone()
            }
            Err(error) => json!({"error": error.to_string()}),
        };
        all.insert(format!("{dialect:?}"), rendered);
    }
    let mut all = Value::Object(all);
    // A feature of serde_json, which any crate in the build can turn on, keeps the order in which keys came.
    all.sort_all_objects();
    let mut text = serde_json::to_string_pretty(&all).unwrap();
    text.push('\n');
    golden.assert_eq(&text);
}

#[track_caller]
fn check_rendered(dialect: Dialect, schema: &Value) {
    let again = of_schema(schema.clone());
    match dialect {
        // OpenAPI 3.0, no JSON Schema.
        Dialect::Gemini => {
            every_schema(schema, &mut |schema| {
                for keyword in schema.keys() {
                    assert!(
                        GEMINI_FIELDS.contains(&keyword.as_str()),
                        "`Schema` has no field `{keyword}`"
                    );
                }
                assert!(
                    !schema.contains_key("anyOf") || schema.len() == 1,
                    "{schema:?} has more than `anyOf`"
                );
            });
            return;
        }
        Dialect::OpenAiStrict | Dialect::AnthropicStrict => {
            every_schema(schema, &mut |schema| {
                assert!(
                    !schema.contains_key("oneOf") && !schema.contains_key("allOf") && !schema.contains_key("default")
                );
                let names = |list: Option<&Value>| -> BTreeSet<String> {
                    let list = list.and_then(Value::as_array).cloned().unwrap_or_default();
                    list.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
                };
                if let Some(Value::Object(properties)) = schema.get("properties") {
                    assert_eq!(schema.get("additionalProperties"), Some(&json!(false)), "{schema:?}");
                    if dialect == Dialect::OpenAiStrict {
                        assert_eq!(names(schema.get("required")), properties.keys().cloned().collect());
                    }
                }
            });
        }
        Dialect::Plain => {
            let twice = again.for_dialect(dialect).unwrap();
            assert_eq!(*twice, *schema, "what is plain stays as it is");
        }
        _ => {}
    }
    assert_eq!(schema["type"], "object", "the root is an object");
    every_schema(schema, &mut |schema| {
        assert!(!schema.contains_key("$schema") && !schema.contains_key("title"));
    });
    jsonschema::draft202012::meta::validate(schema).unwrap();
    // Its references lead somewhere.
    jsonschema::draft202012::new(schema).unwrap();
}

/// The fields of Gemini's `Schema`.
const GEMINI_FIELDS: [&str; 19] = [
    "type",
    "format",
    "description",
    "nullable",
    "enum",
    "maxItems",
    "minItems",
    "properties",
    "required",
    "minProperties",
    "maxProperties",
    "minLength",
    "maxLength",
    "pattern",
    "anyOf",
    "propertyOrdering",
    "items",
    "minimum",
    "maximum",
];

/// Calls `f` with every schema in a rendered one.
fn every_schema(schema: &Value, f: &mut impl FnMut(&Map<String, Value>)) {
    let Value::Object(object) = schema else {
        return;
    };
    f(object);
    for (keyword, value) in object {
        match (keyword.as_str(), value) {
            ("properties" | "$defs" | "patternProperties", Value::Object(map)) => {
                map.values().for_each(|schema| every_schema(schema, f));
            }
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(list)) => {
                list.iter().for_each(|schema| every_schema(schema, f));
            }
            ("items" | "additionalProperties" | "not", schema) => every_schema(schema, f),
            _ => {}
        }
    }
}

// What schemars emits that hurts, one test for each.

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is tested")]
struct Numbers {
    small: u8,
    port: u32,
    size: usize,
    offset: i64,
    huge: i128,
    ratio: f64,
    nonzero: std::num::NonZeroU16,
    address: IpAddr,
    title: String,
}

#[test]
fn formats_of_numbers_become_bounds_and_unregistered_formats_become_words() {
    check(&of_type::<Numbers>(), expect_file!["expected/numbers.json"]);
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is tested")]
struct Optionals {
    needed: String,
    text: Option<String>,
    /// How fast.
    speed: Option<Speed>,
    place: Option<Place>,
    #[serde(default = "five")]
    count: u8,
    #[serde(default)]
    places: Vec<Place>,
}

fn five() -> u8 {
    5
}

/// A place on earth.
#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only the schema is tested")]
struct Place {
    city: String,
    country: Option<String>,
}

#[test]
fn options_are_type_arrays_and_optional_properties_are_nullable_in_openai_strict() {
    check(&of_type::<Optionals>(), expect_file!["expected/optionals.json"]);
}

/// How fast to go.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Speed {
    /// Takes its time,
    /// and is thorough.
    Slow,
    Medium,
    /// In a hurry.
    Fast,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is tested")]
struct UnitEnums {
    speed: Speed,
    bare: Bare,
    maybe: Option<Bare>,
    many: Vec<Speed>,
}

#[derive(Deserialize, JsonSchema)]
enum Bare {
    North,
    South,
}

#[test]
fn documented_unit_enums_keep_their_docs() {
    check(&of_type::<UnitEnums>(), expect_file!["expected/unit_enums.json"]);
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is tested")]
struct DataEnums {
    /// Where to look.
    external: External,
    internal: Internal,
    adjacent: Option<Adjacent>,
    untagged: Untagged,
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only the schema is tested")]
enum External {
    Everywhere,
    Folder(String),
    /// A range of lines.
    Lines {
        from: u32,
        to: Option<u32>,
    },
}

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "kind")]
#[expect(dead_code, reason = "only the schema is tested")]
enum Internal {
    Nothing,
    Text { text: String },
}

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "kind", content = "value")]
#[expect(dead_code, reason = "only the schema is tested")]
enum Adjacent {
    Nothing,
    Number(f64),
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only the schema is tested")]
enum Untagged {
    Name(String),
    Number(u8),
}

#[test]
fn data_enums_become_any_of() {
    check(&of_type::<DataEnums>(), expect_file!["expected/data_enums.json"]);
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only the schema is tested")]
struct Flattened {
    target: FlattenedTarget,
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only the schema is tested")]
struct FlattenedTarget {
    name: String,
    #[serde(flatten)]
    place: Place,
    #[serde(flatten)]
    how: How,
}

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "how")]
#[expect(dead_code, reason = "only the schema is tested")]
enum How {
    Walk,
    Drive { speed: u8 },
}

#[test]
fn a_flattened_enum_becomes_alternatives_of_whole_objects() {
    check(&of_type::<Flattened>(), expect_file!["expected/flattened.json"]);
}

#[test]
fn a_flattened_enum_in_the_arguments_is_refused_where_the_root_has_no_alternatives() {
    check(
        &of_type::<FlattenedTarget>(),
        expect_file!["expected/flattened_root.json"],
    );
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is tested")]
struct Maps {
    by_name: BTreeMap<String, Place>,
}

#[test]
fn maps_are_refused_by_strict_modes_and_gemini() {
    check(&of_type::<Maps>(), expect_file!["expected/maps.json"]);
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is tested")]
struct IntegerMaps {
    by_number: BTreeMap<u32, String>,
}

#[test]
fn maps_with_integer_keys_keep_their_pattern() {
    check(&of_type::<IntegerMaps>(), expect_file!["expected/integer_maps.json"]);
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is tested")]
struct Anything {
    /// Whatever it is.
    payload: Value,
    list: Vec<Value>,
    maybe: Option<Value>,
}

#[test]
fn values_of_any_type_are_an_empty_schema_and_no_boolean() {
    check(&of_type::<Anything>(), expect_file!["expected/anything.json"]);
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is tested")]
struct Tuples {
    point: (f64, f64),
    bytes: [u8; 3],
}

#[test]
fn tuples_of_one_type_are_lists_of_fixed_length_where_there_are_no_prefix_items() {
    check(&of_type::<Tuples>(), expect_file!["expected/tuples.json"]);
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is tested")]
struct MixedTuple {
    entry: (String, u8),
}

#[test]
fn tuples_of_different_types_are_refused_where_there_are_no_prefix_items() {
    check(&of_type::<MixedTuple>(), expect_file!["expected/mixed_tuple.json"]);
}

/// A tree.
#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only the schema is tested")]
struct Tree {
    name: String,
    children: Vec<Self>,
    /// What it grew from.
    parent: Option<Box<Self>>,
}

#[test]
fn a_root_that_contains_itself_gets_definitions() {
    check(&of_type::<Tree>(), expect_file!["expected/recursive_root.json"]);
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is tested")]
struct WithTree {
    tree: Tree,
}

#[test]
fn recursion_below_the_root_keeps_definitions_at_the_root() {
    check(&of_type::<WithTree>(), expect_file!["expected/recursive.json"]);
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is tested")]
struct Ordered {
    zebra: u8,
    monkey: Option<u8>,
    ape: u8,
}

#[test]
fn properties_are_written_in_the_order_of_the_source_in_gemini() {
    check(&of_type::<Ordered>(), expect_file!["expected/ordered.json"]);
}

/// Doc comments are broken
/// for the width of the source.
///
/// - a list
/// - stays one
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is tested")]
struct Documented {
    /// The first line
    /// and the second.
    text: String,
}

#[test]
fn docs_of_two_lines_are_one_line() {
    check(&of_type::<Documented>(), expect_file!["expected/documented.json"]);
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is tested")]
struct Limited {
    /// The name.
    #[schemars(length(min = 1, max = 20), regex(pattern = "^[a-z]+$"))]
    name: String,
    #[schemars(range(min = 1, max = 9))]
    count: u8,
    #[schemars(length(min = 1))]
    tags: BTreeSet<String>,
    #[schemars(extend("exclusiveMinimum" = 0, "multipleOf" = 0.5))]
    width: f64,
    #[schemars(extend("examples" = ["a", "b"]))]
    sample: String,
    #[schemars(url)]
    link: String,
    #[schemars(email)]
    mail: String,
    #[schemars(extend("format" = "date-time"))]
    at: String,
}

#[test]
fn limits_and_formats_that_a_dialect_lacks_go_into_the_description() {
    check(&of_type::<Limited>(), expect_file!["expected/limited.json"]);
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[test]
fn no_arguments_are_an_empty_object_and_nothing_in_gemini_parameters() {
    check(&of_type::<Nothing>(), expect_file!["expected/nothing.json"]);
}

// Schemas written by hand.

#[test]
fn ids_of_schemas_are_dropped_and_properties_of_the_same_name_are_kept() {
    let definition = of_schema(json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "https://example.com/arguments",
        "title": "Arguments",
        "type": "object",
        "properties": {
            "title": {"title": "Title", "type": "string", "default": "none"},
            "default": {"type": "object", "properties": {"$schema": {"type": "string"}}, "default": {"title": "kept"}},
        },
    }));
    check(&definition, expect_file!["expected/identified.json"]);
}

#[test]
fn references_of_older_drafts_and_to_any_place_are_followed() {
    let definition = of_schema(json!({
        "$ref": "#/definitions/Arguments",
        "definitions": {
            "Arguments": {
                "type": "object",
                "properties": {
                    "from": {"$ref": "#/definitions/Place", "description": "Where it starts."},
                    "to": {"$ref": "#/definitions/Place"},
                    "back": {"$ref": "#/definitions/Arguments/properties/to"},
                    "via": {"allOf": [{"$ref": "#/definitions/Place"}], "default": {"city": "Ulm"}},
                },
                "required": ["from", "to"],
            },
            "Place": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }));
    check(&definition, expect_file!["expected/referenced.json"]);
}

#[test]
fn constants_and_enums_of_other_types_are_kept_or_described() {
    let definition = of_schema(json!({
        "type": "object",
        "properties": {
            "version": {"const": 2},
            "unit": {"const": "m"},
            "level": {"type": "integer", "enum": [1, 2, 3], "description": "How loud."},
            "side": {"enum": ["left", "right", null]},
            "id": {"type": ["string", "integer"], "maxLength": 8},
            "old": {"type": "string", "nullable": true},
        },
        "required": ["version", "unit", "id"],
    }));
    check(&definition, expect_file!["expected/constants.json"]);
}

// What can't be said.

/// Row by row: type or schema, dialect, path, keyword.
#[test]
fn what_a_dialect_cannot_say_is_an_error_with_path_and_keyword() {
    use Dialect::{Anthropic, AnthropicStrict, Bedrock, Gemini, GeminiJsonSchema, OpenAiStrict, Plain};
    let it = "#/properties/it";
    let no_maps = [OpenAiStrict, AnthropicStrict, Gemini].as_slice();
    let restricted = [OpenAiStrict, AnthropicStrict, Gemini, GeminiJsonSchema].as_slice();
    let with_properties = [
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
            "text at the root",
            of_schema(json!({"type": "string"})),
            Dialect::ALL,
            "#",
            "type",
        ),
        (
            "text among the roots",
            of_schema(json!({"anyOf": [{"type": "string"}]})),
            &[Plain],
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
        for dialect in [Dialect::Plain, Dialect::Gemini] {
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

// Built once.

#[test]
fn a_schema_is_built_once_per_dialect_and_shared_by_threads_and_clones() {
    let definition = of_type::<DataEnums>();
    for &dialect in Dialect::ALL {
        let barrier = std::sync::Barrier::new(8);
        let rendered: Vec<Arc<Value>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let own = definition.clone();
                        barrier.wait();
                        own.for_dialect(dialect).unwrap()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(
            rendered.iter().all(|other| Arc::ptr_eq(other, &rendered[0])),
            "{dialect:?}"
        );
    }
}

#[test]
fn the_bytes_of_a_schema_are_the_same_for_every_definition_of_the_type() {
    for &dialect in Dialect::ALL {
        let bytes = || of_type::<Limited>().for_dialect(dialect).unwrap().to_string();
        assert_eq!(bytes(), bytes());
    }
}

#[test]
fn a_schema_that_is_replaced_is_built_anew_and_the_clone_keeps_its_own() {
    let before = of_schema(object_of(json!({"type": "string"})));
    let first = before.for_dialect(Dialect::Plain).unwrap();
    let mut after = before.clone();
    after.input_schema = Arc::new(object_of(json!({"type": "boolean"})));
    let second = after.for_dialect(Dialect::Plain).unwrap();
    assert_eq!(second["properties"]["it"]["type"], "boolean");
    assert!(Arc::ptr_eq(&after.for_dialect(Dialect::Plain).unwrap(), &second));
    assert!(Arc::ptr_eq(&before.for_dialect(Dialect::Plain).unwrap(), &first));
}

#[test]
fn a_definition_is_compared_and_serialised_without_its_renderings() {
    let one = of_schema(object_of(json!({"type": "string"})));
    let other = of_schema(object_of(json!({"type": "string"})));
    one.for_dialect(Dialect::Gemini).unwrap();
    assert_eq!(one, other);
    let mut keys: Vec<String> = serde_json::to_value(&one)
        .unwrap()
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    keys.sort_unstable();
    assert_eq!(keys, ["description", "input_schema", "name"]);
}

// Row `required`: nulls are stripped again before binding.

#[test]
fn invented_nulls_are_stripped_and_meant_ones_are_kept() {
    let definition = of_type::<Optionals>();
    let mut arguments = json!({
        "needed": null, "text": null, "speed": null, "count": null, "places": [{"city": "Ulm", "country": null}],
        "place": {"city": "Bonn", "country": null}, "unknown": null,
    });
    strip_invented_nulls(&definition.input_schema, &mut arguments);
    assert_eq!(
        arguments,
        json!({
            "needed": null, "text": null, "speed": null, "places": [{"city": "Ulm", "country": null}],
            "place": {"city": "Bonn", "country": null}, "unknown": null,
        }),
        "`count` has a default and accepts no null; the options accept it; `needed` is for binding to refuse"
    );
}

#[test]
fn invented_nulls_are_stripped_in_lists_variants_maps_and_recursion() {
    let schema = json!({
        "type": "object",
        "properties": {
            "list": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
            "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"$ref": "#/$defs/Node"}]},
            "choice": {"anyOf": [
                {"type": "object", "properties": {"kind": {"const": "a"}, "x": {"type": "string"}}, "required": ["kind"]},
                {"type": "object", "properties": {"kind": {"const": "b"}, "x": {"type": ["string", "null"]}}, "required": ["kind"]},
            ]},
            "map": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Node"}},
        },
        "$defs": {"Node": {
            "type": "object",
            "properties": {"label": {"type": "string"}, "next": {"$ref": "#/$defs/Node"}},
        }},
    });
    let table = [
        (
            json!({"list": [{"label": null, "next": {"label": "x", "next": null}}]}),
            json!({"list": [{"next": {"label": "x"}}]}),
        ),
        (json!({"pair": ["x", {"label": null}]}), json!({"pair": ["x", {}]})),
        (
            json!({"choice": {"kind": "a", "x": null}}),
            json!({"choice": {"kind": "a"}}),
        ),
        (
            json!({"choice": {"kind": "b", "x": null}}),
            json!({"choice": {"kind": "b", "x": null}}),
        ),
        (
            json!({"choice": null, "map": {"k": {"next": null}}}),
            json!({"map": {"k": {}}}),
        ),
        (json!({"list": [null]}), json!({"list": [null]})),
        (json!("no object"), json!("no object")),
    ];
    for (mut arguments, stripped) in table {
        strip_invented_nulls(&schema, &mut arguments);
        assert_eq!(arguments, stripped);
    }
}

#[test]
fn what_openai_strict_makes_a_model_write_binds_after_the_nulls_are_stripped() {
    let tool = FunctionTool::new("tool", "A tool.", |_: Optionals, _: ToolContext| async {
        Ok::<_, ToolError>(())
    });
    let strict = tool.definition().for_dialect(Dialect::OpenAiStrict).unwrap();
    let mut arguments =
        json!({"needed": "x", "text": null, "speed": null, "place": null, "count": null, "places": null});
    assert!(jsonschema::draft202012::is_valid(&strict, &arguments));
    assert!(!jsonschema::draft202012::is_valid(
        &tool.definition().input_schema,
        &arguments
    ));
    strip_invented_nulls(&tool.definition().input_schema, &mut arguments);
    tool.bind(&arguments.clone().into()).unwrap();
}

// Never lossy: what fits the schema of a dialect fits the tool.

#[test]
fn what_fits_a_rendered_schema_is_what_fits_the_tool() {
    let fitting = [
        json!({"external": "Everywhere", "internal": {"kind": "Nothing"}, "untagged": "x", "adjacent": null}),
        json!({"external": {"Folder": "src"}, "internal": {"kind": "Text", "text": "x"}, "untagged": 1, "adjacent": {"kind": "Number", "value": 0.5}}),
        json!({"external": {"Lines": {"from": 1, "to": null}}, "internal": {"kind": "Nothing"}, "untagged": "x", "adjacent": {"kind": "Nothing"}}),
    ];
    let unfitting = [
        json!({"external": "Nowhere", "internal": {"kind": "Nothing"}, "untagged": "x", "adjacent": null}),
        json!({"external": {"Lines": {"to": 1}}, "internal": {"kind": "Nothing"}, "untagged": "x", "adjacent": null}),
        json!({"external": "Everywhere", "internal": {"kind": "Text"}, "untagged": "x", "adjacent": null}),
        json!({"external": "Everywhere", "internal": {"kind": "Nothing"}, "untagged": true, "adjacent": null}),
    ];
    let definition = of_type::<DataEnums>();
    for &dialect in Dialect::ALL.iter().filter(|dialect| **dialect != Dialect::Gemini) {
        let validator = jsonschema::draft202012::new(&definition.for_dialect(dialect).unwrap()).unwrap();
        for arguments in &fitting {
            assert!(validator.is_valid(arguments), "{dialect:?}: {arguments}");
        }
        for arguments in &unfitting {
            assert!(!validator.is_valid(arguments), "{dialect:?}: {arguments}");
        }
    }
}

/// For every type and dialect: what a model writes by the schema binds.
#[test]
fn what_a_model_writes_by_the_schema_of_any_dialect_binds() {
    let tools = [
        tool::<Optionals>(),
        tool::<UnitEnums>(),
        tool::<DataEnums>(),
        tool::<Flattened>(),
        tool::<Maps>(),
        tool::<Anything>(),
        tool::<Tuples>(),
        tool::<MixedTuple>(),
        tool::<Tree>(),
        tool::<WithTree>(),
        tool::<Ordered>(),
        tool::<Nothing>(),
    ];
    let mut dice = Dice(1);
    for tool in tools {
        let definition = tool.definition();
        let source = jsonschema::draft202012::new(&definition.input_schema).unwrap();
        for &dialect in Dialect::ALL.iter().filter(|dialect| **dialect != Dialect::Gemini) {
            let Ok(schema) = definition.for_dialect(dialect) else {
                continue;
            };
            for _ in 0..200 {
                let written = dice.value(&schema, &schema, 0);
                let mut arguments = written.clone();
                if dialect == Dialect::OpenAiStrict {
                    strip_invented_nulls(&definition.input_schema, &mut arguments);
                }
                // The limits that a dialect has only words for are the model's to keep.
                let has_limits_in_words = dialect == Dialect::AnthropicStrict;
                if source.is_valid(&arguments) || !has_limits_in_words {
                    assert!(
                        source.is_valid(&arguments),
                        "{dialect:?}: {written}, stripped {arguments}"
                    );
                    if let Err(error) = tool.bind(&arguments.clone().into()) {
                        panic!("{dialect:?}: {error}: {written}, stripped {arguments}");
                    }
                }
            }
        }
    }
}

fn tool<A: for<'a> Deserialize<'a> + JsonSchema + Send + 'static>() -> FunctionTool {
    FunctionTool::new("tool", "A tool.", |_: A, _: ToolContext| async {
        Ok::<_, ToolError>(())
    })
}

/// A model that writes whatever a schema allows.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // Knuth's MMIX generator; the high bits are the good ones.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn value(&mut self, whole: &Value, schema: &Value, depth: usize) -> Value {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            return self.value(whole, whole.pointer(&reference[1..]).unwrap(), depth + 1);
        }
        if let Some(constant) = schema.get("const") {
            return constant.clone();
        }
        if let Some(Value::Array(constants)) = schema.get("enum") {
            return constants[self.roll(constants.len())].clone();
        }
        if let Some(Value::Array(variants)) = schema.get("anyOf").or_else(|| schema.get("oneOf")) {
            // Deep down the last: null where there is one.
            let variant = if depth > 6 {
                variants.len() - 1
            } else {
                self.roll(variants.len())
            };
            let mut value = self.value(whole, &variants[variant], depth + 1);
            if let (Value::Object(value), Some(Value::Object(_))) = (&mut value, schema.get("properties")) {
                value.append(&mut self.properties(whole, schema, depth));
            }
            return value;
        }
        let kinds = match schema.get("type") {
            Some(Value::Array(kinds)) => kinds.clone(),
            Some(kind) => vec![kind.clone()],
            None => vec![json!("string"), json!("null"), json!("boolean")],
        };
        let kind = if depth > 6 {
            kinds.len() - 1
        } else {
            self.roll(kinds.len())
        };
        match kinds[kind].as_str().unwrap() {
            "null" => Value::Null,
            "boolean" => json!(self.roll(2) == 0),
            "integer" => json!(self.roll(9) + 1),
            "number" => json!(self.roll(9) as f64 / 2.0),
            "string" => json!(["", "a", "Ulm"][self.roll(3)]),
            "array" => self.items(whole, schema, depth),
            _ => Value::Object(self.properties(whole, schema, depth)),
        }
    }

    fn items(&mut self, whole: &Value, schema: &Value, depth: usize) -> Value {
        if let Some(Value::Array(places)) = schema.get("prefixItems") {
            return places.iter().map(|place| self.value(whole, place, depth + 1)).collect();
        }
        let min = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        let more = if depth > 4 || schema.get("maxItems").is_some() {
            0
        } else {
            self.roll(3)
        };
        let any = json!({});
        let item = schema.get("items").unwrap_or(&any);
        let count = usize::try_from(min).unwrap() + more;
        (0..count).map(|_| self.value(whole, item, depth + 1)).collect()
    }

    fn properties(&mut self, whole: &Value, schema: &Value, depth: usize) -> Map<String, Value> {
        let mut object = Map::new();
        let required = schema.get("required").cloned().unwrap_or(json!([]));
        for (name, property) in schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            if required.as_array().unwrap().contains(&json!(name)) || depth < 5 && self.roll(2) == 0 {
                object.insert(name.clone(), self.value(whole, property, depth + 1));
            }
        }
        if let Some(rest @ Value::Object(_)) = schema.get("additionalProperties") {
            object.insert("more".to_owned(), self.value(whole, rest, depth + 1));
        }
        object
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(dead_code, reason = "only the schema is looked at")]
enum Shape {
    Circle { radius: f64 },
    Square { side: f64 },
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only the schema is looked at")]
struct Drawing {
    /// What it is called.
    title: String,
    layer: Option<u8>,
    /// From the bottom to the top.
    shapes: Vec<Shape>,
}

/// What futures may stand for: values with docs, optional ones, items, and the fields of variants, but for the tag.
#[test]
fn futures_are_offered_for_every_value_in_every_dialect() {
    let tool = FunctionTool::new("tool", "A tool.", |_: Drawing, _: ToolContext| async {
        Ok::<_, ToolError>(())
    });
    let plain = tool.definition().clone();
    let tool = tool.futures(true);
    check(tool.definition(), expect_file!["expected/futures.json"]);
    assert_eq!(tool.futures(false).definition(), &plain);
}

fn with_futures(schema: Value) -> Value {
    let tool = FunctionTool::from_parts(of_schema(schema), |_| Err(ToolError::failed("never called")));
    (*tool.futures(true).definition().input_schema).clone()
}

#[test]
fn a_definition_that_has_the_name_of_a_future_keeps_it() {
    let schema = with_futures(json!({
        "type": "object",
        "properties": {"it": {"$ref": "#/$defs/TaskFuture"}},
        "$defs": {"TaskFuture": {"type": "object", "properties": {"next": {"$ref": "#/$defs/TaskFuture"}}}},
    }));
    let either = json!({"anyOf": [{"$ref": "#/$defs/TaskFuture"}, {"$ref": "#/$defs/TaskFuture2"}]});
    assert_eq!(schema["properties"]["it"], either);
    assert_eq!(schema["$defs"]["TaskFuture"]["properties"]["next"], either);
    assert_eq!(schema["$defs"]["TaskFuture2"]["required"], json!(["$task"]));
}

#[test]
fn conditions_and_constants_are_no_places_for_futures() {
    let condition = json!({"properties": {"a": {"const": 1}, "b": {"type": "integer"}}});
    let schema = json!({
        "type": "object",
        "properties": {"a": {"const": 1}, "b": {"enum": ["only"]}, "c": true},
        "additionalProperties": false,
        "not": condition,
        "if": condition,
    });
    assert_eq!(with_futures(schema.clone()), with_futures(schema.clone()));
    let open = with_futures(schema.clone());
    assert_eq!(
        (&open["not"], &open["if"], open.get("$defs")),
        (&schema["not"], &schema["if"], None)
    );
    assert_eq!(open["properties"]["a"], json!({"const": 1}));
    assert_eq!(with_futures(json!({"type": "object"})), json!({"type": "object"}));
}

#[test]
fn what_a_schema_with_futures_allows_is_what_the_tool_takes_and_futures() {
    let tool = FunctionTool::new("tool", "A tool.", |_: Drawing, _: ToolContext| async {
        Ok::<_, ToolError>(())
    });
    let tool = tool.futures(true);
    let schema = &tool.definition().input_schema;
    let validator = jsonschema::validator_for(schema).unwrap();
    let future = json!({"$task": "t3", "pointer": "/x"});
    let circle = json!({"kind": "circle", "radius": 1.0});
    for (arguments, fits) in [
        (json!({"title": "a", "shapes": [circle]}), true),
        (json!({"title": future, "layer": future, "shapes": future}), true),
        (
            json!({"title": "a", "shapes": [future, circle, {"kind": "square", "side": {"$task": "#1"}}]}),
            true,
        ),
        (json!({"title": {"$task": "x"}, "shapes": []}), false),
        (json!({"title": {"$task": "t3", "more": 1}, "shapes": []}), false),
        (json!({"title": {"task": "t3"}, "shapes": []}), false),
        (
            json!({"title": "a", "shapes": [{"kind": future, "radius": 1.0}]}),
            false,
        ),
    ] {
        assert_eq!(validator.is_valid(&arguments), fits, "{arguments}");
    }
    // The binder reads values: futures are filled in before.
    let error = tool.bind(&json!({"title": future, "shapes": []}).into()).unwrap_err();
    assert!(error.message().starts_with("invalid arguments at `$.title`"), "{error}");
    assert!(tool.bind(&json!({"title": "a", "shapes": [circle]}).into()).is_ok());
}
