//! Futures in the schemas of every dialect.

use async_tool_runtime::{FunctionTool, Tool, ToolContext, ToolError};
use expect_test::expect_file;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::golden::{check, of_schema};

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

/// Futures may stand for values with docs, optional values, items and fields of variants, not for the tag.
#[test]
fn futures_are_offered_for_every_value_in_every_dialect() {
    let tool = FunctionTool::new("tool", "A tool.", |_: Drawing, _: ToolContext| async {
        Ok::<_, ToolError>(())
    });
    let plain = tool.definition().clone();
    let tool = tool.futures(true);
    check(tool.definition(), expect_file!["../expected/futures.json"]);
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
fn a_schema_with_futures_allows_the_values_of_the_tool_and_futures_only() {
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
    // Futures are replaced by their values before binding.
    let error = tool.bind(&json!({"title": future, "shapes": []}).into()).unwrap_err();
    assert!(error.message().starts_with("invalid arguments at `$.title`"), "{error}");
    assert!(tool.bind(&json!({"title": "a", "shapes": [circle]}).into()).is_ok());
}
