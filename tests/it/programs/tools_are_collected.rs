//! `tools!` collects tools by path; two of one name are refused.

use async_tool_runtime::{async_tool, tool::ToolRegistry, tools};

/// Adds.
#[async_tool]
fn add(left: u8, right: u8) -> u8 {
    left + right
}

mod module {
    /// Subtracts.
    #[async_tool_runtime::async_tool]
    pub(super) fn subtract(left: u8, right: u8) -> u8 {
        left - right
    }

    /// Adds too.
    #[async_tool_runtime::async_tool(name = "add")]
    pub(super) fn plus(left: u8) -> u8 {
        left
    }
}

#[test]
fn compiles_and_runs() {
    let registry = ToolRegistry::new(tools![add, module::subtract]).unwrap();
    assert!(registry.find("subtract").is_some());
    let error = ToolRegistry::new(tools![add, module::subtract, self::module::plus]).unwrap_err();
    assert_eq!(error.tool(), "add");
}
