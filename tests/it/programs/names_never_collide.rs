//! The struct beside the function meets neither values, types of other names, nor another tool's items.

#![deny(warnings)]

use async_tool_runtime::{Tool, async_tool};

/// One letter.
#[async_tool]
fn t(t: u8) -> u8 {
    t
}

pub struct Weather;

/// The weather.
#[async_tool]
fn weather(#[arg(default = 3)] days: u8) -> u8 {
    days
}

/// The weather again, with an argument of the same name and another default.
#[async_tool]
fn forecast(#[arg(default = 7)] days: u8) -> u8 {
    days
}

pub const ADD: u8 = 1;

/// Adds.
#[async_tool]
fn add(arguments: u8, definition: u8, cx: u8, output: u8, value: u8, error: u8, probe: u8) -> u8 {
    arguments + definition + cx + output + value + error + probe + ADD
}

/// Its name is a name of ours.
#[async_tool]
fn arguments(tool: u8) -> u8 {
    tool
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Arguments {
    number: u8,
}

/// Its name is a name of ours.
#[async_tool]
fn tool(arguments: Arguments) -> u8 {
    arguments.number
}

mod module {
    /// Adds elsewhere.
    #[async_tool_runtime::async_tool]
    #[cfg(not(any()))]
    pub fn add(first: u8) -> u8 {
        first
    }

    /// Not there, and neither is what stands beside it.
    #[async_tool_runtime::async_tool]
    #[cfg(any())]
    pub fn add(second: Missing) -> u8 {
        second
    }
}

mod crates {
    /// Has the name of a crate that it uses.
    #[async_tool_runtime::async_tool]
    pub fn serde_json(text: &str) -> bool {
        ::serde_json::from_str::<::serde_json::Value>(text).is_ok()
    }

    /// Has the name of a crate for the model only.
    #[async_tool_runtime::async_tool(name = "jsonschema")]
    pub fn is_schema(text: &str) -> bool {
        ::serde_json::from_str(text).is_ok_and(|schema| jsonschema::meta::is_valid(&schema))
    }
}

#[test]
fn compiles_and_runs() {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Local(u8);

    /// Inside a function, with a type of the function's.
    #[async_tool]
    fn inner(local: Local) -> u8 {
        local.0
    }

    let default = |tool: async_tool_runtime::FunctionTool| {
        tool.definition().input_schema["properties"]["days"]["default"].clone()
    };
    assert_eq!(default(weather::tool()), 3);
    assert_eq!(default(forecast::tool()), 7);
    let names = [
        t::tool(),
        add::tool(),
        arguments::tool(),
        tool::tool(),
        module::add::tool(),
        inner::tool(),
        crates::serde_json::tool(),
        crates::is_schema::tool(),
    ];
    let names = names.map(|tool| tool.definition().name.to_string());
    assert_eq!(
        names,
        [
            "t",
            "add",
            "arguments",
            "tool",
            "add",
            "inner",
            "serde_json",
            "jsonschema"
        ]
    );
    let _ = Weather;
}
