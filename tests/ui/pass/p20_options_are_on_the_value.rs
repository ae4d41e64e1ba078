//! Every key is a value of the tool, and can be overridden there.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{Background, Effect, Tool, ToolDefinition, async_tool};

/// Plain.
#[async_tool]
fn plain() {}

/// Set.
#[async_tool(
    name = "set-up",
    notice = "It takes a day.",
    background = "always",
    grace = "0.25s",
    timeout = "1.5m",
    effect = "idempotent"
)]
fn set() {}

fn main() {
    let plain = plain::tool();
    assert_eq!(
        *plain.definition().description,
        *format!("Plain.\n\n{}", ToolDefinition::NOTICE)
    );
    assert_eq!(plain.options(), async_tool_runtime::ToolOptions::DEFAULT);

    let set = set::tool();
    assert_eq!(&*set.definition().name, "set-up");
    assert_eq!(&*set.definition().description, "Set.\n\nIt takes a day.");
    assert_eq!(set.options().background, Background::Always);
    assert_eq!(set.options().grace, Some(Duration::from_millis(250)));
    assert_eq!(set.options().timeout, Some(Duration::from_secs(90)));
    assert_eq!(set.options().effect, Effect::Idempotent);

    let again = set::tool()
        .timeout(Duration::from_secs(1))
        .effect(Effect::Read)
        .background(Background::Never)
        .name("other");
    assert_eq!(again.options().timeout, Some(Duration::from_secs(1)));
    assert_eq!(again.options().effect, Effect::Read);
    assert_eq!(&*again.definition().description, "Set.");
    assert_eq!(&*again.definition().name, "other");

    // Built once.
    assert!(Arc::ptr_eq(
        &plain::tool().definition().input_schema,
        &plain.definition().input_schema
    ));
}
