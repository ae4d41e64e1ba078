//! Methods as tools, which run on the service that the tools were taken from.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_tool_runtime::{
    AsyncToolManager, Effect, SessionId, TaskOutcome, ToolCall, async_tools, tool::IdempotencyKey,
};
use serde_json::{Value, json};

struct Counter<S> {
    count: AtomicU32,
    suffix: S,
}

#[async_tools]
impl<S: ToString + Send + Sync + 'static> Counter<S> {
    /// Adds to the count.
    #[async_tool(effect = "idempotent")]
    async fn add(&self, #[arg(default = 2, max = 5)] by: u32, #[inject] _key: IdempotencyKey) -> u32 {
        tokio::task::yield_now().await;
        self.count.fetch_add(by, Ordering::SeqCst) + by
    }

    /// The count as text.
    #[async_tool(effect = "read")]
    fn show(&self, prefix: Option<&str>, #[arg(default = ": ")] separator: &str) -> Result<String, String> {
        let prefix = prefix.ok_or("no prefix")?;
        let count = self.count.load(Ordering::SeqCst);
        Ok(format!("{prefix}{separator}{count}{}", self.suffix.to_string()))
    }
}

async fn outcome(manager: &AsyncToolManager, tool: &str, arguments: Value) -> TaskOutcome {
    let call = ToolCall::new("call", tool, arguments);
    let task = manager.submit(&SessionId::new("s"), call).unwrap();
    task.outcome().await.outcome.clone()
}

#[tokio::test]
async fn calls_share_the_service() {
    let service = Arc::new(Counter {
        count: AtomicU32::new(0),
        suffix: '!',
    });
    let tools = service.tools();
    assert_eq!(tools[0].options().effect, Effect::Idempotent);
    let manager = AsyncToolManager::builder().tools(tools).build().unwrap();
    assert_eq!(
        outcome(&manager, "add", json!({})).await,
        TaskOutcome::Completed(json!(2))
    );
    assert_eq!(
        outcome(&manager, "add", json!({"by": 5})).await,
        TaskOutcome::Completed(json!(7))
    );
    assert_eq!(service.count.load(Ordering::SeqCst), 7);
    assert_eq!(
        outcome(&manager, "show", json!({"prefix": "now"})).await,
        TaskOutcome::Completed(json!("now: 7!"))
    );
    assert!(matches!(
        outcome(&manager, "show", json!({})).await,
        TaskOutcome::Failed(_)
    ));

    let call = ToolCall::new("call", "add", json!({"by": 6}));
    let refused = manager.submit(&SessionId::new("s"), call).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("at `$.by`: expected a number of at most 5")
    );
    assert_eq!(service.count.load(Ordering::SeqCst), 7);
}
