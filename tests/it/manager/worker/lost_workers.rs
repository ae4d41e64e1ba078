//! Tasks whose earlier workers were lost.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_tool_runtime::{
    CancellationToken, TaskOutcome, ToolError, ToolErrorKind, async_tool,
    backend::{HandBackReason, Settlement},
    task::{TaskSpec, Timestamp},
    testing::Gates,
    tool::{Effect, LostTask, Reconciled},
};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{noting, reason, run, worker};
use crate::stand::{Log, call, gate, idle, secs, session};

#[tokio::test(start_paused = true)]
async fn a_repeatable_task_runs_again_until_it_has_lost_four_workers() {
    for effect in [Effect::Read, Effect::Idempotent] {
        let starts = Log::new();
        let worker = worker([noting(effect, &starts)]);
        for earlier in 0..4 {
            let end = run(&worker, "work", earlier).await.unwrap();
            assert_eq!(end, Settlement::new(TaskOutcome::Completed(json!("done")), earlier + 1));
        }
        assert_eq!(
            starts.all(),
            [1, 2, 3, 4],
            "the function sees the number of its attempt"
        );
        for earlier in [4, 5, u32::MAX] {
            let end = run(&worker, "work", earlier).await.unwrap();
            let error = end.outcome.error().unwrap();
            assert_eq!((error.kind(), error.retryable()), (ToolErrorKind::Panicked, false));
            assert_eq!(end.attempts, earlier);
        }
        assert_eq!(starts.len(), 4);
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_can_have_another_limit_of_starts() {
    for (limit, earlier, runs) in [
        (1, 0, true),
        (1, 1, false),
        (10, 9, true),
        (10, 10, false),
        (0, 0, true),
    ] {
        let starts = Log::new();
        let worker = worker([noting(Effect::Read, &starts)]).max_starts(limit);
        let end = run(&worker, "work", earlier).await.unwrap();
        assert_eq!(end.outcome.is_completed(), runs, "{limit} {earlier}: {end:?}");
        assert_eq!(starts.len(), usize::from(runs));
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_must_not_happen_twice_never_runs_after_a_lost_worker() {
    let starts = Log::new();
    let worker = worker([noting(Effect::Once, &starts)]);
    assert!(run(&worker, "work", 0).await.unwrap().outcome.is_completed());
    for earlier in [1, 2, 4, u32::MAX] {
        let end = run(&worker, "work", earlier).await.unwrap();
        assert!(matches!(end.outcome, TaskOutcome::Unknown(_)), "{end:?}");
        assert_eq!(end.attempts, earlier);
    }
    assert_eq!(starts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_tool_is_asked_for_the_outcome_of_a_lost_run() {
    type Verdict = Result<Reconciled<Value>, ToolError>;
    let unknown = |why: &str| TaskOutcome::Unknown(why.to_owned());
    let table: [(Verdict, Result<TaskOutcome, HandBackReason>, usize); 6] = [
        (
            Ok(Reconciled::Completed(json!("found"))),
            Ok(TaskOutcome::Completed(json!("found"))),
            0,
        ),
        (
            Ok(Reconciled::Failed(ToolError::failed("no funds"))),
            Ok(TaskOutcome::Failed(ToolError::failed("no funds"))),
            0,
        ),
        (
            Ok(Reconciled::Unknown("no record".to_owned())),
            Ok(unknown("no record")),
            0,
        ),
        (Ok(Reconciled::NotStarted), Ok(TaskOutcome::Completed(json!("done"))), 1),
        (Ok(Reconciled::Waiting), Err(HandBackReason::Waiting), 0),
        (
            Err(ToolError::failed("the bank is closed")),
            Ok(unknown(
                "the worker that ran it was lost, and it could not be found out what became of it: the bank is closed",
            )),
            0,
        ),
    ];
    for (verdict, expected, runs) in table {
        let (starts, asked) = (Log::new(), Arc::new(AtomicUsize::new(0)));
        let tool = noting(Effect::Once, &starts).reconcile({
            let asked = Arc::clone(&asked);
            move |_: LostTask| {
                asked.fetch_add(1, Ordering::SeqCst);
                let verdict = verdict.clone();
                async move { verdict }
            }
        });
        let worker = worker([tool]);
        let ended = run(&worker, "work", 1).await;
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        assert_eq!(starts.len(), runs, "{ended:?}");
        match (ended, expected) {
            (Ok(end), Ok(outcome)) => assert_eq!(end.outcome, outcome),
            (ended, Err(expected)) => assert_eq!(reason(&ended), Some(expected)),
            (ended, expected) => panic!("{ended:?}, not {expected:?}"),
        }
        // A new task is not asked for, and a tool that ends the workers that ask it is not asked for ever.
        assert!(run(&worker, "work", 0).await.unwrap().outcome.is_completed());
        let end = run(&worker, "work", 4).await.unwrap();
        assert!(matches!(end.outcome, TaskOutcome::Unknown(_)), "{end:?}");
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
}

/// Pays an amount.
#[async_tool]
async fn pay(amount: u64) -> u64 {
    amount
}

#[tokio::test(start_paused = true)]
async fn a_lost_run_is_looked_for_even_if_the_tool_takes_its_arguments_no_longer() {
    for (verdict, completed, refused) in [
        (Reconciled::Completed(7), Some(json!(7)), None),
        (Reconciled::NotStarted, None, Some(ToolErrorKind::InvalidArguments)),
    ] {
        let tool = pay::tool().reconcile(move |_: LostTask| {
            let verdict = verdict.clone();
            async move { Ok::<_, ToolError>(verdict) }
        });
        let task = TaskSpec::new(session(), call("pay", json!({"euros": "seven"})));
        let ended = worker([tool]).execute(&task, 1, CancellationToken::new()).await;
        let outcome = ended.unwrap().outcome;
        assert_eq!(outcome.value(), completed.as_ref());
        assert_eq!(outcome.error().map(ToolError::kind), refused);
    }
}

async fn has_arrived(gates: &Gates, name: &str) -> bool {
    timeout(secs(1), gates.arrived(name, 1)).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn suspects_run_one_at_a_time_and_new_tasks_beside_them() {
    let gates = Gates::new();
    let worker = worker([gates.tool().effect(Effect::Read)]);
    let start = |name: &str, starts: u32| {
        let (worker, call) = (worker.clone(), gate(name));
        tokio::spawn(async move {
            let task = TaskSpec::new(session(), call);
            worker.execute(&task, starts, CancellationToken::new()).await
        })
    };
    let suspects = [start("s0", 2), start("s1", 3), start("s2", 2)];
    idle().await;
    // A task that has lost one worker is no suspect: a worker that is killed has lost many.
    let (new, unlucky) = (start("new", 0), start("unlucky", 1));
    gates.arrived("new", 1).await;
    gates.arrived("unlucky", 1).await;
    assert!(has_arrived(&gates, "s0").await);
    assert!(!has_arrived(&gates, "s1").await && !has_arrived(&gates, "s2").await);
    gates.open("new", json!("new"));
    gates.open("unlucky", json!("unlucky"));
    assert!(unlucky.await.unwrap().unwrap().outcome.is_completed());
    assert!(new.await.unwrap().unwrap().outcome.is_completed());
    for (number, suspect) in suspects.into_iter().enumerate() {
        let name = format!("s{number}");
        gates.arrived(&name, 1).await;
        for later in number + 1..3 {
            assert!(!has_arrived(&gates, &format!("s{later}")).await);
        }
        gates.open(&name, json!(number));
        assert!(suspect.await.unwrap().unwrap().outcome.is_completed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_suspect_in_line_can_be_cancelled_and_keeps_its_deadline() {
    let gates = Gates::new();
    let worker = worker([gates.tool().effect(Effect::Read)]);
    let first = {
        let worker = worker.clone();
        let task = TaskSpec::new(session(), gate("first"));
        tokio::spawn(async move { worker.execute(&task, 2, CancellationToken::new()).await })
    };
    gates.arrived("first", 1).await;

    let token = CancellationToken::new();
    let task = TaskSpec::new(session(), gate("second"));
    let (end, ()) = tokio::join!(worker.execute(&task, 2, token.clone()), async { token.cancel() });
    assert!(matches!(end.unwrap().outcome, TaskOutcome::Cancelled(_)));

    let late = task.clone().with_deadline(Timestamp::from_millis(1));
    let end = timeout(secs(1), worker.execute(&late, 2, CancellationToken::new())).await;
    let end = end.unwrap().unwrap();
    assert_eq!(end.outcome.error().map(ToolError::kind), Some(ToolErrorKind::Timeout));

    // A suspect whose worker drops it leaves the line.
    assert!(
        timeout(secs(1), worker.execute(&task, 2, CancellationToken::new()))
            .await
            .is_err()
    );
    gates.open("first", json!(1));
    first.await.unwrap().unwrap();
    gates.open("second", json!(2));
    let end = worker.execute(&task, 2, CancellationToken::new()).await.unwrap();
    assert_eq!(end.outcome.value(), Some(&json!(2)));
}
