//! Methods that a trait gives to every type don't meet the calls of generated code.

#![deny(warnings)]

use std::sync::Arc;

use async_tool_runtime::{Tool, async_tool, async_tools};

macro_rules! blanket {
    ($($by_value:ident)*; $($by_reference:ident)*) => {
        pub trait ByValue: Sized {
            $(fn $by_value(self) {})*
        }

        impl<T> ByValue for T {}

        pub trait ByReference {
            $(fn $by_reference(&self) {})*
        }

        impl<T: ?Sized> ByReference for T {}
    };
}

blanket! {
    define bind described output_schema default_note min_note max_note split failure or with tool push get_or_init requires flattened
    check_flattened background timeout sensitive_arguments definition group absent value convert typed lend_inside given;
    max_len min_len pattern examples note notes probe written settle call check name
}

/// Works.
#[async_tool(effect = "read", timeout = "5s", background = "never", notice = off)]
fn work(
    #[arg(default = 5, min = 1, max = 9, examples = [1], sensitive)] number: u8,
    #[arg(default = "a", min_len = 1, pattern = "a")] text: &str,
    #[serde(deserialize_with = "serde::Deserialize::deserialize")] read: u8,
    optional: Option<&str>,
    #[inject] cx: async_tool_runtime::ToolContext,
) -> Result<String, String> {
    let _ = (cx, optional);
    Ok(format!("{number}{text}{read}"))
}

/// Waits.
#[async_tool]
async fn wait() -> u8 {
    std::future::ready(5).await
}

struct Service;

#[async_tools]
impl Service {
    /// Works.
    #[async_tool]
    async fn method(&self, #[arg(default = 5)] number: u8) -> Result<u8, std::io::Error> {
        Ok(std::future::ready(number).await)
    }
}

#[test]
fn compiles_and_runs() {
    let arguments = async_tool_runtime::tool::Arguments::from_text(r#"{"read": 1}"#);
    let tool = work::tool();
    let bound = Tool::bind(&tool, &arguments);
    assert!(bound.is_ok());
    let wait = wait::tool();
    assert!(Tool::bind(&wait, &async_tool_runtime::tool::Arguments::from_text("{}")).is_ok());
    assert_eq!(Service::tools(&Arc::new(Service)).len(), 1);
}
