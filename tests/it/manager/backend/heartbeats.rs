//! Starts and progress of tasks on a backend.

use async_tool_runtime::{
    TaskEvent, TaskOutcome, TaskStatus, backend::Heartbeat, task::TaskEventStream, tool::Effect, tool::ProgressReport,
};
use serde_json::json;

use super::on;
use crate::stand::{StubBackend, idle, secs, spec};

fn progress(message: &str) -> ProgressReport {
    serde_json::from_value(json!({"fraction": 0.5, "message": message})).unwrap()
}

/// Kinds of the events so far, with the message of each report.
async fn kinds(events: &mut TaskEventStream) -> Vec<String> {
    let mut kinds = Vec::new();
    while let Ok(Some(event)) = tokio::time::timeout(secs(1), events.next()).await {
        kinds.push(match event {
            TaskEvent::Snapshot { .. } => continue,
            TaskEvent::Accepted(_) => "accepted".to_owned(),
            TaskEvent::Waits(task) => format!("waits for {:?}", task.waits_for),
            TaskEvent::Started(_) => "started".to_owned(),
            TaskEvent::Progressed(task) => task.progress.unwrap().message,
            TaskEvent::Settled(_) => "settled".to_owned(),
            other => format!("{other:?}"),
        });
    }
    kinds
}

#[tokio::test(start_paused = true)]
async fn a_task_has_started_when_a_worker_starts_it_and_shows_its_progress() {
    let backend = StubBackend::default();
    let manager = on(&backend, Effect::Read);
    let mut events = manager.events();
    let task = manager.submit_task(spec("distant")).unwrap();
    idle().await;
    assert_eq!(task.status(), TaskStatus::Queued);
    // A worker has it, and has not begun.
    backend.beat(&Heartbeat::new(0));
    assert_eq!(kinds(&mut events).await, ["accepted", "waits for Some(Worker)"]);

    let half = Heartbeat::new(1).with_progress(progress("half"));
    for heartbeat in [&Heartbeat::new(1), &half, &half, &Heartbeat::new(2)] {
        backend.beat(heartbeat);
    }
    assert_eq!(task.status(), TaskStatus::Running);
    let seen = kinds(&mut events).await;
    assert_eq!(seen.iter().filter(|kind| *kind == "started").count(), 1, "{seen:?}");
    assert_eq!(seen.iter().filter(|kind| *kind == "half").count(), 1, "{seen:?}");

    backend.end(TaskOutcome::Completed(json!(1)), 2);
    assert_eq!(task.outcome().await.attempts, 2);
    backend.beat(&Heartbeat::new(3).with_progress(progress("too late")));
    assert_eq!(kinds(&mut events).await, ["settled"]);
}

#[tokio::test(start_paused = true)]
async fn a_task_of_an_engine_without_heartbeats_has_started_before_its_end() {
    let backend = StubBackend::default();
    let manager = on(&backend, Effect::Read);
    let mut events = manager.events();
    let task = manager.submit_task(spec("distant")).unwrap();
    idle().await;
    backend.end(TaskOutcome::Completed(json!(1)), 1);
    task.outcome().await;
    let seen = kinds(&mut events).await;
    assert_eq!(seen[..2], ["accepted", "waits for Some(Worker)"]);
    assert_eq!(seen[seen.len() - 2..], ["started", "settled"], "{seen:?}");
}
