//! Checkpoints that functions save, and later attempts find.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, CancellationToken, Effect, FunctionTool, SessionId, TaskOutcome, ToolCall,
    ToolContext, ToolDefinition, ToolError, ToolErrorKind,
    agent::{AsyncAgentBuilder, REDACTED},
    journal::Entry,
    model::ModelStream,
    policy::RetryPolicy,
    task::TaskSpec,
    testing::ScriptedModel,
    tool::{BoundCall, LostTask, Reconciled},
};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::process::{caller, check, entries, kept, leave, listener, resume, told};
use crate::stand::{Attempt, FailingJournal, Fault, manager};

const MILLI: Duration = Duration::from_millis(1);

/// Checkpoints that the attempts began with.
type Began = Arc<Mutex<Vec<Option<Value>>>>;

/// A tool that saves three checkpoints, 2 ms apart, from the latest one on.
fn counting(effect: Effect, began: &Began) -> FunctionTool {
    let began = Arc::clone(began);
    let tool = FunctionTool::new("count", "Counts.", move |_: Value, cx: ToolContext| {
        let began = Arc::clone(&began);
        async move {
            let at = cx.checkpoint();
            began.lock().unwrap().push(at.as_deref().cloned());
            let at = at.and_then(|at| at.as_u64()).unwrap_or(0);
            for next in at + 1..=3 {
                sleep(2 * MILLI).await;
                cx.save_checkpoint(next).await?;
                assert_eq!(cx.checkpoint().as_deref(), Some(&json!(next)));
            }
            sleep(2 * MILLI).await;
            Ok::<_, ToolError>("counted")
        }
    });
    tool.effect(effect).grace(Duration::ZERO)
}

fn agent(manager: &AsyncToolManager) -> AsyncAgentBuilder {
    AsyncAgent::builder(caller(&["count"]), manager.clone()).session("s")
}

#[tokio::test(start_paused = true)]
async fn the_next_process_begins_at_the_last_checkpoint_that_was_written() {
    for kill in 3..14 {
        let (kept, began) = (kept(), Began::default());
        let journal = FailingJournal::of(&kept).failing(move |attempt: Attempt| match attempt.done >= kill {
            true => Fault::Hangs,
            false => Fault::Slow(MILLI),
        });
        let first = manager([counting(Effect::Idempotent, &began)]);
        let _dead = timeout(Duration::from_secs(1), async {
            let agent = agent(&first).journal(journal).start().await.unwrap();
            agent.send("go on").await.unwrap();
            agent.run_until_idle().await.unwrap();
            std::future::pending::<()>().await;
        })
        .await;
        let written = entries(&kept);
        let last = written.iter().rev().find_map(|entry| match entry {
            Entry::Checkpointed { checkpoint, .. } => Some((**checkpoint).clone()),
            _ => None,
        });
        let is_settled = written.iter().any(|entry| matches!(entry, Entry::Settled { .. }));
        let runs = began.lock().unwrap().len();
        let second = manager([counting(Effect::Idempotent, &began)]);
        let agent = resume(&kept, &second, &listener()).await;
        agent.run_until_idle().await.unwrap();
        let began = began.lock().unwrap().clone();
        if !is_settled && began.len() > runs {
            assert_eq!(began.last(), Some(&last), "kill {kill}: {written:?}");
        }
        assert_eq!(
            runs == 1 && !is_settled,
            began.len() == 2,
            "kill {kill}: {began:?} {written:?}"
        );
        check(&kept);
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_with_a_checkpoint_is_found_out_whatever_its_effect() {
    for effect in [Effect::Read, Effect::Idempotent, Effect::Once] {
        for saves in [true, false] {
            let kept = kept();
            let tool = move |_: Value, cx: ToolContext| async move {
                if saves {
                    cx.save_checkpoint(json!({"job": 7})).await?;
                }
                sleep(Duration::from_secs(3600)).await;
                Ok::<_, ToolError>("again")
            };
            let post = FunctionTool::new("post", "Posts.", tool)
                .effect(effect)
                .grace(Duration::ZERO);
            let post = post.reconcile(|lost: LostTask| async move {
                let job = lost.context().checkpoint().map(|job| job["job"].clone());
                Ok::<_, String>(Reconciled::Completed(format!("job {job:?}")))
            });
            leave(&kept, &manager([post.clone()]), &["post"]).await;
            let (model, second) = (listener(), manager([post]));
            let agent = resume(&kept, &second, &model).await;
            agent.run_until_idle().await.unwrap();
            let told = told(model.requests().last().unwrap());
            let expected = match (saves, effect) {
                (true, _) => "job Some(Number(7))",
                (false, Effect::Once) => "job None",
                (false, _) => "again",
            };
            assert!(told.contains(expected), "{effect:?} {saves}: {told}");
            check(&kept);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_in_the_same_process_finds_it_and_no_other_task_does() {
    let tool = FunctionTool::new("flaky", "Fails.", |_: Value, cx: ToolContext| async move {
        match cx.checkpoint() {
            Some(at) => Ok((*at).clone()),
            None => {
                cx.save_checkpoint("half").await?;
                Err(ToolError::new(ToolErrorKind::Unavailable, "down"))
            }
        }
    });
    let manager = manager([tool.effect(Effect::Read).retry(RetryPolicy::new(2))]);
    for call in ["c1", "c2"] {
        let task = manager.submit(&SessionId::new("s"), ToolCall::new(call, "flaky", json!({})));
        let result = task.unwrap().outcome().await;
        assert_eq!((result.attempts, result.outcome.value()), (2, Some(&json!("half"))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_that_no_journal_holds_is_refused_and_so_is_a_worker() {
    let mut deep = json!(0);
    for _ in 0..500 {
        deep = json!([deep]);
    }
    let tool = FunctionTool::new("save", "Saves.", move |_: Value, cx: ToolContext| {
        let deep = deep.clone();
        async move {
            let error = cx.save_checkpoint(deep).await.unwrap_err();
            assert_eq!((error.kind(), cx.checkpoint()), (ToolErrorKind::Internal, None));
            cx.save_checkpoint(1).await
        }
    });
    let manager = manager([tool]);
    let call = ToolCall::new("c1", "save", json!({}));
    let here = manager
        .submit(&SessionId::new("s"), call.clone())
        .unwrap()
        .outcome()
        .await;
    assert!(here.outcome.is_completed(), "{:?}", here.outcome);
    let spec = TaskSpec::new(SessionId::new("s"), call);
    let there = manager.executor().execute(&spec, 0, CancellationToken::new()).await;
    let there = there.unwrap().outcome;
    assert!(
        matches!(&there, TaskOutcome::Failed(error) if error.kind() == ToolErrorKind::Internal),
        "{there:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_secret_in_a_checkpoint_is_not_written() {
    let kept = kept();
    let schema = json!({"type": "object", "properties": {"key": {"type": "string"}}});
    let definition = ToolDefinition::new("hold", "Holds.", schema);
    let tool = FunctionTool::from_parts(definition, |_| {
        Ok(BoundCall::future(|cx: ToolContext| async move {
            cx.save_checkpoint(json!({"with": "swordfish"})).await?;
            Ok(json!("held"))
        }))
    });
    let model = ScriptedModel::new()
        .turn(|_| ModelStream::calls([ToolCall::new("c1", "hold", json!({"key": "swordfish"}))]))
        .otherwise(|_| ModelStream::text("so be it"));
    let agent = AsyncAgent::builder(model, manager([tool.sensitive_arguments(["key"])]))
        .session("s")
        .journal(Arc::clone(&kept));
    let agent = agent.start().await.unwrap();
    agent.send("go on").await.unwrap();
    agent.run_until_idle().await.unwrap();
    let written = serde_json::to_string(&entries(&kept)).unwrap();
    assert!(
        written.contains("checkpointed") && written.contains(REDACTED),
        "{written}"
    );
    assert!(!written.contains("swordfish"), "{written}");
}

#[tokio::test(start_paused = true)]
async fn a_function_learns_if_its_task_is_cancelled_or_goes_on_elsewhere() {
    for leaves in [true, false] {
        let (kept, seen) = (kept(), Arc::new(Mutex::new(None)));
        let note = Arc::clone(&seen);
        let tool = FunctionTool::new("count", "Counts.", move |_: Value, cx: ToolContext| {
            let note = Arc::clone(&note);
            async move {
                assert!(!cx.is_leaving());
                cx.cancellation().cancelled().await;
                *note.lock().unwrap() = Some(cx.is_leaving());
                Err::<Value, _>(ToolError::new(ToolErrorKind::Cancelled, "stopped"))
            }
        });
        let manager = manager([tool.grace(Duration::ZERO)]);
        let agent = agent(&manager).journal(Arc::clone(&kept)).start().await.unwrap();
        agent.send("go on").await.unwrap();
        while manager.stats().running == 0 {
            sleep(MILLI).await;
        }
        if leaves {
            agent.leave().await.unwrap();
        } else {
            agent.close().await.unwrap();
        }
        assert_eq!(*seen.lock().unwrap(), Some(leaves));
    }
}
