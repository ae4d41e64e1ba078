//! Managers, and the check that a manager is at rest.

use async_tool_runtime::{AsyncToolManager, FunctionTool};
use serde_json::json;

use super::{quick, secs, spec};

/// A manager with these tools and the default settings.
pub(crate) fn manager(tools: impl IntoIterator<Item = FunctionTool>) -> AsyncToolManager {
    let tools = tools.into_iter().map(Into::into);
    AsyncToolManager::builder().tools(tools).build().unwrap()
}

/// A manager with this many slots, these tools, and [`quick`], which [`is_at_rest`] calls.
pub(crate) fn with_slots(slots: usize, tools: impl IntoIterator<Item = FunctionTool>) -> AsyncToolManager {
    let tools = [quick()].into_iter().chain(tools).map(Into::into);
    let builder = AsyncToolManager::builder().tools(tools);
    builder.concurrency(slots).build().unwrap()
}

/// Asserts that all slots are free, no task waits, and a call of [`quick`] runs. `what` names the situation in failures.
pub(crate) async fn is_at_rest(manager: &AsyncToolManager, what: &str) {
    // On several threads, an outcome is visible a moment before its task leaves the table.
    let mut stats = manager.stats();
    for _ in 0..100_000 {
        if (stats.running, stats.waiting, stats.open) == (0, 0, 0) {
            break;
        }
        tokio::task::yield_now().await;
        stats = manager.stats();
    }
    assert_eq!(
        (stats.running, stats.waiting, stats.open),
        (0, 0, 0),
        "{what}: {stats:?}"
    );
    let next = manager.submit_task(spec("quick"));
    let next = next.unwrap_or_else(|refusal| panic!("{what}: {refusal}"));
    let result = tokio::time::timeout(secs(60), next.outcome()).await;
    let result = result.unwrap_or_else(|_| panic!("{what}: the next task does not run"));
    assert_eq!(result.outcome.value(), Some(&json!("done")), "{what}");
}
