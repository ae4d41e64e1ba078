//! Rules about submitted tasks.

use serde_json::json;

use super::{
    super::wrong::{Checked, Wrong},
    engine::{BackendEngine, BackendWorker},
    stage::{Stage, equal, new_session, submit},
};
use crate::{
    backend::{Backend, BackendErrorKind, Heartbeats},
    clock::Timestamp,
    id::{TaskId, TaskNo},
    session::SessionId,
    task::TaskOutcome,
};

pub(super) async fn kept<E: BackendEngine>(stage: Stage<E>) -> Checked {
    let task = stage.task("end", json!({"status": "completed", "value": 7}));
    stage.submit(&task).await?;
    let stage = stage.reconnected().await?;
    let _worker = stage.worker(2).await?;
    stage.ends_as(task.task, &TaskOutcome::Completed(json!(7))).await?;
    stage.has_started(task.task, 1).await
}

pub(super) async fn submitted_twice<E: BackendEngine>(stage: Stage<E>) -> Checked {
    let _worker = stage.worker(8).await?;
    let other = stage.another().await?;
    let task = stage.task("work", json!({}));
    let at_once = (0..8).map(|number| {
        let backend = if number % 2 == 0 { &stage.backend } else { &other };
        let (backend, task) = (backend.clone(), task.clone());
        tokio::spawn(async move { submit(&*backend, &task).await })
    });
    for submitted in at_once.collect::<Vec<_>>() {
        submitted
            .await
            .map_err(|error| Wrong::error("submit a task", &error))??;
    }
    stage.started(task.task, 1).await?;
    stage.submit(&task).await?;
    submit(&*other, &task).await?;
    stage.quiet().await;
    stage.bench.open(task.task);
    stage.end(task.task).await?;
    stage.has_started(task.task, 1).await
}

pub(super) async fn submitted_after_its_end<E: BackendEngine>(stage: Stage<E>) -> Checked {
    let _worker = stage.worker(2).await?;
    let end = TaskOutcome::Completed(json!("once"));
    let task = stage.task("end", json!({"status": "completed", "value": "once"}));
    stage.submit(&task).await?;
    stage.ends_as(task.task, &end).await?;
    stage.submit(&task).await?;
    submit(&*stage.another().await?, &task).await?;
    stage.ends_as(task.task, &end).await?;
    stage.has_started(task.task, 1).await
}

pub(super) async fn whole_tasks<E: BackendEngine>(stage: Stage<E>) -> Checked {
    let _worker = stage.worker(2).await?;
    let arguments = json!({
        "text": "é \u{0}\u{1F600} \"quotes\" \\ \n <tag> \u{2028}",
        // A fast but inexact parser of JSON changes the last bit of the last one.
        "numbers": [0, -1, i64::MIN, u64::MAX, 1.0, -0.1, 1e300, 0.1 + 0.2, 0.956_084_237_158_156_9],
        "empty": [{}, [], "", null],
        "": {"a.b": [[[[1]]]]},
    });
    let far = Timestamp::of_system().after(std::time::Duration::from_secs(3600));
    for is_full in [false, true] {
        let mut task = stage.task("show", arguments.clone());
        if is_full {
            task = task.with_number(TaskNo::new(7)).with_deadline(far);
        }
        stage.submit(&task).await?;
        let expected = json!({
            "arguments": arguments,
            "task": task.task,
            "number": task.number,
            "session": task.session,
            "call": task.call.id,
            "key": crate::tool::IdempotencyKey::new(task.task).to_string(),
            "attempt": 1,
            "has_deadline": is_full,
        });
        stage.ends_as(task.task, &TaskOutcome::Completed(expected)).await?;
    }
    Ok(())
}

pub(super) async fn unknown_task<E: BackendEngine>(stage: Stage<E>) -> Checked {
    let doing = "wait for the end of a task that was never submitted";
    let found = stage.backend.outcome(TaskId::new(), Heartbeats::ignored());
    let found = match stage.in_time(doing, "an error", found).await? {
        Ok(end) => format!("the end {end:?}"),
        Err(error) if error.kind() == BackendErrorKind::NotFound => return Ok(()),
        Err(error) => format!("an error of kind {:?}: {error}", error.kind()),
    };
    Err(Wrong::new(doing, "an error of kind NotFound", &found))
}

pub(super) async fn open_tasks<E: BackendEngine>(stage: Stage<E>) -> Checked {
    let (first, second) = (stage.start("work").await?, stage.start("work").await?);
    let mut elsewhere = stage.task("work", json!({}));
    elsewhere.session = new_session();
    stage.submit(&elsewhere).await?;
    lists(&stage, &stage.session, &[first, second]).await?;
    lists(&stage, &elsewhere.session, &[elsewhere.task]).await?;
    lists(&stage, &new_session(), &[]).await?;

    let worker = stage.worker(4).await?;
    stage.bench.open(first);
    stage.end(first).await?;
    lists(&stage, &stage.session, &[second]).await?;
    for task in [second, elsewhere.task] {
        stage.bench.open(task);
        stage.end(task).await?;
    }
    lists(&stage, &stage.session, &[]).await?;
    worker.stop().await;
    Ok(())
}

/// Waits until these are the open tasks of the session.
async fn lists<E: BackendEngine>(stage: &Stage<E>, session: &SessionId, expected: &[TaskId]) -> Checked {
    let doing = "list the open tasks of a session";
    let begin = tokio::time::Instant::now();
    let mut expected = expected.to_vec();
    expected.sort_unstable_by_key(|task| task.as_u128());
    loop {
        let found = stage.backend.open_tasks(session).await;
        let mut found = found.map_err(|error| Wrong::error(doing, &error))?;
        found.sort_unstable_by_key(|task| task.as_u128());
        let ended = equal(doing, &expected, &found);
        if ended.is_ok() || begin.elapsed() > stage.patience {
            return ended;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
