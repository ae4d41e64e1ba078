//! Sync and async functions take whatever can be read from JSON.

use std::collections::BTreeMap;

use async_tool_runtime::{Tool, async_tool};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Unit {
    Celsius,
    Fahrenheit,
}

#[derive(Deserialize, JsonSchema)]
struct Tree {
    label: String,
    #[serde(default)]
    children: Vec<Tree>,
}

/// Takes everything.
#[async_tool]
fn everything(
    mut count: u32,
    r#type: String,
    _unused: Option<bool>,
    unit: Unit,
    tree: Option<Tree>,
    by_name: BTreeMap<String, Vec<f64>>,
) -> u32 {
    count += u32::from(matches!(unit, Unit::Celsius) || matches!(unit, Unit::Fahrenheit));
    count
        + tree.map_or(0, |tree| (tree.label.len() + tree.children.len()) as u32)
        + (r#type.len() + by_name.len()) as u32
}

/// Takes nothing.
#[async_tool]
async fn nothing() {}

#[test]
fn compiles_and_runs() {
    let tool = everything::tool();
    let schema = &tool.definition().input_schema;
    assert_eq!(schema["required"], json!(["count", "type", "unit", "by_name"]));
    assert_eq!(schema["additionalProperties"], json!(false));
    assert_eq!(schema["properties"]["unit"]["enum"], json!(["celsius", "fahrenheit"]));

    let arguments = json!({
        "count": 1, "type": "x", "unit": "celsius", "by_name": {"a": [1, 2.5]},
        "tree": {"label": "root", "children": [{"label": "leaf"}]},
    });
    tool.bind(&arguments.into()).unwrap();
    tool.bind(&json!({"count": -1, "type": "x", "unit": "celsius", "by_name": {}}).into())
        .unwrap_err();
    tool.bind(&json!({"count": 1, "type": "x", "unit": "kelvin", "by_name": {}}).into())
        .unwrap_err();
    tool.bind(&json!({"count": 1, "type": "x", "unit": "celsius", "by_name": {}, "more": 1}).into())
        .unwrap_err();

    assert_eq!(
        *nothing::tool().definition().input_schema,
        json!({"type": "object", "additionalProperties": false})
    );
    nothing::tool().bind(&json!({}).into()).unwrap();
    nothing::tool().bind(&json!({"a": 1}).into()).unwrap_err();
}
