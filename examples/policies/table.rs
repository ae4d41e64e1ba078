//! A table of calls and their results.

use std::time::Duration;

use async_tool_runtime::{AsyncTaskResult, AsyncToolManager, SessionId, TaskOutcome, ToolCall, task::Timestamp};
use serde::Deserialize;
use serde_json::json;
use shared::console::say;

use crate::index::Package;

/// Makes calls and prints a row for each.
pub(crate) struct Table {
    manager: AsyncToolManager,
    began: Option<Timestamp>,
    calls: usize,
    has_open_breaker: bool,
}

impl Table {
    pub(crate) fn new(manager: AsyncToolManager) -> Self {
        say("      at  package      attempts     took  outcome    what happened");
        Self {
            manager,
            began: None,
            calls: 0,
            has_open_breaker: false,
        }
    }

    /// Number of calls so far.
    pub(crate) fn calls(&self) -> usize {
        self.calls
    }

    /// Looks up these packages concurrently and waits for all; returns the `retry_after` of the last call's error.
    pub(crate) async fn look_up(&mut self, packages: &[&str]) -> anyhow::Result<Option<Duration>> {
        let mut tasks = Vec::new();
        for package in packages {
            self.calls += 1;
            let call = ToolCall::new(format!("call_{}", self.calls), "look_up", json!({"package": package}));
            tasks.push(self.manager.submit(&SessionId::new("table"), call)?);
        }
        let mut results = Vec::new();
        for task in tasks {
            results.push(task.outcome().await);
        }
        results.sort_by_key(|result| result.timing.settled);
        let mut retry_after = None;
        for result in &results {
            let began = *self.began.get_or_insert(result.timing.accepted);
            say(row(result, began));
            retry_after = result.outcome.error().and_then(|error| error.retry_after());
        }
        let is_open = !self.manager.stats().open_breakers.is_empty();
        match (self.has_open_breaker, is_open) {
            (false, true) => say("          -- the breaker has opened: no requests to the index for a while"),
            (true, false) => say("          -- the breaker has closed again"),
            _ => {}
        }
        self.has_open_breaker = is_open;
        Ok(retry_after)
    }
}

fn row(result: &AsyncTaskResult, began: Timestamp) -> String {
    let at = result.timing.accepted.since(began).as_secs_f64();
    let package = result.arguments["package"].as_str().unwrap_or_default();
    let took = result.timing.elapsed().as_millis();
    let status = result.status().as_str();
    let what = what_happened(result);
    format!(
        "  {at:>4.2} s  {package:<12} {:>8}  {took:>4} ms  {status:<9}  {what}",
        result.attempts
    )
}

/// Explanation of a result, from its record.
fn what_happened(result: &AsyncTaskResult) -> String {
    let mut what = match &result.outcome {
        TaskOutcome::Completed(_) if result.attempts == 0 => "from the cache, without a request".to_owned(),
        TaskOutcome::Completed(value) => found(value),
        TaskOutcome::Failed(error) if result.attempts == 0 => match error.retry_after() {
            Some(after) => format!("breaker open: refused at once, retry in {:.1} s", after.as_secs_f64()),
            None => format!("refused: {error}"),
        },
        TaskOutcome::Failed(error) => format!("failed: {error}"),
        other => other.status().to_string(),
    };
    match result.attempts {
        0 | 1 => {}
        2 => what += "; 1 retry",
        attempts => what += &format!("; {} retries", attempts - 1),
    }
    // There are enough slots, so only the rate limit makes a call wait.
    let waited = result.timing.queued();
    if result.attempts > 0 && waited >= Duration::from_millis(50) {
        what += &format!("; delayed {:.1} s by the rate limit", waited.as_secs_f64());
    }
    what
}

fn found(value: &serde_json::Value) -> String {
    match Package::deserialize(value) {
        Ok(package) => format!("{}, needed by {}", package.versions.join(" and "), package.needed_by),
        Err(error) => format!("can't read the value: {error}"),
    }
}
