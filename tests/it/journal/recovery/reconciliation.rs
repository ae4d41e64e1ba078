//! Tools that find out the outcome of a lost call.

use std::time::Duration;

use async_tool_runtime::{
    AsyncToolManager, Effect, SessionId, TaskId, TaskNo, TaskStatus, ToolError, ToolErrorKind,
    tool::{LostTask, Reconciled},
};

use super::process::{Seen, check, kept, leave, listener, numbers, resume, stuck, told};
use crate::stand::manager;

#[tokio::test(start_paused = true)]
async fn a_tool_finds_out_the_outcome_of_its_lost_call() {
    /// The reconciliation, the end of the task, and the number of runs in all.
    type Case = (fn() -> Result<Reconciled<String>, String>, &'static str, usize);
    let cases: [Case; 6] = [
        (
            || Ok(Reconciled::Completed("receipt 7".into())),
            r#""result":"receipt 7""#,
            1,
        ),
        (|| Ok(Reconciled::Failed(ToolError::failed("declined"))), "declined", 1),
        (|| Ok(Reconciled::NotStarted), r#""result":"again""#, 2),
        (
            || Ok(Reconciled::Unknown("the bank is silent".into())),
            "the bank is silent",
            1,
        ),
        (
            || Err("the bank is down".into()),
            "it could not be found out what became of it: the bank is down",
            1,
        ),
        (
            || panic!("a defect"),
            "it could not be found out what became of it: the tool crashed",
            1,
        ),
    ];
    for (finds, expected, runs) in cases {
        let (kept, seen) = (kept(), Seen::default());
        let (_dead, tasks) = leave(&kept, &manager([stuck("pay", Effect::Once, &seen)]), &["pay"]).await;
        let task = tasks[0];
        let tool = stuck("pay", Effect::Once, &seen).reconcile(move |lost: LostTask| async move {
            assert_eq!(
                (lost.task(), lost.idempotency_key().to_string()),
                (task, task.to_string())
            );
            finds()
        });
        let (model, second) = (listener(), manager([tool]));
        let agent = resume(&kept, &second, &model).await;
        assert_eq!(agent.resumption().unwrap().reconciled, numbers(&[1]));
        agent.run_until_idle().await.unwrap();
        let told = told(model.requests().last().unwrap());
        assert!(told.contains(expected), "{expected}: {told}");
        assert_eq!(seen.of("pay").len(), runs, "{expected}");
        let stats = second.stats();
        assert_eq!((stats.accepted, stats.open), (1, 0), "{expected}: {stats:?}");
        check(&kept);
    }
}

mod typed {
    use async_tool_runtime::async_tool;

    /// Pays.
    #[async_tool]
    pub(super) async fn pay() -> String {
        "paid".to_owned()
    }
}

#[tokio::test(start_paused = true)]
async fn a_reconciled_value_must_be_a_result_of_the_tool() {
    let (kept, seen) = (kept(), Seen::default());
    leave(&kept, &manager([stuck("pay", Effect::Once, &seen)]), &["pay"]).await;
    let tool = typed::pay::tool().reconcile(|_| async { Ok::<_, String>(Reconciled::Completed(7)) });
    let model = listener();
    let agent = resume(&kept, &manager([tool]), &model).await;
    agent.run_until_idle().await.unwrap();
    let told = told(model.requests().last().unwrap());
    assert!(
        told.contains(r#""status":"unknown""#) && told.contains("is no result of the tool"),
        "{told}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_reconciliation_is_given_time_to_end() {
    let (kept, seen) = (kept(), Seen::default());
    leave(&kept, &manager([stuck("pay", Effect::Once, &seen)]), &["pay"]).await;
    let tool = stuck("pay", Effect::Once, &seen).reconcile(|lost: LostTask| async move {
        lost.context().cancellation().cancelled().await;
        Ok::<_, String>(Reconciled::Completed("receipt 7"))
    });
    let manager = manager([tool]);
    let agent = resume(&kept, &manager, &listener()).await;
    while manager.stats().running == 0 {
        tokio::task::yield_now().await;
    }
    agent.cancel(TaskNo::new(1), "not wanted any more").await.unwrap();
    agent.run_until_idle().await.unwrap();
    assert_eq!(agent.tasks().await.unwrap()[0].status, TaskStatus::Completed);
    check(&kept);
}

/// Resumes a session with one call, and runs `stop` on it while its tool finds out that it had not begun.
async fn stop_what_is_found_out(stop: impl Fn(&AsyncToolManager, TaskId)) {
    let (kept, seen) = (kept(), Seen::default());
    let (_dead, tasks) = leave(&kept, &manager([stuck("pay", Effect::Once, &seen)]), &["pay"]).await;
    let tool = stuck("pay", Effect::Once, &seen).reconcile(|lost: LostTask| async move {
        lost.context().cancellation().cancelled().await;
        Ok::<_, String>(Reconciled::<String>::NotStarted)
    });
    let manager = manager([tool]);
    let model = listener();
    let agent = resume(&kept, &manager, &model).await;
    while manager.stats().running == 0 {
        tokio::task::yield_now().await;
    }
    stop(&manager, tasks[0]);
    agent.run_until_idle().await.unwrap();
    // By then, the cancelled task has stopped.
    tokio::time::sleep(Duration::from_secs(60)).await;
    agent.run_until_idle().await.unwrap();
    assert_eq!(seen.of("pay").len(), 1, "it has run after it was cancelled");
    let task = agent.tasks().await.unwrap()[0].clone();
    assert_eq!(task.status, TaskStatus::Cancelled);
    let told = told(model.requests().last().unwrap());
    assert!(told.contains("the customer has left"), "{told}");
    assert!(format!("{manager:?}").contains("open_tasks: 0"), "{manager:?}");
    let stats = manager.stats();
    assert_eq!((stats.running, stats.waiting, stats.cancelled), (0, 0, 1));
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_the_host_cancels_never_runs_even_if_it_is_then_found_not_to_have_begun() {
    stop_what_is_found_out(|manager, task| {
        manager.cancel(task, "the customer has left").unwrap();
    })
    .await;
    stop_what_is_found_out(|manager, _| {
        assert_eq!(manager.cancel_session(&SessionId::new("s"), "the customer has left"), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_aborted_during_its_reconciliation_is_counted_once() {
    stop_what_is_found_out(|manager, task| manager.task(task).unwrap().abort("the customer has left")).await;
}

#[tokio::test(start_paused = true)]
async fn a_reconciliation_that_stops_with_its_session_is_made_again() {
    let (kept, seen) = (kept(), Seen::default());
    leave(&kept, &manager([stuck("pay", Effect::Once, &seen)]), &["pay"]).await;
    let tool = stuck("pay", Effect::Once, &seen).reconcile(|lost: LostTask| async move {
        if lost.context().checkpoint().is_none() {
            lost.context()
                .save_checkpoint("asked")
                .await
                .map_err(|error| error.to_string())?;
            lost.context().cancellation().cancelled().await;
            return Err(format!("stopped: {}", lost.context().is_leaving()));
        }
        Ok(Reconciled::Completed("receipt 7"))
    });
    let manager = manager([tool]);
    let agent = resume(&kept, &manager, &listener()).await;
    while manager.stats().running == 0 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    agent.leave().await.unwrap();
    let model = listener();
    let agent = resume(&kept, &manager, &model).await;
    agent.run_until_idle().await.unwrap();
    let told = told(model.requests().last().unwrap());
    assert!(told.contains("receipt 7"), "{told}");
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_reconciler_says_by_the_kind_of_its_error_how_the_task_ended() {
    for (kind, cancels, status) in [
        (ToolErrorKind::Failed, false, TaskStatus::Failed),
        (ToolErrorKind::Unknown, false, TaskStatus::Failed),
        (ToolErrorKind::Cancelled, true, TaskStatus::Cancelled),
    ] {
        let (kept, seen) = (kept(), Seen::default());
        leave(&kept, &manager([stuck("pay", Effect::Once, &seen)]), &["pay"]).await;
        let tool = stuck("pay", Effect::Once, &seen).reconcile(move |lost: LostTask| async move {
            if cancels {
                lost.context().cancellation().cancelled().await;
            }
            Ok::<_, String>(Reconciled::<String>::Failed(ToolError::new(kind, "so it is")))
        });
        let manager = manager([tool]);
        let model = listener();
        let agent = resume(&kept, &manager, &model).await;
        if cancels {
            agent.cancel(TaskNo::new(1), "not wanted any more").await.unwrap();
        }
        agent.run_until_idle().await.unwrap();
        assert_eq!(agent.tasks().await.unwrap()[0].status, status, "{kind}");
        let told = told(model.requests().last().unwrap());
        assert_eq!(
            told.contains(r#""status":"unknown""#),
            kind == ToolErrorKind::Unknown,
            "{told}"
        );
        check(&kept);
    }
}
