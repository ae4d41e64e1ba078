//! Injected parameters stand anywhere, come through aliases and references, and never show in the schema.

use async_tool_runtime::{
    CancellationToken, Tool, ToolContext, ToolError, async_tool,
    tool::{FromToolContext, IdempotencyKey, State},
};
use serde_json::json;

struct Attempt(u32);

impl FromToolContext for Attempt {
    fn from_tool_context(cx: &ToolContext) -> Result<Self, ToolError> {
        Ok(Self(cx.attempt()))
    }
}

struct Database;

type Db = State<Database>;

/// Uses the host.
#[async_tool]
async fn host(
    /// Not for the model.
    #[inject]
    cx: ToolContext,
    number: u32,
    #[inject] token: CancellationToken,
    #[inject] key: &IdempotencyKey,
    #[inject] db: Db,
    #[inject] attempt: Attempt,
) -> String {
    std::future::ready(()).await;
    let _ = &*db;
    format!("{cx:?}{number}{token:?}{key}{}", attempt.0)
}

/// Uses the host, sync.
#[async_tool]
fn host_blocking(#[inject] db: &State<Database>, #[inject] cx: &ToolContext) -> bool {
    let _ = &**db;
    cx.is_cancelled()
}

#[test]
fn compiles_and_runs() {
    let tool = host::tool();
    assert_eq!(tool.definition().input_schema["required"], json!(["number"]));
    assert_eq!(
        tool.definition().input_schema["properties"].as_object().unwrap().len(),
        1
    );
    tool.bind(&json!({"number": 1, "cx": {}}).into()).unwrap_err();
    let needed = |tool: &dyn Tool| {
        tool.requirements()
            .iter()
            .map(|needed| needed.type_name())
            .collect::<Vec<_>>()
    };
    assert_eq!(needed(&tool).len(), 1);
    assert!(needed(&tool)[0].ends_with("Database"));
    assert_eq!(needed(&host_blocking::tool()).len(), 1);
}
