//! A process ends, and another takes its sessions up.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, Effect, FunctionTool, Journal, Message, SessionId, TaskId, TaskNo,
    TaskStatus, ToolCall, ToolContext, ToolError,
    agent::{Ledger, StartError},
    journal::{Entry, MemoryJournal, Snapshot},
    manager::ResolveError,
    model::{ModelError, ModelRequest, ModelStream},
    policy::RetryPolicy,
    task::Timestamp,
    testing::{Replay, ScriptedModel},
    tool::{InputRequest, LostTask, Reconciled},
};
use serde_json::{Value, json};

use crate::stand::{FailingJournal, Fault, manager, tool_of, until};

/// What tools have seen, in whatever process.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<(String, String, u32)>>>);

impl Seen {
    fn note(&self, tool: &str, cx: &ToolContext) {
        let seen = (tool.to_owned(), cx.idempotency_key().to_string(), cx.attempt());
        self.0.lock().unwrap().push(seen);
    }

    fn of(&self, tool: &str) -> Vec<(String, u32)> {
        let seen = self.0.lock().unwrap();
        let of = seen.iter().filter(|(name, ..)| name == tool);
        of.map(|(_, key, attempt)| (key.clone(), *attempt)).collect()
    }
}

/// A tool that never ends by itself the first time it runs, and the second time gives `again`.
fn stuck(name: &'static str, effect: Effect, seen: &Seen) -> FunctionTool {
    let seen = seen.clone();
    FunctionTool::new(name, "Takes its time.", move |_: Value, cx: ToolContext| {
        let seen = seen.clone();
        async move {
            seen.note(name, &cx);
            if seen.of(name).len() == 1 {
                std::future::pending::<()>().await;
            }
            Ok::<_, ToolError>("again")
        }
    })
    .effect(effect)
    .grace(Duration::ZERO)
}

/// A model that calls these tools when it is first asked, and then has no more to say.
fn caller(tools: &'static [&'static str]) -> ScriptedModel {
    ScriptedModel::new()
        .turn(move |_| {
            let made = tools.iter().enumerate();
            ModelStream::calls(made.map(|(place, tool)| ToolCall::new(format!("c{}", place + 1), *tool, json!({}))))
        })
        .otherwise(|_| ModelStream::text("so be it"))
}

fn listener() -> ScriptedModel {
    ScriptedModel::new().otherwise(|_| ModelStream::text("I see"))
}

fn kept() -> Arc<MemoryJournal> {
    Arc::new(MemoryJournal::new())
}

fn entries(kept: &MemoryJournal) -> Vec<Entry> {
    kept.entries(&SessionId::new("s"))
}

/// A session whose model has called the tools, has been told that they run, and has come to rest; then its process ends.
async fn leave(
    kept: &Arc<MemoryJournal>,
    manager: &AsyncToolManager,
    tools: &'static [&'static str],
) -> (AsyncAgent, Vec<TaskId>) {
    let journal = FailingJournal::of(kept);
    let agent = AsyncAgent::builder(caller(tools), manager.clone())
        .journal(journal.clone())
        .session("s")
        .start()
        .await
        .unwrap();
    agent.send("go on").await.unwrap();
    let is_done = |entry: &Entry| matches!(entry, Entry::TurnEnded { calls, .. } if calls.is_empty());
    while !entries(kept).iter().any(is_done) {
        tokio::task::yield_now().await;
    }
    // Whatever is on its way to the journal gets there.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    journal.set(Fault::Hangs);
    let tasks = agent.tasks().await.unwrap().iter().map(|task| task.task).collect();
    (agent, tasks)
}

async fn resume(kept: &Arc<MemoryJournal>, manager: &AsyncToolManager, model: &ScriptedModel) -> AsyncAgent {
    let builder = AsyncAgent::builder(model.clone(), manager.clone());
    builder.journal(Arc::clone(kept)).session("s").resume().await.unwrap()
}

fn numbers(numbers: &[u32]) -> Vec<TaskNo> {
    numbers.iter().copied().map(TaskNo::new).collect()
}

/// The text of all deliveries that a request shows.
fn told(request: &ModelRequest) -> String {
    let texts = request.messages.iter().filter_map(|message| match &**message {
        Message::Delivery { text, .. } => Some(text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

fn check(kept: &MemoryJournal) {
    Replay::new(entries(kept)).unwrap().check().unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_may_be_repeated_runs_again_with_its_key_and_what_must_not_is_unknown() {
    let (kept, seen) = (kept(), Seen::default());
    let tools = || {
        [
            stuck("look", Effect::Read, &seen),
            stuck("put", Effect::Idempotent, &seen),
            stuck("pay", Effect::Once, &seen),
        ]
    };
    let (_dead, tasks) = leave(&kept, &manager(tools()), &["look", "put", "pay"]).await;

    let model = listener();
    let agent = resume(&kept, &manager(tools()), &model).await;
    let resumption = agent.resumption().unwrap().clone();
    assert_eq!(resumption.again, numbers(&[1, 2]));
    assert_eq!(resumption.unknown, numbers(&[3]));
    agent.run_until_idle().await.unwrap();

    for (tool, task) in ["look", "put"].into_iter().zip(&tasks) {
        assert_eq!(seen.of(tool), [(task.to_string(), 1), (task.to_string(), 2)]);
    }
    assert_eq!(seen.of("pay").len(), 1);
    let told = told(model.requests().last().unwrap());
    assert!(told.contains("was restarted in the meantime"), "{told}");
    assert!(told.contains(r#""status":"unknown""#), "{told}");
    assert_eq!(told.matches(r#""result":"again""#).count(), 2, "{told}");
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_was_in_and_not_told_is_told_once_and_the_restart_once() {
    let kept = kept();
    let gate = Arc::new(tokio::sync::Notify::new());
    let tool = |gate: &Arc<tokio::sync::Notify>| {
        let gate = Arc::clone(gate);
        FunctionTool::new("look", "Looks.", move |_: Value, _: ToolContext| {
            let gate = Arc::clone(&gate);
            async move {
                gate.notified().await;
                Ok::<_, ToolError>("seen")
            }
        })
        .effect(Effect::Read)
        .grace(Duration::ZERO)
    };
    let journal = FailingJournal::of(&kept);
    let agent = AsyncAgent::builder(caller(&["look"]), manager([tool(&gate)]))
        .journal(journal.clone())
        .session("s")
        .start()
        .await
        .unwrap();
    let mut events = agent.events();
    agent.send("go on").await.unwrap();
    until(
        &mut events,
        |event| matches!(event, AgentEventKind::TurnEnded { text, .. } if !text.is_empty()),
    )
    .await;
    gate.notify_one();
    until(&mut events, |event| matches!(event, AgentEventKind::Settled(..))).await;
    journal.set(Fault::Hangs);

    let model = listener();
    let agent = resume(&kept, &manager([tool(&gate)]), &model).await;
    assert_eq!(agent.resumption().unwrap().undelivered, numbers(&[1]));
    agent.run_until_idle().await.unwrap();
    agent.send("and?").await.unwrap();
    agent.run_until_idle().await.unwrap();
    let told = told(model.requests().last().unwrap());
    assert_eq!(told.matches("seen").count(), 1, "{told}");
    assert_eq!(told.matches("was restarted").count(), 1, "{told}");
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_turn_whose_end_nobody_has_seen_is_asked_again() {
    let kept = kept();
    let journal = FailingJournal::of(&kept);
    let silent = ScriptedModel::new().turn(|_| ModelStream::new(futures_pending()));
    let agent = AsyncAgent::builder(silent.clone(), manager([]))
        .journal(journal.clone())
        .session("s")
        .start()
        .await
        .unwrap();
    agent.send("are you there?").await.unwrap();
    journal.set(Fault::Hangs);

    let model = listener();
    let agent = resume(&kept, &manager([]), &model).await;
    assert!(agent.resumption().unwrap().repeats_turn);
    agent.run_until_idle().await.unwrap();
    assert_eq!(model.requests().len(), 1);
    assert_eq!(model.requests()[0].last_user_text(), Some("are you there?"));
    check(&kept);
}

fn futures_pending()
-> impl futures_core::Stream<Item = Result<async_tool_runtime::model::ModelEvent, async_tool_runtime::model::ModelError>>
+ Send {
    struct Never;
    impl futures_core::Stream for Never {
        type Item = Result<async_tool_runtime::model::ModelEvent, async_tool_runtime::model::ModelError>;
        fn poll_next(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Self::Item>> {
            std::task::Poll::Pending
        }
    }
    Never
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_tool_is_gone_fails_and_says_so() {
    let (kept, seen) = (kept(), Seen::default());
    leave(&kept, &manager([stuck("look", Effect::Read, &seen)]), &["look"]).await;
    let model = listener();
    let agent = resume(&kept, &manager([]), &model).await;
    assert_eq!(agent.resumption().unwrap().ended, numbers(&[1]));
    agent.run_until_idle().await.unwrap();
    let told = told(model.requests().last().unwrap());
    assert!(told.contains("the tool `look` is not registered any more"), "{told}");
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_others_complete_goes_on_waiting_and_its_function_does_not_run_again() {
    let kept = kept();
    let runs = Arc::new(AtomicUsize::new(0));
    let tool = || {
        let runs = Arc::clone(&runs);
        FunctionTool::new("order", "Orders.", move |_: Value, cx: ToolContext| {
            runs.fetch_add(1, Ordering::SeqCst);
            async move { Ok::<String, ToolError>(cx.defer().await) }
        })
        .grace(Duration::ZERO)
    };
    let (_dead, tasks) = leave(&kept, &manager([tool()]), &["order"]).await;

    let (model, manager) = (listener(), manager([tool()]));
    let agent = resume(&kept, &manager, &model).await;
    assert_eq!(agent.resumption().unwrap().waiting, numbers(&[1]));
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    let snapshot = manager.task(tasks[0]).unwrap().snapshot();
    assert!(
        snapshot.deferred && snapshot.status == TaskStatus::Running,
        "{snapshot:?}"
    );

    manager.resolve_durably(tasks[0], "delivered").await.unwrap();
    // It is written down by the time that whoever brought it is told so.
    assert!(
        entries(&kept)
            .iter()
            .any(|entry| matches!(entry, Entry::Settled { .. }))
    );
    assert_eq!(
        manager.resolve(tasks[0], "twice"),
        Err(ResolveError::AlreadySettled(TaskStatus::Completed))
    );
    agent.run_until_idle().await.unwrap();
    let told = told(model.requests().last().unwrap());
    assert!(told.contains(r#""result":"delivered""#), "{told}");
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_for_completion_can_be_cancelled_after_a_restart() {
    let kept = kept();
    let tool = || {
        FunctionTool::new("order", "Orders.", |_: Value, cx: ToolContext| async move {
            Ok::<String, ToolError>(cx.defer().await)
        })
        .grace(Duration::ZERO)
    };
    leave(&kept, &manager([tool()]), &["order"]).await;
    let agent = resume(&kept, &manager([tool()]), &listener()).await;
    agent.cancel(TaskNo::new(1), "not wanted any more").await.unwrap();
    agent.run_until_idle().await.unwrap();
    assert_eq!(agent.tasks().await.unwrap()[0].status, TaskStatus::Cancelled);
    check(&kept);
}

fn asking(effect: Effect) -> FunctionTool {
    FunctionTool::new("book", "Books a seat.", |_: Value, cx: ToolContext| async move {
        let seat: u32 = cx.request("Which seat?").await?;
        Ok::<_, ToolError>(format!("seat {seat}"))
    })
    .effect(effect)
    .grace(Duration::ZERO)
}

#[tokio::test(start_paused = true)]
async fn a_question_of_what_may_be_repeated_comes_again() {
    let kept = kept();
    let (_dead, tasks) = leave(&kept, &manager([asking(Effect::Idempotent)]), &["book"]).await;
    let (model, manager) = (listener(), manager([asking(Effect::Idempotent)]));
    let agent = resume(&kept, &manager, &model).await;
    let task = manager.task(tasks[0]).unwrap();
    while task.status() != TaskStatus::InputRequired {
        tokio::task::yield_now().await;
    }
    manager.answer(tasks[0], 7).unwrap();
    agent.run_until_idle().await.unwrap();
    assert!(told(model.requests().last().unwrap()).contains("seat 7"));
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_question_of_what_must_not_be_repeated_stays_and_the_task_is_completed_instead() {
    let kept = kept();
    let (_dead, tasks) = leave(&kept, &manager([asking(Effect::Once)]), &["book"]).await;
    let (model, manager) = (listener(), manager([asking(Effect::Once)]));
    let agent = resume(&kept, &manager, &model).await;
    assert_eq!(agent.resumption().unwrap().waiting, numbers(&[1]));
    let task = manager.task(tasks[0]).unwrap();
    while task.status() != TaskStatus::InputRequired {
        tokio::task::yield_now().await;
    }
    let request = task.snapshot().request;
    assert!(matches!(request, Some(InputRequest::Input { prompt, .. }) if prompt == "Which seat?"));
    assert_eq!(manager.answer(tasks[0], 7), Err(ResolveError::Gone));
    manager.resolve(tasks[0], "seat 7, by hand").unwrap();
    agent.run_until_idle().await.unwrap();
    assert!(told(model.requests().last().unwrap()).contains("seat 7, by hand"));
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn to_refuse_a_question_whose_function_is_gone_fails_the_task() {
    let kept = kept();
    let (_dead, tasks) = leave(&kept, &manager([asking(Effect::Once)]), &["book"]).await;
    let (model, manager) = (listener(), manager([asking(Effect::Once)]));
    let agent = resume(&kept, &manager, &model).await;
    while manager.refuse(tasks[0], "no seats").is_err() {
        tokio::task::yield_now().await;
    }
    agent.run_until_idle().await.unwrap();
    assert!(told(model.requests().last().unwrap()).contains("no seats"));
    check(&kept);
}

fn consented(runs: &Arc<AtomicUsize>) -> FunctionTool {
    let runs = Arc::clone(runs);
    FunctionTool::new("fire", "Fires.", move |_: Value, _: ToolContext| {
        runs.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, ToolError>("fired") }
    })
    .approval(async_tool_runtime::policy::Approval::Always)
    .grace(Duration::ZERO)
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_consent_asks_again_also_if_it_must_not_be_repeated() {
    let (kept, runs) = (kept(), Arc::default());
    let (_dead, tasks) = leave(&kept, &manager([consented(&runs)]), &["fire"]).await;
    let (model, manager) = (listener(), manager([consented(&runs)]));
    let agent = resume(&kept, &manager, &model).await;
    while manager.approve(tasks[0]).is_err() {
        tokio::task::yield_now().await;
    }
    agent.run_until_idle().await.unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert!(told(model.requests().last().unwrap()).contains("fired"));
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_call_runs_only_when_it_is_written_down_that_people_have_consented() {
    let (kept, runs) = (kept(), Arc::default());
    let first = manager([consented(&runs)]);
    let (_dead, tasks) = leave(&kept, &first, &["fire"]).await;
    // The old process lives on and can't write: it must not begin what another may begin.
    first.approve(tasks[0]).unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(runs.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_tool_finds_out_what_became_of_its_call() {
    /// What the tool finds out, how the task ends, and how often its function runs in all.
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
async fn what_was_found_out_must_be_a_result_of_the_tool() {
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
async fn of_two_that_take_up_a_session_one_gets_a_conflict_and_has_run_nothing() {
    let (kept, seen) = (kept(), Seen::default());
    leave(&kept, &manager([stuck("look", Effect::Read, &seen)]), &["look"]).await;
    // All of them have read before any of them writes.
    let slow = FailingJournal::of(&kept);
    slow.set(Fault::Slow(Duration::from_millis(10)));
    let racing: Vec<_> = (0..8)
        .map(|_| {
            let builder = AsyncAgent::builder(listener(), manager([stuck("look", Effect::Read, &seen)]));
            builder.journal(slow.clone()).session("s").resume()
        })
        .collect();
    let mut ends = Vec::new();
    for racer in racing.into_iter().map(tokio::spawn).collect::<Vec<_>>() {
        ends.push(racer.await.unwrap());
    }
    let (won, lost): (Vec<_>, Vec<_>) = ends.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 7));
    assert!(
        lost.iter().all(|end| end.as_ref().is_err_and(StartError::is_conflict)),
        "{lost:?}"
    );
    won.into_iter().next().unwrap().unwrap().run_until_idle().await.unwrap();
    assert_eq!(seen.of("look").len(), 2, "once before, and once by the winner");
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn whoever_had_the_session_before_writes_no_more_and_stops_its_tasks() {
    let (kept, seen) = (kept(), Seen::default());
    let before = manager([stuck("look", Effect::Read, &seen)]);
    let builder = AsyncAgent::builder(caller(&["look"]), before.clone());
    let hung = builder.journal(Arc::clone(&kept)).session("s").start().await.unwrap();
    hung.send("go on").await.unwrap();
    while seen.of("look").is_empty() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let agent = resume(&kept, &manager([stuck("look", Effect::Read, &seen)]), &listener()).await;
    agent.run_until_idle().await.unwrap();
    let written = entries(&kept);
    let error = hung.send("I am still here").await.unwrap_err();
    assert!(error.to_string().contains("another process owns it now"), "{error}");
    assert_eq!(entries(&kept), written);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(before.stats().running, 0);
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_closed_or_not_there_is_not_taken_up() {
    let kept = kept();
    let builder = || {
        let builder = AsyncAgent::builder(listener(), manager([]));
        builder.journal(Arc::clone(&kept)).session("s")
    };
    assert!(matches!(
        builder().resume().await,
        Err(StartError::UnknownSession { .. })
    ));
    let agent = builder().resume_or_start().await.unwrap();
    assert!(agent.resumption().is_none());
    agent.close().await.unwrap();
    let error = builder().resume_or_start().await.unwrap_err();
    assert_eq!(error.to_string(), "session `s` is closed; start another one");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_another_has_never_begun_and_starts_when_that_is_there() {
    let (kept, seen) = (kept(), Seen::default());
    let tools = || {
        let noted = seen.clone();
        let note = tool_of("note", move |arguments, cx| {
            noted.note("note", &cx);
            async move { Ok(arguments) }
        });
        [
            stuck("look", Effect::Read, &seen),
            note.futures(true).grace(Duration::ZERO),
        ]
    };
    let chained = ScriptedModel::new()
        .turn(|_| {
            let future = json!({"what": {"$task": "#1"}});
            ModelStream::calls([
                ToolCall::new("c1", "look", json!({})),
                ToolCall::new("c2", "note", future),
            ])
        })
        .otherwise(|_| ModelStream::text("so be it"));
    let journal = FailingJournal::of(&kept);
    let builder = AsyncAgent::builder(chained, manager(tools()));
    let agent = builder.journal(journal.clone()).session("s").start().await.unwrap();
    agent.send("go on").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    journal.set(Fault::Hangs);

    let model = listener();
    let agent = resume(&kept, &manager(tools()), &model).await;
    let resumption = agent.resumption().unwrap();
    assert_eq!((&*resumption.again, &*resumption.unknown), (&*numbers(&[1]), &[][..]));
    agent.run_until_idle().await.unwrap();
    // It must not be repeated, and hasn't been: this is its first attempt.
    assert_eq!(
        seen.of("note").iter().map(|(_, attempt)| *attempt).collect::<Vec<_>>(),
        [1]
    );
    let told = told(model.requests().last().unwrap());
    assert!(told.contains(r#"{"what":"again"}"#), "{told}");
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ends_every_process_is_given_up() {
    let (kept, seen) = (kept(), Seen::default());
    let forever = || {
        let seen = seen.clone();
        tool_of("look", move |_, cx| {
            seen.note("look", &cx);
            std::future::pending()
        })
        .effect(Effect::Read)
        .grace(Duration::ZERO)
    };
    leave(&kept, &manager([forever()]), &["look"]).await;
    for _ in 0..2 {
        let journal = FailingJournal::of(&kept);
        let builder = AsyncAgent::builder(listener(), manager([forever()]));
        let agent = builder.journal(journal.clone()).session("s").resume().await.unwrap();
        assert_eq!(agent.resumption().unwrap().again, numbers(&[1]));
        tokio::time::sleep(Duration::from_secs(1)).await;
        journal.set(Fault::Hangs);
    }
    let model = listener();
    let agent = resume(&kept, &manager([forever()]), &model).await;
    assert_eq!(agent.resumption().unwrap().unknown, numbers(&[1]));
    agent.run_until_idle().await.unwrap();
    assert_eq!(
        seen.of("look").iter().map(|(_, attempt)| *attempt).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert!(told(model.requests().last().unwrap()).contains("has ended, for the third time"));
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_task_counts_from_when_it_was_first_accepted() {
    let (kept, seen) = (kept(), Seen::default());
    leave(&kept, &manager([stuck("look", Effect::Read, &seen)]), &["look"]).await;
    // The clocks of managers begin with the time of day, which doesn't stand still here.
    let is_later = || {
        let epoch = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
        epoch > u128::from(accepted_at(&kept).as_millis())
    };
    while !is_later() {
        std::thread::yield_now();
    }
    let agent = resume(&kept, &manager([stuck("look", Effect::Read, &seen)]), &listener()).await;
    agent.run_until_idle().await.unwrap();
    let result = entries(&kept).iter().find_map(|entry| match entry {
        Entry::Settled { result } => Some(Arc::clone(result)),
        _ => None,
    });
    let result = result.unwrap();
    assert_eq!(result.attempts, 2);
    assert_eq!(result.timing.accepted, accepted_at(&kept));
}

fn accepted_at(kept: &MemoryJournal) -> Timestamp {
    let at = entries(kept).into_iter().find_map(|entry| match entry {
        Entry::Accepted { at, .. } => Some(at),
        _ => None,
    });
    at.expect("a task was accepted")
}

/// An agent with a sub-agent, both of which write into the same journal.
fn above(kept: &FailingJournal, seen: &Seen, below: ScriptedModel) -> AsyncToolManager {
    let journal = kept.clone();
    let clerk = AsyncAgent::as_tool("clerk", "Does things.", move |manager| {
        AsyncAgent::builder(below.clone(), manager)
            .journal(journal.clone())
            .tools(["look", "pay"])
    });
    let tools = [
        stuck("look", Effect::Read, seen),
        stuck("pay", Effect::Once, seen),
        clerk.grace(Duration::ZERO),
    ];
    manager(tools)
}

#[tokio::test(start_paused = true)]
async fn a_sub_agent_goes_on_in_the_session_that_it_had() {
    let (kept, seen) = (kept(), Seen::default());
    let journal = FailingJournal::of(&kept);
    let delegating = ScriptedModel::new()
        .turn(|_| ModelStream::calls([ToolCall::new("c1", "clerk", json!({"message": "look and pay"}))]))
        .otherwise(|_| ModelStream::text("so be it"));
    let manager = above(&journal, &seen, caller(&["look", "pay"]));
    let builder = AsyncAgent::builder(delegating, manager);
    let agent = builder.journal(journal.clone()).session("s").start().await.unwrap();
    agent.send("go on").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((seen.of("look").len(), seen.of("pay").len()), (1, 1));
    journal.set(Fault::Hangs);

    let (model, below) = (
        listener(),
        ScriptedModel::new().otherwise(|_| ModelStream::text("all seen to")),
    );
    let living = FailingJournal::of(&kept);
    let manager = above(&living, &seen, below.clone());
    let journal: Arc<dyn Journal> = Arc::new(living);
    let recovery = manager
        .recover(&journal, |_| Some(AsyncAgent::builder(model.clone(), manager.clone())))
        .await
        .unwrap();
    assert!(recovery.failed.is_empty(), "{:?}", recovery.failed);
    let [agent] = &recovery.agents[..] else {
        panic!("the sub-agent's session is left to its call: {:?}", recovery.agents)
    };
    assert_eq!(agent.resumption().unwrap().reconciled, numbers(&[1]));
    agent.run_until_idle().await.unwrap();
    assert_eq!((seen.of("look").len(), seen.of("pay").len()), (2, 1));
    let said = format!("{:?}", below.requests().last().unwrap().messages);
    assert!(
        said.contains("must not be done twice") && said.contains("again"),
        "{said}"
    );
    let users = below
        .requests()
        .last()
        .unwrap()
        .messages
        .iter()
        .filter(|message| matches!(&***message, Message::User { .. }))
        .count();
    assert_eq!(users, 1, "it is told once what to do");
    assert!(told(model.requests().last().unwrap()).contains("all seen to"));
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_long_session_is_taken_up_from_its_last_snapshot() {
    let (kept, seen) = (kept(), Seen::default());
    let journal = FailingJournal::of(&kept).snapshot_every(20);
    let tools = || [stuck("look", Effect::Read, &seen)];
    let builder = AsyncAgent::builder(caller(&["look"]), manager(tools()));
    let agent = builder.journal(journal.clone()).session("s").start().await.unwrap();
    for _ in 0..100 {
        agent.send("go on").await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let before = agent.transcript().await.unwrap();
    let snapshot = journal.snapshots().pop().unwrap();
    let folded = Ledger::fold(&entries(&kept)[..usize::try_from(snapshot.seq.as_u64()).unwrap()]).unwrap();
    assert_eq!(Ledger::from_snapshot(&snapshot), Some(folded));

    let resume = || {
        let builder = AsyncAgent::builder(listener(), manager(tools()));
        builder.journal(journal.clone()).session("s").resume()
    };
    let written = entries(&kept).len();
    let again = resume().await.unwrap();
    let read = journal.take_read();
    assert!(
        read > 0 && read <= written / 4 + 20,
        "{read} of {written} entries are read"
    );
    assert_eq!(again.transcript().await.unwrap()[..before.len()], before);
    again.run_until_idle().await.unwrap();
    check(&kept);

    // One that can't be read is no harm.
    journal.add_snapshot(Snapshot::new(snapshot.seq, b"{\"format\":99}".to_vec()));
    let written = entries(&kept).len();
    let again = resume().await.unwrap();
    assert_eq!(journal.take_read(), written);
    again.run_until_idle().await.unwrap();
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_stopped_is_taken_up_in_the_same_process_and_whoever_lets_go_of_the_old_agent_stops_nothing() {
    let (kept, seen) = (kept(), Seen::default());
    let manager = manager([stuck("look", Effect::Read, &seen), quick_tool()]);
    let journal = FailingJournal::of(&kept);
    let builder = AsyncAgent::builder(caller(&["look"]), manager.clone());
    let builder = builder.journal(journal.clone()).session("s");
    let old = builder.start().await.unwrap();
    old.send("go on").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    journal.set(Fault::Unavailable);
    assert!(old.send("are you there?").await.is_err(), "the journal has failed");
    journal.set(Fault::None);

    let model = ScriptedModel::new().otherwise(|request| match request.last_user_text() {
        Some("again") if !format!("{:?}", request.messages).contains("quick") => {
            ModelStream::calls([ToolCall::new("c9", "quick", json!({}))])
        }
        _ => ModelStream::text("I see"),
    });
    let builder = AsyncAgent::builder(model.clone(), manager.clone());
    let agent = builder.journal(journal).session("s").resume().await.unwrap();
    drop(old);
    tokio::time::sleep(Duration::from_secs(5)).await;
    agent.send("again").await.unwrap();
    let rest = tokio::time::timeout(Duration::from_secs(3_600), agent.run_until_idle());
    rest.await.expect("it hears of its tasks").unwrap();
    let said = format!("{:?}", model.requests().last().unwrap().messages);
    assert!(
        said.contains("it was quick"),
        "the new agent hears of its tasks: {said}"
    );
    check(&kept);
}

fn quick_tool() -> FunctionTool {
    tool_of("quick", |_, _| async { Ok(json!("it was quick")) })
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_left_goes_on_elsewhere_and_nothing_of_it_goes_on_here() {
    let (kept, seen) = (kept(), Seen::default());
    let order = || tool_of("order", |_, cx| async move { Ok(cx.defer::<Value>().await) }).grace(Duration::ZERO);
    let tools = || {
        [
            stuck("look", Effect::Read, &seen),
            stuck("pay", Effect::Once, &seen),
            order(),
        ]
    };
    let before = manager(tools());
    let builder = AsyncAgent::builder(caller(&["look", "pay", "order"]), before.clone());
    let agent = builder.journal(Arc::clone(&kept)).session("s").start().await.unwrap();
    let mut events = agent.events();
    agent.send("go on").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    agent.leave().await.unwrap();
    assert_eq!(before.stats().running, 0);
    until(&mut events, |event| matches!(event, AgentEventKind::Left)).await;
    assert!(events.next().await.is_none());
    let written = entries(&kept);
    assert!(agent.send("are you there?").await.is_err());
    drop(agent);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(entries(&kept), written);

    let manager = manager(tools());
    let agent = resume(&kept, &manager, &listener()).await;
    let resumption = agent.resumption().unwrap();
    assert_eq!(
        (&resumption.again, &resumption.waiting),
        (&numbers(&[1]), &numbers(&[3]))
    );
    assert_eq!(resumption.unknown, numbers(&[2]));
    let task = agent.tasks().await.unwrap()[2].task;
    manager.resolve(task, "delivered").unwrap();
    agent.run_until_idle().await.unwrap();
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn what_a_closed_session_let_go_of_can_be_approved_and_completed() {
    let (kept, runs) = (kept(), Arc::default());
    let order = tool_of("order", |_, cx| async move { Ok(cx.defer::<Value>().await) }).grace(Duration::ZERO);
    let manager = manager([consented(&runs), order]);
    let builder = AsyncAgent::builder(caller(&["fire", "order"]), manager.clone());
    let agent = builder.journal(Arc::clone(&kept)).session("s").start().await.unwrap();
    agent.send("go on").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let tasks = agent.tasks().await.unwrap();
    agent
        .close_with(async_tool_runtime::agent::CloseMode::Detach)
        .await
        .unwrap();
    let limit = Duration::from_secs(60);
    manager.approve(tasks[0].task).unwrap();
    let fired = manager.task(tasks[0].task).unwrap();
    let fired = tokio::time::timeout(limit, fired.outcome()).await.expect("it goes on");
    assert_eq!(fired.outcome.value(), Some(&json!("fired")));
    let resolved = tokio::time::timeout(limit, manager.resolve_durably(tasks[1].task, "there"));
    resolved.await.expect("it ends").unwrap();
}

#[tokio::test(start_paused = true)]
async fn consent_that_a_sub_agent_on_another_manager_asks_for_does_not_let_its_call_begin_again() {
    let (kept, seen, runs) = (kept(), Seen::default(), Arc::default());
    let above = |seen: &Seen| {
        let below = manager([stuck("pay", Effect::Once, seen), consented(&runs)]);
        let clerk = AsyncAgent::builder(caller(&["pay", "fire"]), below);
        let clerk = clerk.as_tool("clerk", "Does things.").grace(Duration::ZERO);
        manager([clerk])
    };
    let journal = FailingJournal::of(&kept);
    let delegating = ScriptedModel::new()
        .turn(|_| ModelStream::calls([ToolCall::new("c1", "clerk", json!({"message": "pay and fire"}))]))
        .otherwise(|_| ModelStream::text("so be it"));
    let builder = AsyncAgent::builder(delegating, above(&seen));
    let agent = builder.journal(journal.clone()).session("s").start().await.unwrap();
    agent.send("go on").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(seen.of("pay").len(), 1);
    journal.set(Fault::Hangs);

    let model = listener();
    let agent = resume(&kept, &above(&seen), &model).await;
    agent.run_until_idle().await.unwrap();
    assert_eq!(seen.of("pay").len(), 1, "what must not happen twice has happened once");
    assert!(told(model.requests().last().unwrap()).contains("nobody has written down how far it had come"));
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_for_completion_has_the_time_of_a_task_anew() {
    let kept = kept();
    let order = || tool_of("order", |_, cx| async move { Ok(cx.defer::<Value>().await) }).grace(Duration::ZERO);
    leave(&kept, &manager([order()]), &["order"]).await;
    let limited = AsyncToolManager::builder()
        .tool(order())
        .task_timeout(Duration::from_secs(10));
    let agent = resume(&kept, &limited.build().unwrap(), &listener()).await;
    let rest = tokio::time::timeout(Duration::from_secs(3_600), agent.run_until_idle());
    rest.await.expect("it is not waited for without end").unwrap();
    assert!(format!("{:?}", entries(&kept)).contains("the task's deadline has passed"));
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn what_finds_out_what_became_of_a_call_is_given_time_to_end_when_it_is_told_to_stop() {
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

/// A session is taken up whose only call can be found not to have begun, as soon as it is told to stop; `stop` does that.
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
    // What was told to stop has done so by then.
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
async fn a_call_that_is_aborted_while_it_is_found_out_what_became_of_it_is_counted_once() {
    stop_what_is_found_out(|manager, task| manager.task(task).unwrap().abort("the customer has left")).await;
}

#[tokio::test(start_paused = true)]
async fn a_sub_agent_goes_on_in_its_last_session_also_if_an_earlier_attempt_had_failed() {
    let (kept, seen) = (kept(), Seen::default());
    let above = |journal: &FailingJournal, below: ScriptedModel| {
        let journal = journal.clone();
        let clerk = AsyncAgent::as_tool("clerk", "Does things.", move |manager| {
            let builder = AsyncAgent::builder(below.clone(), manager).journal(journal.clone());
            builder.model_retries(0, Duration::ZERO).tools(["look"])
        });
        let clerk = clerk
            .effect(Effect::Idempotent)
            .retry(RetryPolicy::new(3))
            .grace(Duration::ZERO);
        manager([stuck("look", Effect::Read, &seen), clerk])
    };
    let journal = FailingJournal::of(&kept);
    let failing = ScriptedModel::new()
        .turn(|_| ModelStream::failed(ModelError::transient("overloaded")))
        .turn(|_| ModelStream::calls([ToolCall::new("c1", "look", json!({}))]))
        .otherwise(|_| ModelStream::text("so be it"));
    let delegating = ScriptedModel::new()
        .turn(|_| ModelStream::calls([ToolCall::new("c1", "clerk", json!({"message": "look"}))]))
        .otherwise(|_| ModelStream::text("so be it"));
    let builder = AsyncAgent::builder(delegating, above(&journal, failing));
    let agent = builder.journal(journal.clone()).session("s").start().await.unwrap();
    agent.send("go on").await.unwrap();
    while seen.of("look").is_empty() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    journal.set(Fault::Hangs);

    let model = listener();
    let below = ScriptedModel::new().otherwise(|_| ModelStream::text("all seen to"));
    let agent = resume(&kept, &above(&FailingJournal::of(&kept), below), &model).await;
    agent.run_until_idle().await.unwrap();
    assert_eq!(seen.of("look").len(), 2);
    let told = told(model.requests().last().unwrap());
    assert!(told.contains("all seen to"), "{told}");
    check(&kept);
}
