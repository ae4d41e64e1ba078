//! Types and schemas as each dialect writes them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use expect_test::expect_file;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::golden::{check, of_schema, of_type};

// One test for each construct of schemars that providers don't accept as it is.

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
    check(&of_type::<Numbers>(), expect_file!["../expected/numbers.json"]);
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is tested")]
pub(super) struct Optionals {
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
    check(&of_type::<Optionals>(), expect_file!["../expected/optionals.json"]);
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
pub(super) struct UnitEnums {
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
    check(&of_type::<UnitEnums>(), expect_file!["../expected/unit_enums.json"]);
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is tested")]
pub(super) struct DataEnums {
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
    check(&of_type::<DataEnums>(), expect_file!["../expected/data_enums.json"]);
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only the schema is tested")]
pub(super) struct Flattened {
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
    check(&of_type::<Flattened>(), expect_file!["../expected/flattened.json"]);
}

#[test]
fn a_flattened_enum_in_the_arguments_is_refused_where_the_root_has_no_alternatives() {
    check(
        &of_type::<FlattenedTarget>(),
        expect_file!["../expected/flattened_root.json"],
    );
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is tested")]
pub(super) struct Maps {
    by_name: BTreeMap<String, Place>,
}

#[test]
fn maps_are_refused_by_strict_modes_and_gemini() {
    check(&of_type::<Maps>(), expect_file!["../expected/maps.json"]);
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is tested")]
pub(super) struct IntegerMaps {
    by_number: BTreeMap<u32, String>,
}

#[test]
fn maps_with_integer_keys_keep_their_pattern() {
    check(&of_type::<IntegerMaps>(), expect_file!["../expected/integer_maps.json"]);
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is tested")]
pub(super) struct Anything {
    /// Whatever it is.
    payload: Value,
    list: Vec<Value>,
    maybe: Option<Value>,
}

#[test]
fn values_of_any_type_are_an_empty_schema_and_no_boolean() {
    check(&of_type::<Anything>(), expect_file!["../expected/anything.json"]);
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is tested")]
pub(super) struct Tuples {
    point: (f64, f64),
    bytes: [u8; 3],
}

#[test]
fn tuples_of_one_type_are_lists_of_fixed_length_where_there_are_no_prefix_items() {
    check(&of_type::<Tuples>(), expect_file!["../expected/tuples.json"]);
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is tested")]
pub(super) struct MixedTuple {
    entry: (String, u8),
}

#[test]
fn tuples_of_different_types_are_refused_where_there_are_no_prefix_items() {
    check(&of_type::<MixedTuple>(), expect_file!["../expected/mixed_tuple.json"]);
}

/// A tree.
#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only the schema is tested")]
pub(super) struct Tree {
    name: String,
    children: Vec<Self>,
    /// What it grew from.
    parent: Option<Box<Self>>,
}

#[test]
fn a_root_that_contains_itself_gets_definitions() {
    check(&of_type::<Tree>(), expect_file!["../expected/recursive_root.json"]);
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is tested")]
pub(super) struct WithTree {
    tree: Tree,
}

#[test]
fn recursion_below_the_root_keeps_definitions_at_the_root() {
    check(&of_type::<WithTree>(), expect_file!["../expected/recursive.json"]);
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is tested")]
pub(super) struct Ordered {
    zebra: u8,
    monkey: Option<u8>,
    ape: u8,
}

#[test]
fn properties_are_written_in_the_order_of_the_source_in_gemini() {
    check(&of_type::<Ordered>(), expect_file!["../expected/ordered.json"]);
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
    check(&of_type::<Documented>(), expect_file!["../expected/documented.json"]);
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is tested")]
pub(super) struct Limited {
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
    check(&of_type::<Limited>(), expect_file!["../expected/limited.json"]);
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

#[test]
fn no_arguments_are_an_empty_object_and_nothing_in_gemini_parameters() {
    check(&of_type::<Nothing>(), expect_file!["../expected/nothing.json"]);
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
    check(&definition, expect_file!["../expected/identified.json"]);
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
    check(&definition, expect_file!["../expected/referenced.json"]);
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
    check(&definition, expect_file!["../expected/constants.json"]);
}
