//! Rules about the size of what travels.

use serde_json::json;

use super::{
    super::wrong::{Checked, Wrong},
    engine::BackendEngine,
    stage::{Stage, equal},
};
use crate::{
    backend::{Backend, Settlement},
    task::{TaskOutcome, json_bytes},
};

/// Size for a backend that names none.
const WITHOUT_LIMIT: usize = 1024 * 1024;

pub(super) async fn large_tasks<E: BackendEngine>(stage: Stage<E>) -> Checked {
    let _worker = stage.worker(2).await?;
    let most = stage.backend.capabilities().max_payload.unwrap_or(WITHOUT_LIMIT);
    let mut task = stage.task("size", json!({"text": ""}));
    let text = most.saturating_sub(json_bytes(&task).unwrap_or(0));
    task.call.arguments = json!({"text": "x".repeat(text)}).into();
    equal("make a task of the largest size", &Some(most), &json_bytes(&task))?;
    stage.submit(&task).await?;
    stage.ends_as(task.task, &TaskOutcome::Completed(json!(text))).await?;
    Ok(())
}

pub(super) async fn large_ends<E: BackendEngine>(stage: Stage<E>) -> Checked {
    let _worker = stage.worker(2).await?;
    let limit = stage.backend.capabilities().max_payload;
    let most = limit.unwrap_or(WITHOUT_LIMIT);
    let around = json_bytes(&Settlement::new(TaskOutcome::Completed(json!("")), 1)).unwrap_or(0);
    let text = most.saturating_sub(around);
    let task = stage.task("fill", json!({"bytes": text}));
    stage.submit(&task).await?;
    let expected = TaskOutcome::Completed(json!("x".repeat(text)));
    stage.ends_as(task.task, &expected).await?;

    if limit.is_some() {
        let task = stage.task("fill", json!({"bytes": text + 1}));
        stage.submit(&task).await?;
        let end = stage.end(task.task).await?;
        let said = end.outcome.error().map_or("", |error| error.message());
        if !said.contains(&most.to_string()) {
            let expected = format!("an error that names the limit of {most} bytes");
            let found = format!("{:?}", end.outcome);
            return Err(Wrong::new("read the outcome of a task", &expected, &found));
        }
        stage.has_started(task.task, 1).await?;
    }
    Ok(())
}
