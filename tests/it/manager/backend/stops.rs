//! Cancellations of tasks on a backend.

use std::time::Duration;

use async_tool_runtime::{
    AsyncToolManager, TaskOutcome,
    backend::{BackendCapabilities, BackendErrorKind, CancelMode},
    tool::{Dedupe, Effect},
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{distant, on, start_on};
use crate::stand::{StubBackend, idle, secs, spec};

fn said(mode: CancelMode, reason: &str) -> (CancelMode, String) {
    (mode, reason.to_owned())
}

#[tokio::test(start_paused = true)]
async fn an_engine_hears_of_every_cancellation_with_its_reason_and_can_not_hold_a_task_up() {
    let backend = StubBackend::default();
    let task = start_on(&backend, Effect::Once);
    idle().await;
    task.cancel("enough");
    let outcome = task.outcome().await.outcome.clone();
    assert!(matches!(outcome, TaskOutcome::Unknown(_)), "{outcome:?}");
    let expected = [said(CancelMode::Cancel, "enough"), said(CancelMode::Abort, "enough")];
    assert_eq!(backend.cancels(), expected);

    let backend = StubBackend::default();
    let task = start_on(&backend, Effect::Once);
    idle().await;
    task.abort("now");
    assert_eq!(task.outcome().await.outcome, TaskOutcome::Cancelled("now".to_owned()));
    sleep(secs(5)).await;
    assert_eq!(backend.cancels(), [said(CancelMode::Abort, "now")]);

    let backend = StubBackend::hanging();
    let task = start_on(&backend, Effect::Once);
    idle().await;
    task.cancel("enough");
    let outcome = task.outcome().await.outcome.clone();
    assert!(
        matches!(outcome, TaskOutcome::Unknown(_)),
        "it may have been taken: {outcome:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_time_in_which_an_engine_tells_its_workers_is_added_to_the_stop_timeout() {
    // The tool ends three seconds after the cancellation; the stop timeout is one.
    for (latency, is_waited_for) in [(secs(0), false), (secs(5), true)] {
        let backend = StubBackend::with(BackendCapabilities::default().with_cancel_latency(latency));
        let task = start_on(&backend, Effect::Once);
        idle().await;
        task.cancel("enough");
        let stub = backend.clone();
        tokio::spawn(async move {
            sleep(secs(3)).await;
            stub.end(TaskOutcome::Cancelled("it was half done".to_owned()), 1);
        });
        let outcome = task.outcome().await.outcome.clone();
        if is_waited_for {
            let expected = "enough; the tool said: it was half done".to_owned();
            assert_eq!(outcome, TaskOutcome::Cancelled(expected));
            assert_eq!(backend.cancels().len(), 1);
        } else {
            assert!(matches!(outcome, TaskOutcome::Unknown(_)), "{outcome:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_waits_a_while_for_an_engine_that_is_out() {
    for (outage, is_waited_for) in [(20, true), (120, false)] {
        let backend = StubBackend::default();
        let task = start_on(&backend, Effect::Once);
        idle().await;
        backend.be_out_for(secs(outage));
        idle().await;
        task.cancel("enough");
        let begin = Instant::now();
        let stub = backend.clone();
        tokio::spawn(async move {
            while stub.cancels().is_empty() {
                sleep(Duration::from_millis(10)).await;
            }
            stub.end(TaskOutcome::Cancelled(String::new()), 1);
        });
        let outcome = task.outcome().await.outcome.clone();
        match is_waited_for {
            true => assert_eq!(outcome, TaskOutcome::Cancelled("enough".to_owned())),
            false => assert!(matches!(outcome, TaskOutcome::Unknown(_)), "{outcome:?}"),
        }
        assert!(begin.elapsed() < secs(40), "{:?}", begin.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_told_to_stop_is_not_submitted_any_more() {
    for (effect, is_unknown) in [(Effect::Read, false), (Effect::Once, true)] {
        let backend = StubBackend::default();
        backend.fail(Some(BackendErrorKind::Unreachable));
        let task = start_on(&backend, effect);
        idle().await;
        task.cancel("enough");
        let outcome = task.outcome().await.outcome.clone();
        match is_unknown {
            true => assert!(matches!(outcome, TaskOutcome::Unknown(_)), "{outcome:?}"),
            false => assert_eq!(outcome, TaskOutcome::Cancelled("enough".to_owned())),
        }
        let submits = backend.submits();
        backend.fail(None);
        sleep(secs(60)).await;
        assert_eq!(backend.submits(), submits);
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_submit_was_not_answered_is_stopped_on_the_engine() {
    for effect in [Effect::Read, Effect::Once] {
        for is_found in [true, false] {
            let backend = StubBackend::default();
            backend.be_out_for(secs(5));
            let task = start_on(&backend, effect);
            idle().await;
            task.cancel("enough");
            let stub = backend.clone();
            tokio::spawn(async move {
                while stub.cancels().is_empty() {
                    sleep(Duration::from_millis(10)).await;
                }
                match is_found {
                    true => stub.end(TaskOutcome::Completed(json!("done before")), 1),
                    false => stub.fail(Some(BackendErrorKind::NotFound)),
                }
            });
            let outcome = task.outcome().await.outcome.clone();
            assert_eq!(backend.cancels(), [said(CancelMode::Cancel, "enough")]);
            match is_found {
                true => assert_eq!(outcome.value(), Some(&json!("done before"))),
                false => assert_eq!(outcome, TaskOutcome::Cancelled("enough".to_owned())),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ends_in_the_moment_of_its_cancellation_has_its_own_end() {
    let backend = StubBackend::default();
    let task = start_on(&backend, Effect::Once);
    idle().await;
    backend.end(TaskOutcome::Completed(json!("done")), 1);
    task.cancel("enough");
    assert_eq!(task.outcome().await.outcome.value(), Some(&json!("done")));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_of_a_shared_run_has_the_end_that_the_engine_tells() {
    for (end, expected) in [
        (Some(json!("half of it")), TaskOutcome::Completed(json!("half of it"))),
        (
            None,
            TaskOutcome::Unknown("the task was told to stop and did not say that it has".to_owned()),
        ),
    ] {
        let backend = StubBackend::default();
        let manager = AsyncToolManager::builder().tool(distant(Effect::Once).dedupe(Dedupe::Share));
        let manager = manager.backend(backend.clone()).build().unwrap();
        let task = manager.submit_task(spec("distant")).unwrap();
        idle().await;
        task.cancel("enough");
        if let Some(value) = end {
            sleep(Duration::from_millis(500)).await;
            backend.end(TaskOutcome::Completed(value), 1);
        }
        let result = task.outcome().await;
        assert_eq!(result.outcome, expected);
        sleep(secs(10)).await;
        assert_eq!((manager.stats().open, manager.stats().running), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_of_a_backend_can_be_completed_from_outside() {
    let manager = on(&StubBackend::default(), Effect::Once);
    let task = manager.submit_task(spec("distant")).unwrap();
    idle().await;
    manager.resolve(task.id(), json!("by phone")).unwrap();
    let result = task.outcome().await;
    assert_eq!(result.outcome.value(), Some(&json!("by phone")));
}
