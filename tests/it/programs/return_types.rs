//! Anything that serialises may be returned, and any error that displays itself, through any alias.

#![deny(warnings)]

use std::{error::Error, io};

use async_tool_runtime::{Tool, ToolError, async_tool};
use serde_json::{Value, json};

#[derive(serde::Serialize, schemars::JsonSchema)]
struct Findings {
    count: u32,
}

#[derive(serde::Serialize)]
struct NoSchema;

type Fallible<T, E = String> = Result<T, E>;

macro_rules! tools {
    ($($name:ident -> $output:ty = $value:expr, $schema:expr;)*) => {
        $(
            /// Returns.
            #[async_tool]
            fn $name() -> $output {
                $value
            }
        )*

        fn main() {
            $(
                let schema: Option<Value> = $schema;
                assert_eq!($name::tool().definition().output_schema.as_deref(), schema.as_ref(), stringify!($name));
                let _ = $name();
            )*
            assert_eq!(nothing::tool().definition().output_schema.as_deref(), Some(&json!({"type": "null"})));
            assert_eq!(opaque::tool().definition().output_schema, None);
        }
    };
}

tools! {
    unit -> () = (), Some(json!({"type": "null"}));
    text -> &'static str = "x", Some(json!({"type": "string"}));
    no_schema -> NoSchema = NoSchema, None;
    result_of_string -> Result<String, String> = Ok(String::new()), Some(json!({"type": "string"}));
    alias -> Fallible<bool> = Err(String::new()), Some(json!({"type": "boolean"}));
    of_io -> io::Result<bool> = Ok(true), Some(json!({"type": "boolean"}));
    of_anyhow -> anyhow::Result<bool> = Ok(true), Some(json!({"type": "boolean"}));
    boxed -> Result<bool, Box<dyn Error + Send + Sync>> = Err("x".into()), Some(json!({"type": "boolean"}));
    own -> Result<bool, ToolError> = Err(ToolError::failed("x")), Some(json!({"type": "boolean"}));
    result_without_schema -> Result<NoSchema, String> = Ok(NoSchema), None;
    findings -> Fallible<Findings, io::Error> = Ok(Findings { count: 1 }), Some(json!({
        "type": "object",
        "properties": {"count": {"type": "integer", "minimum": 0, "maximum": u32::MAX}},
        "required": ["count"],
    }));
}

/// Returns nothing.
#[async_tool]
async fn nothing() {}

/// Returns what has no name.
#[async_tool]
async fn opaque() -> Result<impl serde::Serialize, String> {
    Ok(5)
}
