//! Link of a running task to its engine: counted starts, and progress.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_tool_runtime::{
    CancellationToken, TaskOutcome,
    backend::{BackendError, HandBackReason, Heartbeat, WorkerLink},
    future::BoxFuture,
    policy::RetryPolicy,
    tool::{Effect, LostTask, Reconciled},
};
use serde_json::{Value, json};

use super::{noting, reason, work, worker};
use crate::stand::{Log, secs, tool};

/// Link that notes what it is told, in order with what a tool notes.
#[derive(Clone, Default)]
struct Noting {
    notes: Arc<Mutex<Vec<String>>>,
    fails: bool,
    panics: bool,
}

impl Noting {
    fn note(&self, what: impl Into<String>) {
        self.notes.lock().unwrap().push(what.into());
    }

    fn all(&self) -> Vec<String> {
        self.notes.lock().unwrap().clone()
    }
}

impl WorkerLink for Noting {
    fn save(&self, heartbeat: Heartbeat) -> BoxFuture<'_, Result<(), BackendError>> {
        Box::pin(async move {
            tokio::time::sleep(secs(1)).await;
            assert!(!self.panics, "a link with a bug");
            if self.fails {
                return Err(BackendError::unreachable("no connection"));
            }
            self.note(format!("saved {}", heartbeat.starts));
            Ok(())
        })
    }

    fn report(&self, heartbeat: Heartbeat) {
        assert!(!self.panics, "a link with a bug");
        self.note(serde_json::to_string(&heartbeat).unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_is_kept_before_the_function_begins() {
    for earlier in [0, 1, 3] {
        let link = Noting::default();
        let seen = link.clone();
        let tool = tool("work", move |_| {
            seen.note("began");
            async { Ok(Value::Null) }
        });
        let worker = worker([tool.effect(Effect::Read)]);
        let token = CancellationToken::new();
        worker
            .execute_linked(&work("work"), earlier, token, Arc::new(link.clone()))
            .await
            .unwrap();
        assert_eq!(link.all(), [format!("saved {}", earlier + 1), "began".to_owned()]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_can_not_be_kept_is_none() {
    let failing = Noting {
        fails: true,
        ..Noting::default()
    };
    let panicking = Noting {
        panics: true,
        ..Noting::default()
    };
    for link in [failing, panicking] {
        let starts = Log::new();
        let worker = worker([noting(Effect::Once, &starts)]);
        let token = CancellationToken::new();
        let ended = worker.execute_linked(&work("work"), 0, token, Arc::new(link)).await;
        assert_eq!(reason(&ended), Some(HandBackReason::Unsaved));
        assert_eq!(starts.len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_counted_for_what_starts_nothing() {
    let link = Noting::default();
    let waiting = noting(Effect::Once, &Log::new())
        .reconcile(|_: LostTask| async { Ok::<_, String>(Reconciled::<Value>::Waiting) });
    let executor = worker([waiting]);
    let run = async |tool: &str, starts| {
        let token = CancellationToken::new();
        executor
            .execute_linked(&work(tool), starts, token, Arc::new(link.clone()))
            .await
    };
    assert_eq!(reason(&run("unknown", 0).await), Some(HandBackReason::UnknownTool));
    assert!(run("work", 4).await.is_ok());
    assert_eq!(link.all(), [""; 0]);
    // A question for the outcome counts while it lasts: it may end the worker too.
    assert_eq!(reason(&run("work", 2).await), Some(HandBackReason::Waiting));
    assert_eq!(link.all(), ["saved 3", "saved 2"]);

    let link = Noting::default();
    let executor = worker([super::noting(Effect::Once, &Log::new())]);
    let token = CancellationToken::new();
    let task = work("work");
    let end = executor.execute_linked(&task, 1, token, Arc::new(link.clone()));
    assert!(matches!(end.await.unwrap().outcome, TaskOutcome::Unknown(_)));
    assert_eq!(link.all(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn progress_goes_to_the_engine_with_the_number_of_starts() {
    let link = Noting::default();
    let tool = tool("work", |cx| async move {
        let progress = cx.progress();
        progress.report(0.5, "half");
        progress.partial("so far", "more");
        progress.partial("x".repeat(1000), "too much");
        progress.message("y".repeat(1000));
        Ok(Value::Null)
    });
    let worker = worker([tool.effect(Effect::Read)]).max_payload(200);
    let token = CancellationToken::new();
    worker
        .execute_linked(&work("work"), 1, token, Arc::new(link.clone()))
        .await
        .unwrap();
    let expected = [
        "saved 2",
        r#"{"starts":2,"progress":{"fraction":0.5,"message":"half"}}"#,
        r#"{"starts":2,"progress":{"fraction":null,"message":"more","output":"so far"}}"#,
        // Without the result so far, which is too large.
        r#"{"starts":2,"progress":{"fraction":null,"message":"too much"}}"#,
    ];
    assert_eq!(link.all(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_panics_ends_no_tool() {
    /// A link that fails at each report.
    struct Panicking;

    impl WorkerLink for Panicking {
        fn save(&self, _: Heartbeat) -> BoxFuture<'_, Result<(), BackendError>> {
            Box::pin(async { Ok(()) })
        }

        fn report(&self, _: Heartbeat) {
            panic!("a link with a bug");
        }
    }

    let tool = tool("work", |cx| async move {
        cx.progress().message("half");
        Ok(json!("done"))
    });
    let token = CancellationToken::new();
    let end = worker([tool])
        .execute_linked(&work("work"), 0, token, Arc::new(Panicking))
        .await;
    assert_eq!(end.unwrap().outcome.value(), Some(&json!("done")));
}

/// Link whose engine answers a kept start with the cancellation of the task.
struct Cancels(CancellationToken);

impl WorkerLink for Cancels {
    fn save(&self, _: Heartbeat) -> BoxFuture<'_, Result<(), BackendError>> {
        Box::pin(async move {
            self.0.cancel();
            Ok(())
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_does_not_begin_after_a_cancellation_that_comes_while_its_start_is_kept() {
    for layers in [0, 3] {
        let starts = Log::new();
        let retry = RetryPolicy::new(layers);
        let worker = worker([noting(Effect::Once, &starts).retry(retry)]);
        let token = CancellationToken::new();
        let link = Arc::new(Cancels(token.clone()));
        let ended = worker.execute_linked(&work("work"), 0, token, link).await.unwrap();
        assert!(matches!(ended.outcome, TaskOutcome::Cancelled(_)), "{ended:?}");
        assert_eq!((starts.len(), ended.attempts), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_run_is_looked_for_also_after_the_cancellation_of_its_task() {
    let starts = Log::new();
    let tool = noting(Effect::Once, &starts).reconcile(|_: LostTask| async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok::<_, String>(Reconciled::Completed(json!("paid")))
    });
    let token = CancellationToken::new();
    let link = Arc::new(Cancels(token.clone()));
    let ended = worker([tool])
        .execute_linked(&work("work"), 1, token, link)
        .await
        .unwrap();
    assert_eq!(ended.outcome, TaskOutcome::Completed(json!("paid")));
    assert_eq!(starts.len(), 0);
}
