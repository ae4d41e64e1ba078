//! Questions, consent, and results from outside.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
    mpsc,
};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, Effect, FunctionTool, TaskEvent, TaskHandle, TaskId, TaskOutcome,
    TaskStatus, ToolCall, ToolContext, ToolDefinition, ToolError, ToolErrorKind,
    manager::ResolveError,
    model::ModelStream,
    policy::{Approval, Dedupe, RetryPolicy},
    testing::{Gates, ScriptedModel},
    tool::{BoundCall, InputRequest},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::stand::{
    Log, after, blocking, idle, is_at_rest, kind, quick, secs, spec, start, start_with, tool, unavailable, until,
};

fn one_slot(tools: impl IntoIterator<Item = FunctionTool>) -> AsyncToolManager {
    let builder = AsyncToolManager::builder().concurrency(1).tool(quick());
    tools
        .into_iter()
        .fold(builder, |builder, tool| builder.tool(tool))
        .build()
        .unwrap()
}

fn defers() -> FunctionTool {
    tool("defers", |cx| async move { cx.defer().await })
}

fn asks() -> FunctionTool {
    tool("asks", |cx| async move {
        cx.request_input("how many?", json!({"type": "integer", "minimum": 1}))
            .await
    })
}

async fn settled(task: &TaskHandle) -> TaskOutcome {
    task.outcome().await.outcome.clone()
}

#[tokio::test(start_paused = true)]
async fn a_deferred_task_holds_no_slot_and_is_completed_from_outside_once() {
    let manager = one_slot([defers()]);
    let task = start(&manager, "defers");
    idle().await;
    assert!(task.snapshot().deferred);
    assert_eq!(task.status(), TaskStatus::Running);
    assert_eq!(manager.stats().running, 0);
    settled(&start(&manager, "quick")).await;
    assert_eq!(manager.resolve(task.id(), json!({"paid": true})), Ok(()));
    let refusal = manager.resolve(task.id(), json!("again")).unwrap_err();
    assert_eq!(
        refusal,
        ResolveError::AlreadySettled(TaskStatus::Running),
        "also before the first has got through"
    );
    assert!(!refusal.to_string().contains("running"), "{refusal}");
    assert_eq!(settled(&task).await.value(), Some(&json!({"paid": true})));
    assert_eq!(
        manager.resolve_error(task.id(), ToolError::failed("late")),
        Err(ResolveError::AlreadySettled(TaskStatus::Completed))
    );
    assert_eq!(manager.resolve(TaskId::from_u128(1), 0), Err(ResolveError::UnknownTask));
    is_at_rest(&manager, "after a resolve").await;
}

#[tokio::test(start_paused = true)]
async fn a_value_from_outside_must_fit_the_schema_of_the_tools_output() {
    let mut definition = ToolDefinition::new("pays", "Pays.", json!({"type": "object"}));
    definition.output_schema = Some(Arc::new(json!({
        "type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"],
    })));
    let pays = FunctionTool::from_parts(definition, |_| {
        Ok(BoundCall::future(|cx: ToolContext| async move { cx.defer().await }))
    });
    let manager = one_slot([pays]);
    let task = start(&manager, "pays");
    idle().await;
    let Err(ResolveError::Invalid(problem)) = manager.resolve(task.id(), json!({"amount": "ten"})) else {
        panic!("a text is no integer")
    };
    assert!(problem.contains("amount") && problem.contains("integer"), "{problem}");
    assert!(task.result().is_none(), "nothing has changed");
    manager.resolve(task.id(), json!({"amount": 10})).unwrap();
    assert_eq!(settled(&task).await.value(), Some(&json!({"amount": 10})));
}

#[tokio::test(start_paused = true)]
async fn a_task_can_be_failed_from_outside_and_is_not_tried_again() {
    let runs = Log::new();
    let noted = runs.clone();
    let defers = tool("defers", move |cx| {
        noted.note(());
        async move { cx.defer().await }
    });
    let manager = one_slot([defers.effect(Effect::Read).retry(RetryPolicy::new(5))]);
    let task = start(&manager, "defers");
    idle().await;
    manager.resolve_error(task.id(), unavailable()).unwrap();
    let result = task.outcome().await;
    assert_eq!(kind(&result), Some(ToolErrorKind::Unavailable));
    assert_eq!((result.attempts, runs.len()), (1, 1));
    is_at_rest(&manager, "after an error").await;
}

#[tokio::test(start_paused = true)]
async fn a_resolve_that_comes_while_the_task_waits_for_a_slot_ends_it_without_a_run() {
    let gates = Gates::new();
    let manager = one_slot([gates.tool()]);
    let running = start_with(&manager, "gate", json!({"name": "a"}));
    let waiting = start_with(&manager, "gate", json!({"name": "b"}));
    manager.resolve(waiting.id(), json!("known already")).unwrap();
    let result = waiting.result().expect("it has ended at once");
    assert_eq!(result.outcome.value(), Some(&json!("known already")));
    assert_eq!((result.attempts, result.timing.started), (0, None));
    gates.open("a", json!(1));
    settled(&running).await;
    is_at_rest(&manager, "after a resolve of what waits").await;
}

#[tokio::test(start_paused = true)]
async fn a_resolve_that_comes_while_the_function_runs_drops_it() {
    struct Dropped(Log<&'static str>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.note("dropped");
        }
    }
    let log = Log::new();
    let dropped = log.clone();
    let runs = tool("runs", move |_| {
        let dropped = Dropped(dropped.clone());
        async move {
            let _dropped = dropped;
            std::future::pending().await
        }
    });
    let manager = one_slot([runs]);
    let task = start(&manager, "runs");
    idle().await;
    let at = Instant::now();
    manager.resolve(task.id(), json!("from outside")).unwrap();
    assert_eq!(settled(&task).await.value(), Some(&json!("from outside")));
    assert_eq!(at.elapsed(), secs(0));
    assert_eq!(log.all(), ["dropped"]);
    is_at_rest(&manager, "after a resolve of what runs").await;
}

#[tokio::test(start_paused = true)]
async fn details_for_operators_of_a_cancellation_from_outside_are_not_shown_to_the_model() {
    let manager = one_slot([tool("hangs", |_| std::future::pending())]);
    let task = start(&manager, "hangs");
    idle().await;
    let error = ToolError::new(ToolErrorKind::Cancelled, "postgres://ada:hunter2@db is going down");
    let error = error.with_model_message("the database is going down");
    manager.resolve_error(task.id(), error).unwrap();
    let outcome = settled(&task).await;
    assert_eq!(outcome, TaskOutcome::Cancelled("the database is going down".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_resolve_that_was_accepted_counts_whatever_ends_the_task_after_it() {
    let manager = one_slot([
        tool("hangs", |_| std::future::pending()),
        tool("shared", |_| std::future::pending()).dedupe(Dedupe::Share),
    ]);
    for name in ["hangs", "shared"] {
        let task = start(&manager, name);
        idle().await;
        manager.resolve(task.id(), json!("from outside")).unwrap();
        task.abort("enough");
        assert_eq!(settled(&task).await.value(), Some(&json!("from outside")), "{name}");
        idle().await;
        is_at_rest(&manager, name).await;
    }
}

#[test]
fn a_resolve_that_was_accepted_counts_also_where_the_runtime_is_shut_down() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    for dedupe in [Dedupe::Allow, Dedupe::Share] {
        let manager = one_slot([tool("hangs", |_| std::future::pending()).dedupe(dedupe)]);
        let first = runtime();
        let task = first.block_on(async {
            let task = start(&manager, "hangs");
            idle().await;
            manager.resolve(task.id(), json!("from outside")).unwrap();
            task
        });
        drop(first);
        let outcome = runtime().block_on(async { task.outcome().await.outcome.clone() });
        assert_eq!(outcome.value(), Some(&json!("from outside")), "{dedupe:?}");
    }
}

#[tokio::test]
async fn a_resolve_does_not_wait_for_a_blocking_function() {
    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let (started, has_started) = tokio::sync::mpsc::unbounded_channel();
    let mut has_started = has_started;
    let blocks = blocking("blocks", move |_| {
        started.send(()).unwrap();
        let _until_the_test_is_over = released.lock().unwrap().recv();
        Ok(json!("late"))
    });
    let manager = one_slot([blocks]);
    let task = start(&manager, "blocks");
    has_started.recv().await.unwrap();
    manager.resolve(task.id(), json!("from outside")).unwrap();
    assert_eq!(settled(&task).await.value(), Some(&json!("from outside")));
    assert_eq!(manager.stats().quarantined, 1);
    is_at_rest(&manager, "while the function still blocks").await;
    release.send(()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_resolve_in_the_pause_between_two_attempts_is_the_end() {
    let down = tool("down", |_| async { Err(unavailable().with_retry_after(secs(60))) });
    let manager = one_slot([down.effect(Effect::Read).retry(RetryPolicy::new(5))]);
    let task = start(&manager, "down");
    idle().await;
    manager.resolve(task.id(), json!("by phone")).unwrap();
    let result = task.outcome().await;
    assert_eq!(result.outcome.value(), Some(&json!("by phone")));
    assert_eq!(result.attempts, 1);
}

#[tokio::test]
async fn a_blocking_function_defers_by_its_return_value() {
    let blocks = blocking("blocks", |cx| Err(cx.deferred()));
    let manager = one_slot([blocks]);
    let task = start(&manager, "blocks");
    while !task.snapshot().deferred {
        tokio::task::yield_now().await;
    }
    settled(&start(&manager, "quick")).await;
    assert!(task.result().is_none());
    manager.resolve(task.id(), 7).unwrap();
    assert_eq!(settled(&task).await.value(), Some(&json!(7)));
    is_at_rest(&manager, "after a blocking function deferred").await;
}

#[tokio::test(start_paused = true)]
async fn a_helper_can_defer_the_task_of_its_function() {
    let helped = tool("helped", |cx| async move {
        tokio::spawn(async move { cx.defer::<()>().await });
        std::future::pending().await
    });
    let manager = one_slot([helped]);
    let task = start(&manager, "helped");
    idle().await;
    manager.resolve(task.id(), 1).unwrap();
    let outcome = tokio::time::timeout(secs(60), settled(&task)).await.expect("it ends");
    assert_eq!(outcome.value(), Some(&json!(1)));
}

#[tokio::test(start_paused = true)]
async fn a_task_stays_deferred_if_its_function_drops_the_future() {
    let hesitates = tool("hesitates", |cx| async move {
        tokio::select! {
            biased;
            value = cx.defer() => value,
            () = std::future::ready(()) => Ok(json!("a value of its own")),
        }
    });
    let manager = one_slot([hesitates]);
    let task = start(&manager, "hesitates");
    idle().await;
    assert!(task.snapshot().deferred && task.result().is_none());
    manager.resolve(task.id(), 1).unwrap();
    assert_eq!(settled(&task).await.value(), Some(&json!(1)));
}

#[tokio::test(start_paused = true)]
async fn a_deferred_task_has_no_timeout_but_the_deadline_of_the_task() {
    let manager = one_slot([defers().timeout(secs(2))]);
    let without = start(&manager, "defers");
    idle().await;
    let with = spec("defers").with_deadline(after(&without, secs(30)));
    let with = manager.submit_task(with).unwrap();
    let begin = Instant::now();
    let result = with.outcome().await;
    assert_eq!(kind(&result), Some(ToolErrorKind::Timeout));
    assert!(
        (secs(29)..=secs(30)).contains(&begin.elapsed()),
        "{:?}",
        begin.elapsed()
    );
    tokio::time::advance(secs(1_000)).await;
    assert!(without.result().is_none());
    without.cancel("unpaid");
    assert_eq!(settled(&without).await, TaskOutcome::Cancelled("unpaid".to_owned()));
    is_at_rest(&manager, "after a deferred task was cancelled").await;
}

#[tokio::test(start_paused = true)]
async fn a_question_is_shown_checked_answered_and_takes_no_slot() {
    let manager = one_slot([asks()]);
    let mut events = manager.events();
    let task = start(&manager, "asks");
    idle().await;
    assert_eq!(task.status(), TaskStatus::InputRequired);
    let Some(InputRequest::Input { prompt, schema }) = task.snapshot().request else {
        panic!("it asks for input: {:?}", task.snapshot())
    };
    assert_eq!((&*prompt, &schema["minimum"]), ("how many?", &json!(1)));
    assert_eq!(manager.stats().running, 0);
    settled(&start(&manager, "quick")).await;

    assert_eq!(manager.approve(task.id()), Err(ResolveError::NotAsked));
    for wrong in [json!("three"), json!(0), json!(null)] {
        let refusal = manager.answer(task.id(), &wrong);
        assert!(matches!(refusal, Err(ResolveError::Invalid(_))), "{wrong}: {refusal:?}");
        assert_eq!(task.status(), TaskStatus::InputRequired, "the question stays open");
    }
    manager.answer(task.id(), 3).unwrap();
    assert_eq!(
        manager.answer(task.id(), 4),
        Err(ResolveError::NotAsked),
        "the first answer counts"
    );
    assert_eq!(settled(&task).await.value(), Some(&json!(3)));

    let mut asked = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            TaskEvent::InputRequired(snapshot) => asked.push(snapshot.request.is_some()),
            TaskEvent::Settled(result) if result.task == task.id() => break,
            _ => {}
        }
    }
    assert_eq!(asked, [true, false]);
    is_at_rest(&manager, "after a question").await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_read_as_the_type_that_was_asked_for() {
    #[derive(Deserialize, JsonSchema)]
    struct Seat {
        row: u32,
        letter: char,
    }
    let books = tool("books", |cx| async move {
        let seat: Seat = cx.request("which seat?").await?;
        Ok(json!(format!("{}{}", seat.row, seat.letter)))
    });
    let manager = one_slot([books]);
    let task = start(&manager, "books");
    idle().await;
    for wrong in [json!({"row": 12}), json!({"row": -1, "letter": "A"}), json!("12A")] {
        let refusal = manager.answer(task.id(), &wrong);
        assert!(matches!(refusal, Err(ResolveError::Invalid(_))), "{wrong}: {refusal:?}");
    }
    manager.answer(task.id(), json!({"row": 12, "letter": "A"})).unwrap();
    assert_eq!(settled(&task).await.value(), Some(&json!("12A")));
}

#[tokio::test(start_paused = true)]
async fn a_tool_whose_question_is_refused_reads_why() {
    let manager = one_slot([asks()]);
    let task = start(&manager, "asks");
    idle().await;
    manager.refuse(task.id(), "that is none of your business").unwrap();
    let result = task.outcome().await;
    let error = result.outcome.error().unwrap();
    assert_eq!(error.kind(), ToolErrorKind::Refused);
    assert_eq!(
        error.model_message(),
        "the question was not answered: that is none of your business"
    );
}

#[tokio::test(start_paused = true)]
async fn the_timeout_stands_still_while_people_are_asked_and_no_longer() {
    let asks_then_hangs = tool("asks_then_hangs", |cx| async move {
        tokio::time::sleep(secs(1)).await;
        cx.request_input("?", json!({})).await?;
        std::future::pending().await
    });
    let manager = one_slot([asks_then_hangs.timeout(secs(3))]);
    let begin = Instant::now();
    let task = start(&manager, "asks_then_hangs");
    tokio::time::sleep(secs(100)).await;
    assert_eq!(task.status(), TaskStatus::InputRequired);
    manager.answer(task.id(), 0).unwrap();
    assert_eq!(kind(&*task.outcome().await), Some(ToolErrorKind::Timeout));
    assert_eq!(
        begin.elapsed(),
        secs(102),
        "one second before the question, and two after it"
    );
}

#[tokio::test(start_paused = true)]
async fn the_time_an_approval_took_is_no_time_of_the_function() {
    let hangs = tool("hangs", |_| std::future::pending()).timeout(secs(3));
    let manager = one_slot([hangs.approval(Approval::Always)]);
    let task = start(&manager, "hangs");
    tokio::time::sleep(secs(1_000)).await;
    manager.approve(task.id()).unwrap();
    let begin = Instant::now();
    assert_eq!(kind(&*task.outcome().await), Some(ToolErrorKind::Timeout));
    assert_eq!(begin.elapsed(), secs(3));
}

#[tokio::test(start_paused = true)]
async fn the_time_a_question_took_is_not_given_to_the_next_attempt() {
    let log = Log::new();
    let noted = log.clone();
    let asks_once = tool("asks_once", move |cx| {
        noted.note(());
        async move {
            if cx.attempt() == 1 {
                cx.request_input("?", json!({})).await?;
                return Err(unavailable());
            }
            std::future::pending().await
        }
    });
    let retry = RetryPolicy::new(2).with_backoff(secs(0), secs(0));
    let manager = one_slot([asks_once.timeout(secs(3)).effect(Effect::Read).retry(retry)]);
    let task = start(&manager, "asks_once");
    tokio::time::sleep(secs(1_000)).await;
    manager.answer(task.id(), 0).unwrap();
    assert_eq!(kind(&*task.outcome().await), Some(ToolErrorKind::Timeout));
    assert_eq!(log.times()[1].elapsed(), secs(3));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_task_does_not_stand_still_while_people_are_asked() {
    let manager = one_slot([asks()]);
    let reference = start(&manager, "quick");
    let task = manager
        .submit_task(spec("asks").with_deadline(after(&reference, secs(5))))
        .unwrap();
    let begin = Instant::now();
    assert_eq!(kind(&*task.outcome().await), Some(ToolErrorKind::Timeout));
    assert_eq!(begin.elapsed(), secs(5));
    assert_eq!(task.snapshot().request, None);
    is_at_rest(&manager, "after a question was late").await;
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_dropped_is_withdrawn() {
    let impatient = tool("impatient", |cx| async move {
        let asked = tokio::time::timeout(secs(5), cx.request_input("?", json!({}))).await;
        assert!(asked.is_err());
        cx.cancellation().cancelled().await;
        Err(ToolError::failed("stopped"))
    });
    let manager = one_slot([impatient]);
    let task = start(&manager, "impatient");
    idle().await;
    assert_eq!(task.status(), TaskStatus::InputRequired);
    tokio::time::sleep(secs(6)).await;
    assert_eq!(task.status(), TaskStatus::Running);
    assert_eq!(manager.answer(task.id(), 1), Err(ResolveError::NotAsked));
    assert_eq!(manager.stats().running, 1, "it goes on with its slot");
    task.cancel("enough");
    settled(&task).await;
    is_at_rest(&manager, "after a question was withdrawn").await;
}

#[tokio::test(start_paused = true)]
async fn a_second_question_takes_the_place_of_the_first_and_can_be_answered() {
    let twice = tool("twice", |cx| async move {
        let (first, second) = tokio::join!(
            cx.request_input("first?", json!({})),
            cx.request_input("second?", json!({}))
        );
        assert_eq!(first.unwrap_err().kind(), ToolErrorKind::Refused);
        second
    });
    let manager = one_slot([twice]);
    let task = start(&manager, "twice");
    idle().await;
    let Some(InputRequest::Input { prompt, .. }) = task.snapshot().request else {
        panic!("the second question is open: {:?}", task.snapshot())
    };
    assert_eq!(prompt, "second?");
    manager.answer(task.id(), 2).unwrap();
    assert_eq!(settled(&task).await.value(), Some(&json!(2)));
    is_at_rest(&manager, "after two questions").await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_asks_can_be_cancelled_and_aborted() {
    let manager = one_slot([asks()]);
    for aborts in [false, true] {
        let task = start(&manager, "asks");
        idle().await;
        if aborts {
            task.abort("enough");
        } else {
            task.cancel("enough");
        }
        assert_eq!(settled(&task).await, TaskOutcome::Cancelled("enough".to_owned()));
        assert_eq!(
            manager.answer(task.id(), 1),
            Err(ResolveError::AlreadySettled(TaskStatus::Cancelled))
        );
        idle().await;
        is_at_rest(&manager, "after a question without a waiting task").await;
    }
}

fn counted(name: &str) -> (FunctionTool, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&runs);
    let tool = tool(name, move |_| {
        let run = counter.fetch_add(1, Ordering::SeqCst);
        async move { Ok(json!(run)) }
    });
    (tool, runs)
}

#[tokio::test(start_paused = true)]
async fn a_call_that_needs_consent_runs_when_it_has_it_and_never_without() {
    let (deletes, runs) = counted("deletes");
    let manager = one_slot([deletes.approval(Approval::Always)]);
    let task = start_with(&manager, "deletes", json!({"file": "a"}));
    idle().await;
    assert_eq!(task.status(), TaskStatus::InputRequired);
    let asked = InputRequest::Approval {
        arguments: json!({"file": "a"}).into(),
    };
    assert_eq!(task.snapshot().request, Some(asked));
    assert_eq!(
        manager.answer(task.id(), true),
        Err(ResolveError::NotAsked),
        "an answer is no consent"
    );
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    manager.approve(task.id()).unwrap();
    assert_eq!(settled(&task).await.value(), Some(&json!(0)));

    let refused = start(&manager, "deletes");
    idle().await;
    manager.refuse(refused.id(), "not this file").unwrap();
    let result = refused.outcome().await;
    let error = result.outcome.error().unwrap();
    assert_eq!(error.kind(), ToolErrorKind::Refused);
    assert_eq!(error.model_message(), "the call was refused: not this file");
    assert!(!error.retryable());
    assert_eq!((result.attempts, runs.load(Ordering::SeqCst)), (0, 1));
    is_at_rest(&manager, "after consent and refusal").await;
}

#[tokio::test(start_paused = true)]
async fn a_predicate_says_which_calls_need_consent_and_one_that_panics_says_all() {
    let (pays, runs) = counted("pays");
    let large = Approval::when(|arguments: &Value| arguments["amount"].as_i64().expect("an amount") > 100);
    let manager = one_slot([pays.approval(large)]);
    let small = start_with(&manager, "pays", json!({"amount": 5}));
    assert!(settled(&small).await.is_completed());
    let large = start_with(&manager, "pays", json!({"amount": 500}));
    let panics = start_with(&manager, "pays", json!({"amount": "?"}));
    idle().await;
    for asks in [&large, &panics] {
        assert_eq!(asks.status(), TaskStatus::InputRequired);
        asks.cancel("no");
        assert!(matches!(settled(asks).await, TaskOutcome::Cancelled(_)));
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    is_at_rest(&manager, "after predicates").await;
}

#[tokio::test(start_paused = true)]
async fn calls_that_share_a_run_are_asked_and_answered_together() {
    let manager = one_slot([asks().dedupe(Dedupe::Share)]);
    let tasks = [start(&manager, "asks"), start(&manager, "asks")];
    idle().await;
    for task in &tasks {
        assert_eq!(task.status(), TaskStatus::InputRequired);
    }
    manager.answer(tasks[1].id(), 5).unwrap();
    for task in &tasks {
        assert_eq!(settled(task).await.value(), Some(&json!(5)));
    }
    is_at_rest(&manager, "after a shared question").await;
}

#[tokio::test(start_paused = true)]
async fn calls_that_share_a_deferred_run_are_resolved_together() {
    let manager = one_slot([defers().dedupe(Dedupe::Share)]);
    let tasks = [start(&manager, "defers"), start(&manager, "defers")];
    idle().await;
    assert!(tasks.iter().all(|task| task.snapshot().deferred));
    manager.resolve(tasks[1].id(), 5).unwrap();
    for task in &tasks {
        assert_eq!(settled(task).await.value(), Some(&json!(5)));
    }
    is_at_rest(&manager, "after a shared resolve").await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_says_that_consent_is_needed_and_its_model_reads_the_refusal() {
    let (deletes, runs) = counted("deletes");
    let manager = one_slot([deletes.approval(Approval::Always)]);
    let model = ScriptedModel::new()
        .turn(|_| ModelStream::calls([ToolCall::new("call_1", "deletes", json!({}))]))
        .text("waiting")
        .turn(|request| {
            let shown = format!("{:?}", request.messages.last());
            assert!(shown.contains("the call was refused: ask me first"), "{shown}");
            ModelStream::text("understood")
        });
    let agent = AsyncAgent::builder(model.clone(), manager.clone())
        .start()
        .await
        .unwrap();
    let mut events = agent.events();
    agent.send("delete it").await.unwrap();
    let asked = |kind: &AgentEventKind| matches!(kind, AgentEventKind::InputRequired { request: Some(_), .. });
    until(&mut events, asked).await;
    until(&mut events, |kind| matches!(kind, AgentEventKind::Acknowledged { .. })).await;
    let task = agent.tasks().await.unwrap()[0].task;
    manager.refuse(task, "ask me first").unwrap();
    until(&mut events, |kind| {
        matches!(kind, AgentEventKind::InputRequired { request: None, .. })
    })
    .await;
    agent.run_until_idle().await.unwrap();
    model.verify();
    assert_eq!(runs.load(Ordering::SeqCst), 0);
}
