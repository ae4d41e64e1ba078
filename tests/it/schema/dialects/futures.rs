//! Futures in the schemas of every dialect.

use async_tool_runtime::{FunctionTool, Tool, ToolContext, ToolError, schema::Dialect};
use expect_test::expect_file;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::golden::check;

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
fn futures_are_offered_for_every_value_in_strict_dialects() {
    let tool = FunctionTool::new("tool", "A tool.", |_: Drawing, _: ToolContext| async {
        Ok::<_, ToolError>(())
    });
    let plain = tool.definition().clone();
    let tool = tool.futures(true);
    check(tool.definition(), expect_file!["../expected/futures.json"]);
    assert_eq!(tool.futures(false).definition(), &plain);
}

#[test]
fn a_strict_schema_with_futures_allows_the_values_of_the_tool_and_futures_only() {
    let tool = FunctionTool::new("tool", "A tool.", |_: Drawing, _: ToolContext| async {
        Ok::<_, ToolError>(())
    });
    let tool = tool.futures(true);
    let schema = tool.definition().for_dialect(Dialect::OpenAiStrict).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let future = json!({"$task": "t3", "pointer": "/x"});
    let circle = json!({"kind": "circle", "radius": 1.0});
    for (arguments, fits) in [
        (json!({"title": "a", "layer": null, "shapes": [circle]}), true),
        (json!({"title": future, "layer": future, "shapes": future}), true),
        (
            json!({"title": "a", "layer": 1, "shapes": [future, circle, {"kind": "square", "side": {"$task": "#1", "pointer": null}}]}),
            true,
        ),
        (
            json!({"title": {"$task": "x", "pointer": null}, "layer": null, "shapes": []}),
            false,
        ),
        (
            json!({"title": {"$task": "t3", "pointer": null, "more": 1}, "layer": null, "shapes": []}),
            false,
        ),
        (json!({"title": {"task": "t3"}, "layer": null, "shapes": []}), false),
        (
            json!({"title": "a", "layer": null, "shapes": [{"kind": future, "radius": 1.0}]}),
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
