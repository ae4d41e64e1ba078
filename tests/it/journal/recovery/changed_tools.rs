//! Tools that a new program has changed or removed, while a session still has calls of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Effect, FunctionTool, TaskId, TaskNo, TaskStatus, ToolCall, ToolContext, ToolError,
    journal::{Entry, JoinPolicy, MemoryJournal},
    manager::ResolveError,
    model::ModelStream,
    policy::Approval,
    testing::ScriptedModel,
    tool::InputRequest,
};
use schemars::JsonSchema;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::process::{Seen, caller, check, entries, kept, leave, listener, numbers, resume, stuck, told};
use crate::stand::{FailingJournal, Fault, manager, tool_of};

/// The call that the model makes in the first program.
const ARGUMENTS: &str = r#"{"topic": "tides"}"#;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the reading is tested")]
struct AsCalled {
    topic: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the reading is tested")]
struct WithOptional {
    topic: String,
    #[serde(default)]
    depth: u32,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the reading is tested")]
struct WithRequired {
    topic: String,
    depth: u32,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the reading is tested")]
struct OfAnotherType {
    topic: Vec<u32>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the reading is tested")]
struct Stricter {
    #[schemars(length(max = 3))]
    topic: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the reading is tested")]
struct Renamed {
    subject: String,
}

fn tool<A: DeserializeOwned + JsonSchema + Send + 'static>(runs: &Arc<AtomicUsize>) -> FunctionTool {
    let runs = Arc::clone(runs);
    FunctionTool::new("look", "Looks it up.", move |_: A, _: ToolContext| {
        let runs = Arc::clone(&runs);
        async move {
            if runs.fetch_add(1, Ordering::SeqCst) == 0 {
                std::future::pending::<()>().await;
            }
            Ok::<_, ToolError>("found")
        }
    })
    .grace(Duration::ZERO)
}

/// A model that makes these calls with [`ARGUMENTS`] in its first turn.
fn looking(calls: &'static [(&'static str, &'static str)]) -> ScriptedModel {
    ScriptedModel::new()
        .turn(move |_| {
            let made = (1..).zip(calls);
            ModelStream::calls(made.map(|(place, (tool, arguments))| {
                ToolCall::new(
                    format!("c{place}"),
                    *tool,
                    serde_json::from_str::<Value>(arguments).unwrap(),
                )
            }))
        })
        .otherwise(|_| ModelStream::text("so be it"))
}

/// The first program, which ends in the middle of these calls.
async fn left(kept: &Arc<MemoryJournal>, manager: &AsyncToolManager, model: ScriptedModel) -> Vec<TaskId> {
    let journal = FailingJournal::of(kept);
    let builder = AsyncAgent::builder(model, manager.clone());
    let agent = builder.journal(journal.clone()).session("s").start().await.unwrap();
    agent.send("go on").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    journal.set(Fault::Hangs);
    agent.tasks().await.unwrap().iter().map(|task| task.task).collect()
}

/// The session comes to rest, its task has ended once, and the model was told so once; then the session goes on to its end.
async fn goes_on(agent: &AsyncAgent, model: &ScriptedModel, kept: &MemoryJournal, said: &str, case: &str) {
    agent.run_until_idle().await.unwrap();
    agent.send("and now?").await.unwrap();
    agent.run_until_idle().await.unwrap();
    let told = told(model.requests().last().unwrap());
    assert_eq!(told.matches(said).count(), 1, "{case}: {told}");
    let is_end = |entry: &&Entry| matches!(entry, Entry::Settled { result } if result.number == Some(TaskNo::new(1)));
    assert_eq!(entries(kept).iter().filter(is_end).count(), 1, "{case}");
    agent.close().await.unwrap();
    check(kept);
}

/// The forms of the tool in later programs.
fn later(runs: &Arc<AtomicUsize>) -> Vec<(&'static str, Option<FunctionTool>, Option<&'static str>)> {
    vec![
        ("the same", Some(tool::<AsCalled>(runs)), None),
        ("a new optional parameter", Some(tool::<WithOptional>(runs)), None),
        (
            "a new required parameter",
            Some(tool::<WithRequired>(runs)),
            Some("missing field `depth`"),
        ),
        ("a changed type", Some(tool::<OfAnotherType>(runs)), Some("$.topic")),
        (
            "a stricter limit",
            Some(tool::<Stricter>(runs)),
            Some("at most 3 characters"),
        ),
        (
            "a renamed parameter",
            Some(tool::<Renamed>(runs)),
            Some("unknown field `topic`"),
        ),
        ("no tool", None, Some("the tool `look` is not registered any more")),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_repeatable_call_that_its_tool_takes_no_more_fails_for_this_reason() {
    for place in 0..later(&Arc::default()).len() {
        let (kept, runs) = (kept(), Arc::default());
        let first = manager([tool::<AsCalled>(&runs).effect(Effect::Read)]);
        left(&kept, &first, looking(&[("look", ARGUMENTS)])).await;

        let (case, changed, reason) = later(&runs).swap_remove(place);
        let model = listener();
        let agent = resume(&kept, &manager(changed.map(|tool| tool.effect(Effect::Read))), &model).await;
        let resumption = agent.resumption().unwrap().clone();
        match reason {
            None => {
                assert_eq!(resumption.again, numbers(&[1]), "{case}");
                goes_on(&agent, &model, &kept, r#""result":"found""#, case).await;
            }
            Some(reason) => {
                assert_eq!(resumption.ended, numbers(&[1]), "{case}");
                let is_again = |entry: &Entry| matches!(entry, Entry::Resubmitted { .. });
                assert!(!entries(&kept).iter().any(is_again), "{case}");
                goes_on(&agent, &model, &kept, reason, case).await;
            }
        }
        assert_eq!(runs.load(Ordering::SeqCst), 1 + usize::from(reason.is_none()), "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_approval_is_asked_about_anew_or_fails_as_not_started() {
    for place in 0..later(&Arc::default()).len() {
        let (kept, runs) = (kept(), Arc::<AtomicUsize>::default());
        let first = manager([tool::<AsCalled>(&runs).approval(Approval::Always)]);
        let tasks = left(&kept, &first, looking(&[("look", ARGUMENTS)])).await;
        runs.store(1, Ordering::SeqCst);

        let (case, changed, reason) = later(&runs).swap_remove(place);
        let model = listener();
        let changed = manager(changed.map(|tool| tool.approval(Approval::Always)));
        let agent = resume(&kept, &changed, &model).await;
        match reason {
            None => {
                while changed.approve(tasks[0]).is_err() {
                    tokio::task::yield_now().await;
                }
                goes_on(&agent, &model, &kept, r#""result":"found""#, case).await;
            }
            Some(reason) => {
                agent.run_until_idle().await.unwrap();
                assert!(
                    told(model.requests().last().unwrap()).contains("not started: "),
                    "{case}"
                );
                goes_on(&agent, &model, &kept, reason, case).await;
            }
        }
        assert_eq!(runs.load(Ordering::SeqCst), 1 + usize::from(reason.is_none()), "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_needs_no_approval_any_more_runs_once_also_if_this_process_ends_too() {
    for last in [Approval::Never, Approval::Always] {
        let (kept, seen) = (kept(), Seen::default());
        let pay = |approval: Approval| manager([stuck("pay", Effect::Once, &seen).approval(approval)]);
        leave(&kept, &pay(Approval::Always), &["pay"]).await;

        let journal = FailingJournal::of(&kept);
        let builder = AsyncAgent::builder(listener(), pay(Approval::Never));
        let agent = builder.journal(journal.clone()).session("s").resume().await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!((agent.resumption().unwrap().again.len(), seen.of("pay").len()), (1, 1));
        journal.set(Fault::Hangs);

        let model = listener();
        let agent = resume(&kept, &pay(last), &model).await;
        agent.run_until_idle().await.unwrap();
        assert_eq!(seen.of("pay").len(), 1, "it must not be done twice");
        assert!(told(model.requests().last().unwrap()).contains("must not be done twice"));
        check(&kept);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waited_for_a_result_is_checked_when_the_result_is_there() {
    for place in 0..later(&Arc::default()).len() {
        let (kept, runs, seen) = (kept(), Arc::<AtomicUsize>::default(), Seen::default());
        let chained = r##"{"topic": {"$task": "#1"}}"##;
        let model = || {
            let chained = serde_json::from_str::<Value>(chained).unwrap();
            ScriptedModel::new()
                .turn(move |_| {
                    ModelStream::calls([
                        ToolCall::new("c1", "wait", json!({})),
                        ToolCall::new("c2", "look", chained),
                    ])
                })
                .otherwise(|_| ModelStream::text("so be it"))
        };
        let first = [
            stuck("wait", Effect::Read, &seen),
            tool::<AsCalled>(&runs).futures(true),
        ];
        left(&kept, &manager(first), model()).await;
        runs.store(1, Ordering::SeqCst);

        let (case, changed, reason) = later(&runs).swap_remove(place);
        let changed = changed.map(|tool| tool.futures(true));
        let model = listener();
        let agent = resume(
            &kept,
            &manager(changed.into_iter().chain([stuck("wait", Effect::Read, &seen)])),
            &model,
        )
        .await;
        // The result that it waits for is `"again"`.
        goes_on(&agent, &model, &kept, reason.unwrap_or(r#""result":"found""#), case).await;
        assert_eq!(runs.load(Ordering::SeqCst), 1 + usize::from(reason.is_none()), "{case}");
        if reason.is_some() {
            assert!(
                told(model.requests().last().unwrap()).contains("not started: "),
                "{case}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_of_a_repeatable_call_is_asked_again_in_the_form_of_the_new_program() {
    fn asking<T: DeserializeOwned + JsonSchema + serde::Serialize + Send + 'static>(
        prompt: &'static str,
    ) -> FunctionTool {
        FunctionTool::new("book", "Books a seat.", move |_: Value, cx: ToolContext| async move {
            let seat: T = cx.request(prompt).await?;
            Ok::<_, ToolError>(json!({"seat": seat}))
        })
        .effect(Effect::Idempotent)
        .grace(Duration::ZERO)
    }
    let kept = kept();
    let (_dead, tasks) = leave(&kept, &manager([asking::<u32>("Which seat?")]), &["book"]).await;
    let (model, manager) = (listener(), manager([asking::<String>("Which row and seat?")]));
    let agent = resume(&kept, &manager, &model).await;
    let task = manager.task(tasks[0]).unwrap();
    while task.status() != TaskStatus::InputRequired {
        tokio::task::yield_now().await;
    }
    assert!(matches!(manager.answer(tasks[0], 7), Err(ResolveError::Invalid(_))));
    manager.answer(tasks[0], "7b").unwrap();
    agent.run_until_idle().await.unwrap();
    assert!(told(model.requests().last().unwrap()).contains(r#"{"seat":"7b"}"#));
    let asked = entries(&kept).into_iter().filter_map(|entry| match entry {
        Entry::Asked {
            request: Some(InputRequest::Input { prompt, .. }),
            ..
        } => Some(prompt),
        _ => None,
    });
    assert_eq!(asked.collect::<Vec<_>>(), ["Which seat?", "Which row and seat?"]);
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_deferred_task_whose_tool_is_gone_is_still_completed_refused_cancelled_or_overdue() {
    let order = || tool_of("order", |_, cx| async move { Ok(cx.defer::<Value>().await) }).grace(Duration::ZERO);
    for case in ["resolved", "failed", "cancelled"] {
        let kept = kept();
        let (_dead, tasks) = leave(&kept, &manager([order()]), &["order"]).await;
        let (model, manager) = (listener(), manager([]));
        let agent = resume(&kept, &manager, &model).await;
        assert_eq!(agent.resumption().unwrap().waiting, numbers(&[1]), "{case}");
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert!(manager.task(tasks[0]).unwrap().snapshot().deferred, "{case}");
        let said = match case {
            "resolved" => {
                manager
                    .resolve_durably(tasks[0], json!({"any": "value"}))
                    .await
                    .unwrap();
                r#"{"any":"value"}"#
            }
            "failed" => {
                manager.resolve_error(tasks[0], ToolError::failed("sold out")).unwrap();
                "sold out"
            }
            _ => {
                agent.cancel(TaskNo::new(1), "not wanted any more").await.unwrap();
                "not wanted any more"
            }
        };
        goes_on(&agent, &model, &kept, said, case).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_is_complete_when_the_tool_of_one_of_its_tasks_is_gone() {
    for join in [JoinPolicy::All, JoinPolicy::FirstOk, JoinPolicy::Quorum(2)] {
        let (kept, seen) = (kept(), Seen::default());
        let journal = FailingJournal::of(&kept);
        let tools = [stuck("look", Effect::Read, &seen), stuck("peer", Effect::Read, &seen)];
        let builder = AsyncAgent::builder(caller(&["look", "peer"]), manager(tools));
        let agent = builder.journal(journal.clone()).session("s").start().await.unwrap();
        agent.send("go on").await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        agent.group("both", numbers(&[1, 2]), join, None).await.unwrap();
        journal.set(Fault::Hangs);

        let model = listener();
        let agent = resume(&kept, &manager([stuck("peer", Effect::Read, &seen)]), &model).await;
        assert_eq!(agent.resumption().unwrap().ended, numbers(&[1]), "{join:?}");
        agent.run_until_idle().await.unwrap();
        let told = told(model.requests().last().unwrap());
        assert!(
            told.contains("not registered any more") && told.contains("again"),
            "{join:?}: {told}"
        );
        agent.close().await.unwrap();
        check(&kept);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sub_agent_that_is_gone_or_has_lost_a_tool_holds_up_nothing() {
    for is_gone in [true, false] {
        let (kept, seen) = (kept(), Seen::default());
        let journal = FailingJournal::of(&kept);
        let clerk = |journal: &FailingJournal, below: ScriptedModel| {
            let journal = journal.clone();
            let clerk = AsyncAgent::as_tool("clerk", "Does things.", move |manager| {
                AsyncAgent::builder(below.clone(), manager).journal(journal.clone())
            });
            clerk.grace(Duration::ZERO)
        };
        let first = manager([stuck("look", Effect::Read, &seen), clerk(&journal, caller(&["look"]))]);
        let delegating = looking(&[("clerk", r#"{"message": "look"}"#)]);
        let builder = AsyncAgent::builder(delegating, first);
        let agent = builder.journal(journal.clone()).session("s").start().await.unwrap();
        agent.send("go on").await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(seen.of("look").len(), 1);
        journal.set(Fault::Hangs);

        let below = ScriptedModel::new().otherwise(|_| ModelStream::text("all seen to"));
        let living = FailingJournal::of(&kept);
        let second = manager((!is_gone).then(|| clerk(&living, below.clone())));
        let (model, case) = (listener(), if is_gone { "gone" } else { "its tool is gone" });
        let agent = resume(&kept, &second, &model).await;
        let said = match is_gone {
            true => "the tool `clerk` is not registered any more",
            false => r#""result":"all seen to""#,
        };
        goes_on(&agent, &model, &kept, said, case).await;
        if !is_gone {
            // It had seen no acknowledgement, so the failure is the answer to its call.
            let shown = format!("{:?}", below.requests()[0].messages);
            assert!(shown.contains("the tool `look` is not registered any more"), "{shown}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_delivered_result_stays_as_it_is_whatever_the_tool_returns_now() {
    let (kept, seen) = (kept(), Seen::default());
    let quick = || {
        let seen = seen.clone();
        FunctionTool::new("look", "Looks.", move |_: Value, cx: ToolContext| {
            seen.note("look", &cx);
            async { Ok::<_, ToolError>("a text") }
        })
        .effect(Effect::Read)
    };
    let builder = AsyncAgent::builder(caller(&["look"]), manager([quick()]));
    let agent = builder.journal(Arc::clone(&kept)).session("s").start().await.unwrap();
    agent.send("go on").await.unwrap();
    agent.run_until_idle().await.unwrap();
    let before = agent.transcript().await.unwrap();
    agent.leave().await.unwrap();

    #[derive(serde::Serialize, JsonSchema)]
    struct Found {
        count: u32,
    }
    let numbered = FunctionTool::new("look", "Looks.", |_: Value, _: ToolContext| async {
        Ok::<_, ToolError>(Found { count: 1 })
    });
    let agent = resume(&kept, &manager([numbered]), &listener()).await;
    assert_eq!(agent.transcript().await.unwrap().messages(), before.messages());
    agent.close().await.unwrap();
    check(&kept);
}
