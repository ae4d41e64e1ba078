//! Workers that stop, which cancels nothing.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_tool_runtime::{
    CancellationToken, TaskOutcome, ToolContext, ToolError,
    backend::{BackendError, HandBackReason, Heartbeat, WorkerLink},
    future::BoxFuture,
    manager::Executor,
    tool::{Effect, LostTask, Reconciled},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{noting, reason, run, work, worker};
use crate::stand::{Log, secs, tool};

/// Numbers of starts that were kept.
#[derive(Clone, Default)]
struct Saved(Arc<Mutex<Vec<u32>>>);

impl WorkerLink for Saved {
    fn save(&self, heartbeat: Heartbeat) -> BoxFuture<'_, Result<(), BackendError>> {
        self.0.lock().unwrap().push(heartbeat.starts);
        Box::pin(async { Ok(()) })
    }
}

/// Runs a task, and stops the worker after a second. Returns the end and the numbers that were kept.
async fn stopped(
    worker: &Executor,
    stop: &CancellationToken,
    tool: &str,
    starts: u32,
    cancellation: CancellationToken,
) -> (Result<TaskOutcome, HandBackReason>, Vec<u32>) {
    let saved = Saved::default();
    let task = work(tool);
    let run = worker.execute_linked(&task, starts, cancellation, Arc::new(saved.clone()));
    let (ended, ()) = tokio::join!(run, async {
        sleep(secs(1)).await;
        stop.cancel();
    });
    let kept = saved.0.lock().unwrap().clone();
    (ended.map(|end| end.outcome).map_err(|back| back.reason()), kept)
}

#[tokio::test(start_paused = true)]
async fn a_repeatable_task_goes_to_another_worker_and_its_start_does_not_count() {
    type End = fn() -> Result<Value, ToolError>;
    let ends: [Option<End>; 3] = [
        None,
        Some(|| Ok(json!("part"))),
        Some(|| Err(ToolError::failed("stopped"))),
    ];
    for effect in [Effect::Read, Effect::Idempotent] {
        for starts in [0, 2] {
            for end in ends {
                let leaving = Log::new();
                let tool = tool("work", {
                    let leaving = leaving.clone();
                    move |cx: ToolContext| {
                        let leaving = leaving.clone();
                        async move {
                            cx.cancellation().cancelled().await;
                            leaving.note(cx.is_leaving());
                            match end {
                                Some(end) => end(),
                                None => std::future::pending().await,
                            }
                        }
                    }
                });
                let stop = CancellationToken::new();
                let worker = worker([tool.effect(effect)]).stopping_on(stop.clone());
                let begin = Instant::now();
                let (ended, kept) = stopped(&worker, &stop, "work", starts, CancellationToken::new()).await;
                assert_eq!(ended, Err(HandBackReason::Stopping));
                assert_eq!(kept, [starts + 1, starts]);
                assert_eq!(leaving.all(), [true]);
                assert!(begin.elapsed() < secs(2) + Duration::from_millis(200));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_must_not_happen_twice_runs_to_its_end_on_a_worker_that_stops() {
    let told = Log::new();
    let tool = tool("work", {
        let told = told.clone();
        move |cx: ToolContext| {
            let told = told.clone();
            async move {
                sleep(secs(3600)).await;
                told.note(cx.is_cancelled());
                Ok(json!("done"))
            }
        }
    });
    let stop = CancellationToken::new();
    let worker = worker([tool]).stopping_on(stop.clone());
    let (ended, kept) = stopped(&worker, &stop, "work", 0, CancellationToken::new()).await;
    assert_eq!(ended, Ok(TaskOutcome::Completed(json!("done"))));
    assert_eq!((kept, told.all()), (vec![1], vec![false]));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_has_stopped_begins_nothing() {
    for effect in [Effect::Read, Effect::Once] {
        let starts = Log::new();
        let stop = CancellationToken::new();
        let worker = worker([noting(effect, &starts)]).stopping_on(stop.clone());
        stop.cancel();
        for earlier in [0, 1] {
            let ended = run(&worker, "work", earlier).await;
            assert_eq!(reason(&ended), Some(HandBackReason::Stopping));
        }
        assert_eq!(starts.len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_suspect_in_line_goes_to_another_worker() {
    let slow = tool("slow", |_| async {
        sleep(secs(60)).await;
        Ok(Value::Null)
    });
    let stop = CancellationToken::new();
    let worker = worker([slow.effect(Effect::Read)]).stopping_on(stop.clone());
    let (first, second) = tokio::join!(
        stopped(&worker, &stop, "slow", 2, CancellationToken::new()),
        stopped(&worker, &stop, "slow", 2, CancellationToken::new()),
    );
    assert_eq!(first, (Err(HandBackReason::Stopping), vec![3, 2]));
    assert_eq!(second, (Err(HandBackReason::Stopping), vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_lost_task_that_was_never_started_goes_to_another_worker_and_no_start_counts() {
    let starts = Log::new();
    let tool = noting(Effect::Once, &starts).reconcile(|_: LostTask| async {
        sleep(secs(2)).await;
        Ok::<_, ToolError>(Reconciled::<Value>::NotStarted)
    });
    let stop = CancellationToken::new();
    let worker = worker([tool]).stopping_on(stop.clone());
    let (ended, kept) = stopped(&worker, &stop, "work", 1, CancellationToken::new()).await;
    assert_eq!(ended, Err(HandBackReason::Stopping));
    assert_eq!((kept, starts.len()), (vec![2, 1], 0));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_cancelled_while_its_worker_stops_is_cancelled() {
    let tool = tool("work", |cx: ToolContext| async move {
        cx.cancellation().cancelled().await;
        sleep(Duration::from_millis(500)).await;
        Err(ToolError::failed("tidied up"))
    });
    let stop = CancellationToken::new();
    let worker = worker([tool.effect(Effect::Read)]).stopping_on(stop.clone());
    let token = CancellationToken::new();
    let ((ended, _), ()) = tokio::join!(stopped(&worker, &stop, "work", 0, token.clone()), async {
        sleep(Duration::from_millis(1200)).await;
        token.cancel();
    });
    assert_eq!(ended, Ok(TaskOutcome::Cancelled("tidied up".to_owned())));
}
