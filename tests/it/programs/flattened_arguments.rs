//! The fields of a flattened parameter are arguments, whatever its type: struct, enum, map, or an `Option` of one.

use std::collections::BTreeMap;

use async_tool_runtime::{AsyncToolManager, FunctionTool, SessionId, Tool, ToolCall, async_tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Deserialize, JsonSchema)]
struct Page {
    /// The first one.
    #[schemars(range(min = 1))]
    page: u32,
    #[serde(alias = "length")]
    size: u32,
    #[serde(default)]
    order: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Wrapped {
    word: String,
    #[serde(flatten)]
    more: BTreeMap<String, bool>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
enum External {
    Circle { radius: u32 },
    Square(u32),
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Internal {
    Circle { radius: u32 },
    Square { side: u32 },
    Nothing,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "kind", deny_unknown_fields)]
enum Closed {
    Circle { radius: u32 },
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "kind", content = "of")]
enum Adjacent {
    Circle { radius: u32 },
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
enum Untagged {
    Circle { radius: u32 },
    Square { side: u32 },
}

macro_rules! tools {
    ($($name:ident: $ty:ty,)*) => {
        $(
            /// Works.
            #[async_tool(effect = "read")]
            fn $name(query: String, #[serde(flatten)] rest: $ty, #[arg(default = 3)] count: u8) -> String {
                format!("{query} {rest:?} {count}")
            }
        )*
    };
}

tools! {
    of_struct: Page,
    of_reference: &Page,
    of_option: Option<Page>,
    of_lent_option: Option<&Page>,
    of_nested: Wrapped,
    of_external: External,
    of_internal: Internal,
    of_closed: Closed,
    of_adjacent: Adjacent,
    of_untagged: Untagged,
    of_optional_enum: Option<Internal>,
    of_map: BTreeMap<String, u8>,
    of_value: Value,
}

/// Has two.
#[async_tool]
fn two(#[serde(flatten)] first: &Page, #[serde(flatten)] second: Internal) -> String {
    format!("{first:?} {second:?}")
}

async fn call(tool: FunctionTool, arguments: Value) -> Result<String, String> {
    let name = tool.definition().name.to_string();
    let manager = AsyncToolManager::builder().tool(tool).build().unwrap();
    match manager.submit(&SessionId::new("s"), ToolCall::new("c", name, arguments)) {
        Ok(task) => Ok(task
            .outcome()
            .await
            .outcome
            .value()
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned()),
        Err(error) => Err(error.error().model_message().to_owned()),
    }
}

#[tokio::test]
async fn what_the_schema_shows_can_be_called() {
    for (tool, fields, read) in [
        (
            of_struct::tool(),
            json!({"page": 1, "size": 9}),
            "Page { page: 1, size: 9, order: None }",
        ),
        (
            of_struct::tool(),
            json!({"page": 1, "length": 9}),
            "Page { page: 1, size: 9, order: None }",
        ),
        (
            of_reference::tool(),
            json!({"page": "1", "size": 9}),
            "Page { page: 1, size: 9, order: None }",
        ),
        (of_option::tool(), json!({}), "None"),
        (of_option::tool(), json!({"page": null, "size": null}), "None"),
        (
            of_option::tool(),
            json!({"page": 1, "size": 9}),
            "Some(Page { page: 1, size: 9, order: None })",
        ),
        (of_lent_option::tool(), json!({}), "None"),
        (
            of_nested::tool(),
            json!({"word": "a", "b": true}),
            "Wrapped { word: \"a\", more: {\"b\": true} }",
        ),
        (
            of_external::tool(),
            json!({"Circle": {"radius": 2}}),
            "Circle { radius: 2 }",
        ),
        (of_external::tool(), json!({"Square": 2}), "Square(2)"),
        (
            of_internal::tool(),
            json!({"kind": "circle", "radius": 2}),
            "Circle { radius: 2 }",
        ),
        (of_internal::tool(), json!({"kind": "nothing"}), "Nothing"),
        (
            of_closed::tool(),
            json!({"kind": "Circle", "radius": 2}),
            "Circle { radius: 2 }",
        ),
        (
            of_adjacent::tool(),
            json!({"kind": "Circle", "of": {"radius": 2}}),
            "Circle { radius: 2 }",
        ),
        (of_untagged::tool(), json!({"side": 2}), "Square { side: 2 }"),
        (of_optional_enum::tool(), json!({}), "None"),
        (
            of_optional_enum::tool(),
            json!({"kind": "square", "side": 2}),
            "Some(Square { side: 2 })",
        ),
        (of_map::tool(), json!({}), "{}"),
        (of_map::tool(), json!({"a": 1, "b": 2}), "{\"a\": 1, \"b\": 2}"),
        (of_value::tool(), json!({"a": true}), "Object {\"a\": Bool(true)}"),
    ] {
        let mut arguments = fields.clone();
        arguments["query"] = json!("q");
        let name = tool.definition().name.clone();
        assert_eq!(
            call(tool, arguments).await,
            Ok(format!("q {read} 3")),
            "{name} {fields}"
        );
    }
    let both = json!({"page": 1, "size": 2, "kind": "square", "side": 3});
    assert!(call(two::tool(), both).await.unwrap().ends_with("Square { side: 3 }"));
}

#[tokio::test]
async fn what_the_schema_does_not_have_is_refused() {
    for (tool, fields, problem) in [
        (
            of_struct::tool(),
            json!({"page": 1, "size": 9, "ordre": "a"}),
            "did you mean `order` instead of `ordre`?",
        ),
        (
            of_struct::tool(),
            json!({"page": 0, "size": 9}),
            "expected a number of at least 1",
        ),
        (of_struct::tool(), json!({"page": 1}), "missing field `size`"),
        (of_option::tool(), json!({"page": 1}), "missing field `size`"),
        (of_option::tool(), json!({"page": "x", "size": 2}), "at `$.page`"),
        (of_option::tool(), json!({"pagee": 1}), "unknown field `pagee`"),
        (
            of_internal::tool(),
            json!({"kind": "circle", "radius": 2, "side": 2, "colour": 1}),
            "unknown field `colour`",
        ),
        (of_internal::tool(), json!({"kind": "oval"}), "oval"),
        (of_closed::tool(), json!({"kind": "Circle", "radius": "big"}), "big"),
        (of_optional_enum::tool(), json!({"kind": "circle"}), "invalid arguments"),
        (of_optional_enum::tool(), json!({"radius": 1}), "invalid arguments"),
        (of_map::tool(), json!({"a": 256}), "256"),
        (of_map::tool(), json!({"a": "x"}), "\"x\""),
    ] {
        let mut arguments = fields.clone();
        arguments["query"] = json!("q");
        let name = tool.definition().name.clone();
        let error = call(tool, arguments).await.unwrap_err();
        assert!(error.contains(problem), "{name} {fields}: {error}");
    }
}

#[test]
fn the_fields_are_properties() {
    let tool = of_struct::tool();
    let schema = &tool.definition().input_schema;
    assert_eq!(schema["required"], json!(["query", "page", "size"]));
    assert_eq!(schema["properties"]["page"]["description"], "The first one.");
    assert_eq!(schema["properties"]["count"]["default"], 3);
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(
        of_option::tool().definition().input_schema["required"],
        json!(["query"])
    );
    assert_eq!(
        of_map::tool().definition().input_schema["additionalProperties"]["maximum"],
        255
    );
}
