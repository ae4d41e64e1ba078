//! Attributes of arguments show in the schema and in the binding alike.

use async_tool_runtime::{Tool, async_tool};
use serde_json::json;

/// Fetches pages.
#[async_tool]
fn fetch(
    #[arg(rename = "URL")] url: String,
    #[arg(default = 5)] pages: u8,
    #[arg(default = "en")] language: String,
    #[arg(default)] words: &[String],
    #[arg(default = Some(true), rename = "isFast")] fast: Option<bool>,
    #[serde(alias = "colour")] color: Option<String>,
    #[schemars(range(min = 1, max = 3))] level: u8,
) -> String {
    format!("{url}{pages}{language}{words:?}{fast:?}{color:?}{level}")
}

#[test]
fn compiles_and_runs() {
    let tool = fetch::tool();
    let schema = &tool.definition().input_schema;
    let property = |name: &str| &schema["properties"][name];
    assert_eq!(schema["required"], json!(["URL", "level"]));
    assert_eq!(property("pages")["default"], 5);
    assert_eq!(property("language")["default"], "en");
    assert_eq!(property("words")["default"], json!([]));
    assert_eq!(property("isFast")["default"], true);
    assert_eq!(property("level")["maximum"], 3);
    tool.bind(&json!({"URL": "x", "level": 1, "colour": "red", "isFast": null}).into())
        .unwrap();
    tool.bind(&json!({"url": "x", "level": 1}).into()).unwrap_err();
    tool.bind(&json!({"URL": "x", "level": 1, "pages": "many"}).into())
        .unwrap_err();
}
