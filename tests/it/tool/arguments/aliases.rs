//! Other names of arguments: `#[serde(alias = "…")]`.

use std::collections::BTreeMap;

use async_tool_runtime::{Tool, async_tool, schema::Dialect, tool::Arguments};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::call;

#[derive(Deserialize, JsonSchema)]
struct Place {
    #[schemars(range(max = 9))]
    floor: u8,
}

/// Saves a file.
#[async_tool]
fn save(
    #[arg(pattern = "^[a-z]+$", default = "draft")]
    #[serde(alias = "filename", alias = "file")]
    name: String,
    #[serde(alias = "where", rename = "place")] at: Option<Place>,
    #[serde(alias = "place")] note: Option<String>,
) -> String {
    format!("{name} {:?} {note:?}", at.map(|at| at.floor))
}

/// Keeps values.
#[async_tool]
fn keep(
    #[arg(max_len = 3)]
    #[serde(alias = "key")]
    name: String,
    #[serde(flatten)] values: BTreeMap<String, u8>,
) -> String {
    format!("{name} {values:?}")
}

#[test]
fn an_argument_is_taken_under_its_other_names() {
    for sent in [json!({"name": "a"}), json!({"filename": "a"}), json!({"file": "a"})] {
        assert_eq!(call(save::tool(), sent), Ok(json!("a None None")));
    }
    assert_eq!(call(save::tool(), json!({})), Ok(json!("draft None None")));
    assert_eq!(
        call(
            save::tool(),
            Arguments::from_text(r#"{"file": "a", "where": {"floor": 9}}"#)
        ),
        Ok(json!("a Some(9) None"))
    );
    assert_eq!(
        call(keep::tool(), json!({"key": "a", "x": 1})),
        Ok(json!("a {\"x\": 1}"))
    );
}

#[test]
fn a_limit_holds_under_every_name() {
    let refusal = |sent| call(save::tool(), sent).unwrap_err();
    let expected = "invalid arguments at `$.name`: expected text that matches `^[a-z]+$`, got the string \"../x\"";
    for name in ["name", "filename", "file"] {
        assert_eq!(refusal(json!({name: "../x"})), expected);
    }
    assert!(refusal(json!({"where": {"floor": 10}})).contains("at most 9"));
    assert!(call(keep::tool(), json!({"key": "abcd"})).is_err());
}

#[test]
fn an_argument_comes_once() {
    let refusal = call(save::tool(), json!({"name": "a", "file": "../x"})).unwrap_err();
    assert!(refusal.contains("unknown field `file`"), "{refusal}");
    let refusal = call(save::tool(), json!({"filename": "a", "file": "b"})).unwrap_err();
    assert!(refusal.contains("unknown field `file`"), "{refusal}");
}

#[test]
fn the_own_name_of_an_argument_is_no_other_name() {
    assert_eq!(
        call(save::tool(), json!({"place": {"floor": 1}})),
        Ok(json!("draft Some(1) None"))
    );
}

#[test]
fn no_schema_shows_another_name() {
    let tool = save::tool();
    for dialect in Dialect::ALL {
        let schema = tool.definition().for_dialect(*dialect).unwrap().to_string();
        assert!(!schema.contains("filename") && !schema.contains("alias"), "{schema}");
    }
}
