//! Panics of the host's code around a tool: the tool isn't blamed.

use async_tool_runtime::{
    AsyncToolManager, ToolError, ToolErrorKind,
    manager::{AsyncToolManagerBuilder, ToolRequest},
    policy::Dedupe,
};
use serde_json::Value;
use tower::util::{MapErrLayer, MapRequestLayer, MapResponseLayer};

use crate::stand::{start, tool, unavailable};

/// Error whose text panics.
#[derive(Debug)]
struct Unspeakable;

impl std::fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("hunter2")
    }
}

impl std::error::Error for Unspeakable {}

fn before(_: ToolRequest) -> ToolRequest {
    panic!("hunter2")
}

fn after(_: Value) -> Value {
    panic!("hunter2")
}

type Around = fn(AsyncToolManagerBuilder) -> AsyncToolManagerBuilder;

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_layer_is_no_defect_of_the_tool() {
    let places: [(&str, &str, Around); 6] = [
        ("before, outside", "works", |builder| {
            builder.layer(MapRequestLayer::new(before))
        }),
        ("before, inside", "works", |builder| {
            builder.inner_layer(MapRequestLayer::new(before))
        }),
        ("after, outside", "works", |builder| {
            builder.layer(MapResponseLayer::new(after))
        }),
        ("after, inside", "works", |builder| {
            builder.inner_layer(MapResponseLayer::new(after))
        }),
        ("in its error, outside", "fails", |builder| {
            builder.layer(MapErrLayer::new(|_: ToolError| Unspeakable))
        }),
        ("in its error, inside", "fails", |builder| {
            builder.inner_layer(MapErrLayer::new(|_: ToolError| Unspeakable))
        }),
    ];
    for (place, name, around) in places {
        for dedupe in [Dedupe::Allow, Dedupe::Share] {
            let fails = tool("fails", |_| async { Err(unavailable()) }).dedupe(dedupe);
            let works = tool("works", |_| async { Ok(Value::Null) }).dedupe(dedupe);
            let manager = around(AsyncToolManager::builder().tool(fails).tool(works))
                .build()
                .unwrap();
            let result = start(&manager, name).outcome().await;
            let error = result.outcome.error().unwrap_or_else(|| panic!("{place}: {result:?}"));
            assert_eq!(error.kind(), ToolErrorKind::Panicked, "{place}");
            assert!(
                error.message().starts_with("a layer around the tool panicked"),
                "{place}: {error}"
            );
            assert!(
                error.model_message().contains("no fault of the call"),
                "{place}: {}",
                error.model_message()
            );
            for told in [error.message(), error.model_message()] {
                assert!(!told.contains("defect of the tool"), "{place}: {told}");
            }
            assert!(!error.model_message().contains("hunter2"), "{place}");
            assert_eq!((manager.stats().open, manager.stats().running), (0, 0), "{place}");
        }
    }
}
