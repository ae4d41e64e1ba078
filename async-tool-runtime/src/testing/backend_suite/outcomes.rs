//! Rules about the ends of tasks.

use std::time::Duration;

use serde_json::json;

use super::{
    super::wrong::{Checked, Wrong},
    engine::BackendEngine,
    stage::{Stage, equal, submit},
};
use crate::{
    task::TaskOutcome,
    tool::{ToolError, ToolErrorKind},
};

pub(super) async fn every_end<E: BackendEngine>(stage: Stage<E>) -> Checked {
    let _worker = stage.worker(4).await?;
    let ends = [
        TaskOutcome::Completed(json!(null)),
        TaskOutcome::Completed(json!({"text": "é\u{0}\u{1F600}", "numbers": [1, 1.0, u64::MAX, -0.1]})),
        TaskOutcome::Failed(ToolError::failed("no such file")),
        TaskOutcome::Failed(
            ToolError::new(ToolErrorKind::Unavailable, "10.0.0.1 refused")
                .with_model_message("the service is down")
                .with_retry_after(Duration::from_secs(3)),
        ),
        TaskOutcome::Failed(ToolError::new(ToolErrorKind::Timeout, "too slow").with_retryable(false)),
        TaskOutcome::Unknown("the connection was lost".to_owned()),
    ];
    for end in ends {
        let task = stage.task("end", json!(end));
        stage.submit(&task).await?;
        let found = stage.ends_as(task.task, &end).await?;
        equal("count the attempts of a task", &1, &found.attempts)?;
    }
    Ok(())
}

pub(super) async fn ends_anywhere<E: BackendEngine>(stage: Stage<E>) -> Checked {
    let worker = stage.worker(2).await?;
    let other = stage.another().await?;
    let task = stage.start("work").await?;
    stage.started(task, 1).await?;
    // Both wait at once, and one waits again after the end.
    let open = async {
        stage.quiet().await;
        stage.bench.open(task);
    };
    let (first, second, ()) = tokio::join!(stage.end(task), stage.end_through(&other, task), open);
    let (first, second) = (first?, second?);
    equal("wait for the end of a task twice at once", &first, &second)?;
    drop(worker);
    let stage = stage.reconnected().await?;
    equal("wait for the end of a task again", &first, &stage.end(task).await?)
}

pub(super) async fn many_tasks<E: BackendEngine>(stage: Stage<E>) -> Checked {
    const TASKS: u32 = 100;

    let _workers = (stage.worker(8).await?, stage.worker(8).await?);
    let other = stage.another().await?;
    let tasks = (0..TASKS).map(|number| {
        let task = stage.task("end", json!({"status": "completed", "value": number}));
        let backend = if number % 2 == 0 { &stage.backend } else { &other };
        let (backend, spec) = (backend.clone(), task.clone());
        (
            task.task,
            number,
            tokio::spawn(async move { submit(&*backend, &spec).await }),
        )
    });
    let tasks: Vec<_> = tasks.collect();
    let mut submitted = Vec::new();
    for (task, number, submit) in tasks {
        submit.await.map_err(|error| Wrong::error("submit a task", &error))??;
        submitted.push((task, number));
    }
    for (task, number) in &submitted {
        stage.ends_as(*task, &TaskOutcome::Completed(json!(number))).await?;
    }
    stage.quiet().await;
    for (task, _) in submitted {
        equal("count the starts of a task", &1, &stage.bench.starts(task))?;
    }
    Ok(())
}

pub(super) async fn free_slots<E: BackendEngine>(stage: Stage<E>) -> Checked {
    let _worker = stage.worker(2).await?;
    let mut tasks = Vec::new();
    for _ in 0..6 {
        tasks.push(stage.start("work").await?);
    }
    let both = async {
        while stage.bench.running().0 < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    stage
        .in_time("run tasks on a worker with 2 slots", "2 tasks at once", both)
        .await?;
    stage.quiet().await;
    // All before the first wait: an engine may give them out in any order.
    for task in &tasks {
        stage.bench.open(*task);
    }
    for task in tasks {
        stage.end(task).await?;
    }
    let most = stage.bench.running().1;
    equal("run 6 tasks on a worker with 2 slots", &2, &most)
}
