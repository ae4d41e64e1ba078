//! Attributes under a condition count where the condition holds, and block comments read like line comments.

#![deny(warnings)]

use std::sync::Arc;

use async_tool_runtime::{Tool, async_tool, async_tools};
use serde_json::json;

/// Works.
#[cfg_attr(all(), async_tool(notice = off), doc = "More.")]
fn work(
    #[cfg_attr(all(), arg(default = 5, max = 9))] number: u8,
    #[cfg_attr(any(), arg(default = 5))] required: u8,
    #[cfg_attr(all(), doc = "A text.", serde(alias = "words"))]
    #[cfg_attr(any(), doc = "No text.")]
    text: String,
    #[cfg_attr(all(), cfg_attr(not(any()), arg(rename = "last")))] other: u8,
    #[cfg_attr(all(), allow(unused))] silent: u8,
    #[cfg_attr(all(), inject)] cx: async_tool_runtime::ToolContext,
) -> String {
    let _ = cx;
    format!("{number}{required}{text}{other}")
}

struct Service;

#[async_tools]
impl Service {
    /// Is one.
    #[cfg_attr(all(), async_tool(name = "first"))]
    fn is_tool(&self, #[cfg_attr(all(), arg(default = 1))] number: u8) -> u8 {
        number
    }

    /// Is none.
    #[cfg_attr(any(), async_tool)]
    fn is_function(&self, text: &str) -> usize {
        text.len()
    }

    /// Is documented,
    #[async_tool(notice = off)]
    #[cfg_attr(all(), doc = "in one case.")]
    #[cfg_attr(any(), doc = "in the other.")]
    fn documented(&self) {}

    #[async_tool(notice = off)]
    #[cfg_attr(all(), doc = "Has its only text under a condition.")]
    fn conditional(&self) {}
}

/// A block whose tools are all under a condition.
struct Empty;

#[async_tools]
impl Empty {
    /// Is none here.
    #[cfg_attr(any(), async_tool)]
    fn is_function(&self) {}
}

/**
 * Finds what
 * is lost.
 *
 * Slowly.
 *   - or not
 */
#[async_tool(notice = off)]
fn framed(
    /**
     * What is
     * looked for.
     */
    _what: String,
    /** Where. */
    _place: String,
) {
}

/**
    Finds what
    is lost.

    Slowly.
*/
#[async_tool(notice = off)]
fn bare(
    /**
        What is
        looked for.

        Always.
    */
    _what: String,
) {
}

/** Finds. */
#[async_tool(notice = off)]
fn short() {}

/**
 * A place
 * in a town.
 */
#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Place {
    /**
     * The town.
     *
     * Or a village.
     */
    _town: String,
    /**
        The street.

        Or a square.
    */
    _street: String,
    /** The door. */
    _door: Door,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
enum Door {
    /**
     * In
     * front.
     */
    Front,
    /// Either
    /// * this
    /// * or that.
    Back,
}

/// Goes.
#[async_tool(notice = off)]
fn go(_place: Place) {}

#[test]
fn blocks_of_the_users_types_have_no_frame() {
    let tool = go::tool();
    let place = &tool.definition().input_schema["properties"]["_place"];
    let properties = &place["properties"];
    assert_eq!(place["description"], "A place in a town.");
    assert_eq!(properties["_town"]["description"], "The town.\n\nOr a village.");
    assert_eq!(properties["_street"]["description"], "The street.\n\nOr a square.");
    assert_eq!(properties["_door"]["description"], "The door.");
    assert_eq!(properties["_door"]["oneOf"][0]["description"], "In front.");
    assert_eq!(
        properties["_door"]["oneOf"][1]["description"],
        "Either\n* this\n* or that."
    );
}

#[test]
fn conditions_are_the_compilers() {
    let tool = work::tool();
    let definition = tool.definition();
    assert_eq!(&*definition.description, "Works. More.");
    let properties = &definition.input_schema["properties"];
    assert_eq!(
        definition.input_schema["required"],
        json!(["required", "text", "last", "silent"])
    );
    assert_eq!(
        (&properties["number"]["maximum"], &properties["number"]["default"]),
        (&json!(9), &json!(5))
    );
    assert_eq!(properties["text"]["description"], "A text.");
    drop(
        tool.bind(&json!({"required": 1, "words": "a", "last": 2, "silent": 3}).into())
            .unwrap(),
    );

    let service = Arc::new(Service);
    let tools = service.tools();
    let descriptions = tools
        .iter()
        .map(|tool| &*tool.definition().description)
        .collect::<Vec<_>>();
    assert!(descriptions[0].starts_with("Is one.\n\n"));
    assert_eq!(
        descriptions[1..],
        ["Is documented, in one case.", "Has its only text under a condition."]
    );
    assert_eq!(&*tools[0].definition().name, "first");
    drop(tools[0].bind(&json!({}).into()).unwrap());
    assert_eq!(service.is_function("ab"), 2);
    Empty.is_function();
    assert_eq!(Arc::new(Empty).tools().len(), 0);
}

#[test]
fn blocks_have_no_frame() {
    assert_eq!(
        &*framed::tool().definition().description,
        "Finds what is lost.\n\nSlowly.\n  - or not"
    );
    assert_eq!(
        &*bare::tool().definition().description,
        "Finds what is lost.\n\nSlowly."
    );
    assert_eq!(&*short::tool().definition().description, "Finds.");
    let framed = framed::tool();
    let properties = &framed.definition().input_schema["properties"];
    assert_eq!(properties["_what"]["description"], "What is looked for.");
    assert_eq!(properties["_place"]["description"], "Where.");
    let bare = bare::tool();
    assert_eq!(
        bare.definition().input_schema["properties"]["_what"]["description"],
        "What is looked for.\n\nAlways."
    );
}
