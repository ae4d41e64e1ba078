//! Defaults and examples may be written as literals, constants and calls, and see through `Option`.

#![allow(clippy::ptr_arg, reason = "a reference to a `Cow` is one of the cases")]

use std::borrow::Cow;

use async_tool_runtime::{AsyncToolManager, FunctionTool, Tool, async_tool, crates};
use schemars::JsonSchema;
use serde_json::{Value, json};

const LANGUAGE: &str = "en";
const COUNT: u8 = 3;
static SORT: &str = "date";

struct Names;

impl Names {
    const FIRST: &'static str = "ann";

    const fn second() -> &'static str {
        "bob"
    }
}

#[derive(Default, serde::Deserialize, serde::Serialize, JsonSchema)]
struct Place {
    name: String,
}

macro_rules! default {
    ($($name:ident: $ty:ty = $default:expr => $shown:tt,)*) => {
        $(
            /// Works.
            #[async_tool(effect = "read")]
            fn $name(#[arg(default = $default)] value: $ty) {
                let _ = value;
            }
        )*

        #[test]
        fn defaults_are_converted() {
            $(assert_eq!($name::tool().definition().input_schema["properties"]["value"]["default"], json!($shown), stringify!($name));)*
        }
    };
}

default! {
    text: String = "en" => "en",
    lent: &str = "en" => "en",
    optional: Option<String> = "en" => "en",
    optional_lent: Option<&str> = "en" => "en",
    some_text: Option<String> = Some("en") => "en",
    some_string: Option<String> = Some("en".into()) => "en",
    no_text: Option<String> = None => null,
    constant: String = LANGUAGE => "en",
    constant_lent: &str = LANGUAGE => "en",
    constant_inside: Option<String> = LANGUAGE => "en",
    constant_number: u8 = COUNT => 3,
    constant_number_inside: Option<u8> = COUNT => 3,
    wider: u64 = COUNT => 3,
    of_static: &str = SORT => "date",
    associated: String = Names::FIRST => "ann",
    called: String = Names::second() => "bob",
    concatenated: String = concat!("a", "b") => "ab",
    formatted: String = format!("{COUNT}") => "3",
    number: u64 = 60 * 60 => 3600,
    negative: i8 = -5 => (-5),
    number_inside: Option<u32> = 5 => 5,
    fraction: f64 = 0.5 => 0.5,
    single: f32 = 0.1 => 0.1,
    whole: f64 = 5 => 5.0,
    flag: bool = true => true,
    flag_inside: Option<bool> = true => true,
    letter: char = 'a' => "a",
    list: Vec<String> = vec![] => [],
    numbers: Vec<u8> = vec![1, 2] => [1, 2],
    list_inside: Option<Vec<u8>> = Vec::new() => [],
    chosen: String = if COUNT > 2 { "many" } else { "few" } => "many",
    cow: Cow<'static, str> = "en" => "en",
    cow_inside: Option<Cow<'_, str>> = LANGUAGE => "en",
    lent_cow: &Cow<'static, str> = LANGUAGE => "en",
    array: [u8; 2] = [1, 2] => [1, 2],
    place: Place = Place { name: "x".to_owned() } => {"name": "x"},
}

/// Has examples.
#[async_tool]
fn examples(
    #[arg(examples = ["a", LANGUAGE])] _text: Option<String>,
    #[arg(examples = ["a"])] _lent: Option<&str>,
    #[arg(examples = [1, COUNT])] _number: Option<u8>,
    #[arg(examples = [true])] _flag: Option<bool>,
    #[arg(examples = ["b", String::from("c")])] _string: String,
    #[arg(examples = [vec![1]])] _list: Option<Vec<u8>>,
    #[arg(examples = ["d"], max_len = 5, pattern = "^[a-z]*$")] _cow: Cow<'_, str>,
) {
}

/// Copied from a struct.
#[async_tool]
fn copied(
    #[serde(default, skip_serializing_if = "Option::is_none")] _first: Option<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty", default, alias = "s")] _second: Vec<u8>,
    #[serde(skip_serializing)] _third: u8,
    #[serde(serialize_with = "no::such")] _fourth: u8,
) {
}

/// Keeps the form of a type.
#[async_tool]
fn places(
    /// Where.
    #[arg(default)]
    _place: Place,
    _other: Place,
) {
}

#[test]
fn examples_are_converted() {
    let tool = examples::tool();
    let examples = |name: &str| tool.definition().input_schema["properties"][name]["examples"].clone();
    for (name, expected) in [
        ("_text", json!(["a", "en"])),
        ("_lent", json!(["a"])),
        ("_number", json!([1, 3])),
        ("_flag", json!([true])),
        ("_string", json!(["b", "c"])),
        ("_list", json!([[1]])),
        ("_cow", json!(["d"])),
    ] {
        assert_eq!(examples(name), expected);
    }
}

#[test]
fn keys_for_writing_are_dropped() {
    let tool = copied::tool();
    assert_eq!(tool.definition().input_schema["required"], json!(["_third", "_fourth"]));
    drop(tool.bind(&json!({"_third": 1, "_fourth": 2, "s": [1]}).into()).unwrap());
}

#[test]
fn a_default_leaves_a_type_in_its_place() {
    let tool = places::tool();
    let schema = &tool.definition().input_schema;
    let mut expected = schema["properties"]["_other"].clone();
    expected["description"] = json!("Where.");
    expected["default"] = json!({"name": ""});
    assert_eq!(schema["properties"]["_place"], expected);
    assert_eq!(schema.get("$defs"), None);
}

macro_rules! outside {
    ($($name:ident($($parameter:tt)*) $problem:expr;)*) => {
        $(
            /// Works.
            #[async_tool]
            fn $name($($parameter)*) {}
        )*

        #[test]
        fn a_value_outside_of_its_limits_fails_the_build() {
            $(
                let error = AsyncToolManager::builder().tool($name::tool()).build().unwrap_err().to_string();
                assert_eq!(error, format!("tool `{}`: {}", stringify!($name), $problem));
            )*
        }
    };
}

outside! {
    of_type(#[arg(default, min = 1)] _value: u8)
        "the default of `_value` must keep the argument's limits: expected a number of at least 1, got the number 0; change the default or the limit";
    of_constant(#[arg(default = COUNT, max = 2)] _value: Option<u8>)
        "the default of `_value` must keep the argument's limits: expected a number of at most 2, got the number 3; change the default or the limit";
    of_limit(#[arg(default = 5, max = COUNT)] _value: u8)
        "the default of `_value` must keep the argument's limits: expected a number of at most 3, got the number 5; change the default or the limit";
    of_example(#[arg(examples = ["a", LANGUAGE], max_len = 1)] _value: String)
        "the example of `_value` must keep the argument's limits: expected at most 1 characters, got the string \"en\"; change the example or the limit";
    of_list(#[arg(default, min_len = 1, rename = "words")] _value: &[String])
        "the default of `words` must keep the argument's limits: expected at least 1 items, got the array []; change the default or the limit";
    of_pattern(#[arg(default = LANGUAGE, pattern = "^[A-Z]+$")] _value: String)
        "the default of `_value` must keep the argument's limits: expected text that matches `^[A-Z]+$`, got the string \"en\"; change the \
         default or the limit";
    of_schemars(#[schemars(range(min = 1))] #[serde(default)] _value: u8)
        "the default of `_value` must keep the argument's limits: expected a number of at least 1, got the number 0; change the default or the limit";
    of_field(_value: Limits)
        "the default of `_value.count` must keep the argument's limits: expected a number of at least 1, got the number 0; change the default or \
         the limit";
}

#[derive(serde::Deserialize, JsonSchema)]
struct Limits {
    #[serde(default)]
    #[schemars(range(min = 1))]
    count: u8,
}

/// At its limits.
#[async_tool]
fn at_its_limits(
    #[arg(default = 1, min = 1, max = 1, examples = [1])] _number: u8,
    #[arg(default = 0.5, min = 0.5, max = 1.0)] _fraction: f64,
    #[arg(default = "éé", min_len = 2, max_len = 2, pattern = "^é+$")] _text: &str,
    #[arg(default, min = 1)] _none: Option<u8>,
    #[arg(default = -1, min = -1)] _negative: i64,
    #[arg(default = 0.1, min = 0.1, max = 0.1, examples = [0.1])] _single: f32,
) {
}

#[test]
fn a_value_at_its_limit_is_fine() {
    AsyncToolManager::builder().tool(at_its_limits::tool()).build().unwrap();
    // A schema from elsewhere is taken as it is.
    let foreign = crates::serde_json::from_value::<Value>(json!({
        "type": "object", "properties": {"a": {"type": "integer", "minimum": 1, "default": 0}},
    }));
    let definition = async_tool_runtime::ToolDefinition::new("foreign", "Works.", foreign.unwrap());
    let foreign = FunctionTool::from_parts(definition, |_| {
        Ok(async_tool_runtime::tool::BoundCall::future(|_| async {
            Ok(Value::Null)
        }))
    });
    AsyncToolManager::builder().tool(foreign).build().unwrap();
}

fn next() -> u32 {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Numbers {
    #[serde(default = "next")]
    variable: u32,
    #[serde(default = "five")]
    constant: u32,
    /// Has a name that is also a keyword.
    #[serde(default)]
    default: u8,
}

fn five() -> u32 {
    5
}

/// Counts.
#[async_tool]
fn counts(
    #[arg(default = next())] variable: u32,
    #[serde(default = "next")] by_serde: u32,
    #[arg(default = five())] constant: u32,
    numbers: Vec<Numbers>,
) -> bool {
    let sum = |numbers: &Numbers| numbers.variable + numbers.constant + u32::from(numbers.default);
    variable + by_serde + constant > numbers.iter().map(sum).sum()
}

#[test]
fn a_default_that_changes_is_not_shown() {
    let tool = counts::tool();
    let properties = &tool.definition().input_schema["properties"];
    let inner = &properties["numbers"]["items"]["properties"];
    for (property, shown) in [
        (&properties["variable"], None),
        (&properties["by_serde"], None),
        (&properties["constant"], Some(5)),
        (&inner["variable"], None),
        (&inner["constant"], Some(5)),
        (&inner["default"], Some(0)),
    ] {
        assert_eq!(property.get("default"), shown.map(serde_json::Value::from).as_ref());
    }
    assert_eq!(tool.definition().input_schema["required"], json!(["numbers"]));
    drop(tool.bind(&json!({"numbers": [{}]}).into()).unwrap());
}
