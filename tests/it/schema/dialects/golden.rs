//! The comparison of a tool in every dialect with its golden file in `../expected`, and the rules that hold for all of them.

use std::collections::BTreeSet;

use async_tool_runtime::{FunctionTool, Tool, ToolContext, ToolDefinition, ToolError, schema::Dialect};
use expect_test::ExpectFile;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The definition of a tool with these arguments.
pub(super) fn of_type<A: for<'a> Deserialize<'a> + JsonSchema + Send + 'static>() -> ToolDefinition {
    let tool = FunctionTool::new("tool", "A tool.", |_: A, _: ToolContext| async {
        Ok::<_, ToolError>(())
    });
    tool.definition().clone()
}

/// The definition of a tool with a schema written by hand, as those of MCP servers are.
pub(super) fn of_schema(schema: Value) -> ToolDefinition {
    ToolDefinition::new("tool", "A tool.", schema)
}

pub(super) fn object_of(property: Value) -> Value {
    json!({"type": "object", "properties": {"it": property}, "required": ["it"], "additionalProperties": false})
}

/// Compares a tool in every dialect with its golden file, and checks the rules that hold for all of them.
#[track_caller]
pub(super) fn check(definition: &ToolDefinition, golden: ExpectFile) {
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
    // Any crate of the build can turn on `preserve_order` of serde_json, so keys are sorted here.
    all.sort_all_objects();
    let mut text = serde_json::to_string_pretty(&all).unwrap();
    text.push('\n');
    golden.assert_eq(&text);
}

#[track_caller]
fn check_rendered(dialect: Dialect, schema: &Value) {
    let again = of_schema(schema.clone());
    match dialect {
        // This dialect is OpenAPI 3.0, not JSON Schema.
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
        Dialect::Plain | Dialect::OpenAi => {
            let twice = again.for_dialect(dialect).unwrap();
            assert_eq!(*twice, *schema, "a plain schema is unchanged");
            every_schema(schema, &mut |schema| {
                let is_list = schema.get("type").is_some_and(|kind| match kind {
                    Value::Array(kinds) => kinds.contains(&json!("array")),
                    kind => kind == "array",
                });
                assert!(
                    !is_list || schema.contains_key("items"),
                    "OpenAI refuses {schema:?} without `items`"
                );
            });
            for keyword in ["anyOf", "oneOf", "allOf", "enum", "not"] {
                assert!(
                    dialect == Dialect::Plain || schema.get(keyword).is_none(),
                    "OpenAI refuses `{keyword}` at the root"
                );
            }
        }
        _ => {}
    }
    assert_eq!(schema["type"], "object", "the root is an object");
    every_schema(schema, &mut |schema| {
        assert!(!schema.contains_key("$schema") && !schema.contains_key("title"));
    });
    jsonschema::draft202012::meta::validate(schema).unwrap();
    // All references can be resolved.
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

/// Calls `f` with every subschema of a rendered schema.
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
