//! The manager by itself.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    AsyncToolManager, CancellationToken, FunctionTool, SessionId, TaskEvent, TaskId, TaskOutcome, TaskStatus, ToolCall,
    ToolContext, ToolDefinition, ToolError, ToolErrorKind,
    backend::{Backend, BackendCapabilities, BackendError, CancelMode, Settlement},
    future::BoxFuture,
    manager::{BuildError, Executor},
    task::{TaskSpec, Timestamp},
    testing::Gates,
    tool::{BoundCall, State},
};
use serde_json::{Value, json};
use tokio::sync::Notify;

fn session() -> SessionId {
    SessionId::new("s")
}

fn call(tool: &str, arguments: Value) -> ToolCall {
    ToolCall::new("call_1", tool, arguments)
}

fn gate(name: &str) -> ToolCall {
    call("gate", json!({"name": name}))
}

/// A tool that does `run` with its context.
fn tool<F, Fut>(name: &str, run: F) -> FunctionTool
where
    F: Fn(ToolContext) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, ToolError>> + Send + 'static,
{
    let definition = ToolDefinition::new(name, "A tool.", json!({"type": "object"}));
    FunctionTool::from_parts(definition, move |_| {
        let run = run.clone();
        Ok(BoundCall::future(run))
    })
}

#[tokio::test]
async fn submit_answers_at_once_with_an_acknowledgement_and_no_result() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder().tool(gates.tool()).build().unwrap();
    let ack = manager.submit(&session(), gate("a")).unwrap().ack();
    assert_eq!((&*ack.tool, &*ack.arguments), ("gate", &json!({"name": "a"})));
    assert!(!ack.status.is_terminal());
    let told = ack.to_model_json();
    assert_eq!(told["task"], ack.task.to_string());
    let instruction = told["instruction"].as_str().unwrap();
    assert!(instruction.contains("there is no result yet"), "{instruction}");
    assert!(instruction.contains("Do not guess, invent"), "{instruction}");
    assert!(told.get("result").is_none());
}

#[tokio::test]
async fn a_call_of_an_unknown_tool_is_handed_back_with_the_name_it_may_have_meant() {
    let manager = AsyncToolManager::builder().tool(Gates::new().tool()).build().unwrap();
    let refusal = manager.submit(&session(), call("gaet", json!({}))).unwrap_err();
    assert_eq!(refusal.kind(), ToolErrorKind::UnknownTool);
    let message = refusal.error().model_message();
    assert_eq!(message, "there is no tool named `gaet`; did you mean `gate`?");
    assert_eq!(refusal.into_parts().0, call("gaet", json!({})));
}

#[tokio::test]
async fn a_call_whose_arguments_do_not_fit_runs_nothing() {
    let manager = AsyncToolManager::builder().tool(Gates::new().tool()).build().unwrap();
    let refusal = manager
        .submit(&session(), call("gate", json!({"nmae": "a"})))
        .unwrap_err();
    assert_eq!(refusal.kind(), ToolErrorKind::InvalidArguments);
}

#[tokio::test]
async fn no_more_tasks_run_than_there_are_slots_and_the_first_come_is_the_first_served() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .concurrency(2)
        .build()
        .unwrap();
    let tasks: Vec<_> = (0..4).map(|_| manager.submit(&session(), gate("a")).unwrap()).collect();
    gates.arrived("a", 2).await;
    let statuses: Vec<TaskStatus> = tasks.iter().map(|task| task.status()).collect();
    use TaskStatus::{Queued, Running};
    assert_eq!(statuses, [Running, Running, Queued, Queued]);
    gates.open("a", json!(null));
    gates.arrived("a", 3).await;
    assert_eq!(tasks[2].status(), Running);
    assert_eq!(tasks[3].status(), Queued);
}

#[tokio::test]
async fn a_call_for_which_there_is_no_room_is_handed_back() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .concurrency(1)
        .queue_capacity(1)
        .build()
        .unwrap();
    manager.submit(&session(), gate("a")).unwrap();
    manager.submit(&session(), gate("a")).unwrap();
    let refusal = manager.submit(&session(), gate("a")).unwrap_err();
    assert_eq!(refusal.kind(), ToolErrorKind::Overloaded);
    assert!(refusal.error().retryable());
    assert_eq!(refusal.call(), &gate("a"));
}

#[tokio::test]
async fn a_blocking_function_does_not_block_the_async_threads() {
    // One async thread: if the function ran on it, nobody could send what it waits for.
    let (sender, receiver) = std::sync::mpsc::channel::<u32>();
    let receiver = Arc::new(Mutex::new(receiver));
    let definition = ToolDefinition::new("blocks", "Blocks.", json!({"type": "object"}));
    let blocks = FunctionTool::from_parts(definition, move |_| {
        let receiver = Arc::clone(&receiver);
        Ok(BoundCall::blocking(move |_| {
            Ok(json!(receiver.lock().unwrap().recv().unwrap()))
        }))
    });
    let manager = AsyncToolManager::builder().tool(blocks).build().unwrap();
    let task = manager.submit(&session(), call("blocks", json!({}))).unwrap();
    tokio::task::yield_now().await;
    sender.send(7).unwrap();
    let result = task.outcome().await;
    assert_eq!(result.outcome.value(), Some(&json!(7)));
}

#[tokio::test]
async fn on_complete_hears_of_every_task_once_and_its_panic_harms_nobody() {
    let heard = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&heard);
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .on_complete(|_| panic!("a callback that is broken"))
        .on_complete(move |result| {
            assert!(result.status().is_terminal());
            counter.fetch_add(1, Ordering::SeqCst);
        })
        .build()
        .unwrap();
    for _ in 0..3 {
        manager.submit(&session(), gate("a")).unwrap();
        gates.open("a", json!(1));
    }
    let report = manager.shutdown(Duration::from_secs(60)).await;
    assert_eq!((report.drained, report.cancelled, report.aborted), (3, 0, 0));
    assert_eq!(heard.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn events_begin_with_a_snapshot_of_what_is_open() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder().tool(gates.tool()).build().unwrap();
    let first = manager.submit(&session(), gate("a")).unwrap();
    gates.arrived("a", 1).await;
    let mut events = manager.events();
    let Some(TaskEvent::Snapshot(open)) = events.next().await else {
        panic!("the snapshot comes first")
    };
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].task, open[0].status), (first.id(), TaskStatus::Running));
    gates.open("a", json!("done"));
    let Some(TaskEvent::Settled(result)) = events.next().await else {
        panic!("the task ends")
    };
    assert_eq!(result.task, first.id());
}

#[tokio::test]
async fn a_reader_that_is_too_slow_gets_a_new_snapshot() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder().tool(gates.tool()).build().unwrap();
    let mut events = manager.events();
    assert_eq!(events.next().await, Some(TaskEvent::Snapshot(Vec::new())));
    for _ in 0..1_000 {
        let task = manager.submit(&session(), gate("a")).unwrap();
        gates.open("a", json!(null));
        task.outcome().await;
    }
    let open = manager.submit(&session(), gate("b")).unwrap();
    let Some(TaskEvent::Snapshot(tasks)) = events.next().await else {
        panic!("what was missed is made good")
    };
    assert_eq!(tasks.iter().map(|task| task.task).collect::<Vec<_>>(), [open.id()]);
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_is_told_to_stop_may_end_by_itself() {
    let polite = tool("polite", |cx| async move {
        cx.cancellation().cancelled().await;
        Err(ToolError::failed("stopped half way"))
    });
    let manager = AsyncToolManager::builder().tool(polite).build().unwrap();
    let task = manager.submit(&session(), call("polite", json!({}))).unwrap();
    tokio::task::yield_now().await;
    assert_eq!(manager.cancel(task.id(), "no longer needed"), Some(TaskStatus::Running));
    let result = task.outcome().await;
    assert_eq!(
        result.outcome,
        TaskOutcome::Cancelled("no longer needed; the tool said: stopped half way".to_owned()),
        "what it says of its end is not lost"
    );
    assert_eq!(
        manager.cancel(task.id(), "again"),
        Some(TaskStatus::Cancelled),
        "what has ended stays as it is"
    );
    assert_eq!(task.result(), Some(result));
}

#[tokio::test(start_paused = true)]
async fn what_a_tool_has_done_when_it_was_told_to_stop_counts() {
    let done = tool("done", |cx| async move {
        cx.cancellation().cancelled().await;
        Ok(json!("had just finished"))
    });
    let manager = AsyncToolManager::builder().tool(done).build().unwrap();
    let task = manager.submit(&session(), call("done", json!({}))).unwrap();
    tokio::task::yield_now().await;
    manager.cancel(task.id(), "too late");
    let result = task.outcome().await;
    assert_eq!(result.outcome.value(), Some(&json!("had just finished")));
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_does_not_listen_is_dropped_after_the_grace() {
    let manager = AsyncToolManager::builder()
        .tool(tool("deaf", |_| std::future::pending()))
        .cancel_grace(Duration::from_secs(3))
        .build()
        .unwrap();
    let task = manager.submit(&session(), call("deaf", json!({}))).unwrap();
    tokio::task::yield_now().await;
    let told = tokio::time::Instant::now();
    manager.cancel(task.id(), "enough");
    let result = task.outcome().await;
    assert_eq!(result.outcome, TaskOutcome::Cancelled("enough".to_owned()));
    assert_eq!(told.elapsed(), Duration::from_secs(3));
}

#[tokio::test]
async fn a_task_that_waits_for_a_slot_is_cancelled_without_ever_running() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .concurrency(1)
        .build()
        .unwrap();
    manager.submit(&session(), gate("a")).unwrap();
    let waiting = manager.submit(&session(), gate("b")).unwrap();
    manager.cancel(waiting.id(), "changed my mind");
    let result = manager
        .task(waiting.id())
        .unwrap()
        .result()
        .expect("it has ended at once");
    assert_eq!(result.outcome, TaskOutcome::Cancelled("changed my mind".to_owned()));
    assert_eq!((result.attempts, result.timing.started), (0, None));
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_runs_past_its_timeout_fails_and_hears_of_it() {
    let heard = Arc::new(Notify::new());
    let tell = Arc::clone(&heard);
    let slow = tool("slow", move |cx| {
        let tell = Arc::clone(&tell);
        async move {
            let token = cx.cancellation().clone();
            assert_eq!(cx.remaining(), Some(Duration::from_secs(2)));
            tokio::spawn(async move {
                token.cancelled().await;
                tell.notify_one();
            });
            std::future::pending().await
        }
    });
    let slow = slow.timeout(Duration::from_secs(2));
    let manager = AsyncToolManager::builder().tool(slow).build().unwrap();
    let task = manager.submit(&session(), call("slow", json!({}))).unwrap();
    let result = task.outcome().await;
    let error = result.outcome.error().expect("a timeout is a failure");
    assert_eq!(error.kind(), ToolErrorKind::Timeout);
    assert_eq!(error.model_message(), "timed out after 2s");
    assert_eq!(
        result.timing.running(),
        Duration::from_secs(3),
        "it listens, and is dropped after a grace time in which it could have tidied up"
    );
    heard.notified().await;
}

#[tokio::test(start_paused = true)]
async fn a_tool_tidies_up_after_its_timeout_if_it_listens_and_is_dropped_at_once_if_not() {
    for (listens, tidies, ends_after) in [(false, false, 2000), (true, true, 2100), (true, false, 3000)] {
        let tidied = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&tidied);
        let slow = tool("slow", move |cx| {
            let counts = Arc::clone(&counts);
            async move {
                if !listens {
                    return std::future::pending().await;
                }
                cx.cancellation().cancelled().await;
                if !tidies {
                    return std::future::pending().await;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
                counts.fetch_add(1, Ordering::SeqCst);
                Err(ToolError::failed("the half that was done is undone"))
            }
        });
        let manager = AsyncToolManager::builder()
            .tool(slow.timeout(Duration::from_secs(2)))
            .build()
            .unwrap();
        let task = manager.submit(&session(), call("slow", json!({}))).unwrap();
        let result = task.outcome().await;
        assert_eq!(
            result.outcome.error().map(ToolError::kind),
            Some(ToolErrorKind::Timeout)
        );
        assert_eq!(result.timing.running(), Duration::from_millis(ends_after));
        assert_eq!(tidied.load(Ordering::SeqCst), usize::from(tidies));
    }
}

#[tokio::test]
async fn a_task_that_is_submitted_twice_runs_once() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder().tool(gates.tool()).build().unwrap();
    let spec = TaskSpec::new(session(), gate("a")).with_task(TaskId::from_u128(7));
    let first = manager.submit_task(spec.clone()).unwrap();
    let second = manager.submit_task(spec.clone()).unwrap();
    gates.open("a", json!(1));
    gates.open("a", json!(2));
    assert_eq!(first.outcome().await, second.outcome().await);
    let third = manager.submit_task(spec).unwrap();
    assert!(third.status().is_terminal(), "also after it has ended");
    manager.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn a_call_that_becomes_no_task_keeps_no_slot_and_is_not_counted_as_accepted() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder().tool(gates.tool()).build().unwrap();
    let counted = || {
        let stats = manager.stats();
        (stats.running, stats.accepted, stats.rejected)
    };
    let spec = TaskSpec::new(session(), gate("a"));
    let task = manager.submit_task(spec.clone()).unwrap();
    assert_eq!(counted(), (1, 1, 0));
    manager.submit_task(spec).unwrap();
    assert_eq!(counted(), (1, 1, 0), "known");
    gates.open("a", json!(1));
    task.outcome().await;
    manager.shutdown(Duration::ZERO).await;
    manager.submit(&session(), gate("a")).unwrap_err();
    assert_eq!(counted(), (0, 1, 1), "too late");
}

#[tokio::test(start_paused = true)]
async fn shutdown_drains_then_cancels_and_takes_nothing_new() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .tool(tool("deaf", |_| std::future::pending()))
        .build()
        .unwrap();
    let quick = manager.submit(&session(), gate("a")).unwrap();
    let deaf = manager.submit(&session(), call("deaf", json!({}))).unwrap();
    let opener = async {
        gates.arrived("a", 1).await;
        gates.open("a", json!("in time"));
    };
    let (report, ()) = tokio::join!(manager.shutdown(Duration::from_secs(10)), opener);
    assert_eq!((report.drained, report.cancelled, report.aborted), (1, 1, 0));
    let outcome = |task| manager.task(task).unwrap().result().unwrap().outcome.clone();
    assert_eq!(outcome(quick.id()).value(), Some(&json!("in time")));
    assert_eq!(
        outcome(deaf.id()),
        TaskOutcome::Cancelled("the manager was shut down".to_owned())
    );
    let refusal = manager.submit(&session(), gate("a")).unwrap_err();
    assert_eq!(refusal.kind(), ToolErrorKind::Unavailable);
}

#[test]
fn a_task_runs_on_the_runtime_that_submitted_it_in_a_tokio_task_of_its_own() {
    let found = |_cx| async {
        let runtime = tokio::runtime::Handle::current().id().to_string();
        Ok(json!([runtime, tokio::task::id().to_string()]))
    };
    let manager = AsyncToolManager::builder().tool(tool("found", found)).build().unwrap();
    let mut tokio_tasks = std::collections::HashSet::new();
    // Each runtime is asked again after the other was used.
    let runtimes = [(); 2].map(|()| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    });
    for runtime in runtimes.iter().chain(&runtimes) {
        runtime.block_on(async {
            let task = manager.submit(&session(), call("found", json!({}))).unwrap();
            let result = task.outcome().await;
            let found = result.outcome.value().unwrap().clone();
            assert_eq!(found[0], runtime.handle().id().to_string());
            assert!(tokio_tasks.insert(found[1].to_string()), "{found}");
        });
    }
}

#[test]
fn a_submit_outside_of_a_runtime_is_an_error_and_no_panic() {
    let manager = AsyncToolManager::builder().tool(Gates::new().tool()).build().unwrap();
    let refusal = manager.submit(&session(), gate("a")).unwrap_err();
    assert_eq!(refusal.kind(), ToolErrorKind::Internal);
}

#[test]
fn what_is_wrong_with_tools_is_said_when_the_manager_is_built() {
    let error =
        |builder: async_tool_runtime::manager::AsyncToolManagerBuilder| builder.build().unwrap_err().to_string();
    let plain = || tool("plain", |_| std::future::pending());

    let twice = AsyncToolManager::builder().tool(plain()).tool(plain());
    assert_eq!(error(twice), "tool `plain`: two tools have this name");

    struct Database;
    let needs = AsyncToolManager::builder().tool(plain().requires::<State<Database>>());
    let message = error(needs);
    assert!(
        message.starts_with("tool `plain`: needs a state of type `"),
        "{message}"
    );
    assert!(message.contains("Database`; add it with `.state(value)`"), "{message}");
    let given = AsyncToolManager::builder()
        .tool(plain().requires::<State<Database>>())
        .state(Database);
    assert!(given.build().is_ok());

    let named = AsyncToolManager::builder().tool(plain().name("no spaces"));
    assert_eq!(
        error(named),
        "tool `no spaces`: a tool's name must be made of ASCII letters, digits, `_` and `-`"
    );
    assert_eq!(
        AsyncToolManager::builder().concurrency(0).build().unwrap_err(),
        BuildError::NoSlots
    );
}

/// An engine elsewhere: tasks travel as JSON text to a worker with a manager of its own.
struct Engine {
    worker: Executor,
    store: Mutex<std::collections::HashMap<TaskId, (String, CancellationToken)>>,
}

impl Backend for Engine {
    fn submit(&self, task: TaskSpec) -> BoxFuture<'_, Result<(), BackendError>> {
        let id = task.task;
        let text = serde_json::to_string(&task).unwrap();
        self.store
            .lock()
            .unwrap()
            .entry(id)
            .or_insert((text, CancellationToken::new()));
        Box::pin(async { Ok(()) })
    }

    fn outcome(&self, task: TaskId) -> BoxFuture<'_, Result<Settlement, BackendError>> {
        let stored = self.store.lock().unwrap().get(&task).cloned();
        Box::pin(async move {
            let (text, cancellation) = stored.ok_or_else(|| BackendError::new("no such task"))?;
            let spec: TaskSpec = serde_json::from_str(&text).unwrap();
            Ok(Settlement::new(self.worker.execute(&spec, cancellation).await, 1))
        })
    }

    fn cancel(&self, task: TaskId, _: CancelMode) -> BoxFuture<'_, Result<(), BackendError>> {
        if let Some((_, cancellation)) = self.store.lock().unwrap().get(&task) {
            cancellation.cancel();
        }
        Box::pin(async { Ok(()) })
    }

    fn open_tasks<'a>(&'a self, _: &'a SessionId) -> BoxFuture<'a, Result<Vec<TaskId>, BackendError>> {
        Box::pin(async { Ok(self.store.lock().unwrap().keys().copied().collect()) })
    }

    fn capabilities(&self) -> BackendCapabilities {
        BackendCapabilities::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_backend_runs_tasks_elsewhere_with_the_same_outcomes() {
    let gates = Gates::new();
    let build = || {
        AsyncToolManager::builder()
            .tool(gates.tool())
            .tool(tool("deaf", |_| std::future::pending()))
    };
    let engine = Engine {
        worker: build().build().unwrap().executor().clone(),
        store: Mutex::default(),
    };
    let manager = build().backend(engine).build().unwrap();

    let task = manager.submit(&session(), gate("a")).unwrap();
    gates.open("a", json!("from afar"));
    let result = task.outcome().await;
    assert_eq!(result.outcome.value(), Some(&json!("from afar")));
    assert_eq!(result.attempts, 1);

    let task = manager.submit(&session(), call("deaf", json!({}))).unwrap();
    tokio::task::yield_now().await;
    manager.cancel(task.id(), "come home");
    let result = task.outcome().await;
    assert_eq!(result.outcome, TaskOutcome::Cancelled("come home".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_task_of_a_backend_can_be_completed_from_outside() {
    let build = || AsyncToolManager::builder().tool(tool("deaf", |_| std::future::pending()));
    let engine = Engine {
        worker: build().build().unwrap().executor().clone(),
        store: Mutex::default(),
    };
    let manager = build().backend(engine).build().unwrap();
    let task = manager.submit(&session(), call("deaf", json!({}))).unwrap();
    tokio::task::yield_now().await;
    manager.resolve(task.id(), json!("by phone")).unwrap();
    let result = task.outcome().await;
    assert_eq!(result.outcome.value(), Some(&json!("by phone")));
}

#[tokio::test(start_paused = true)]
async fn a_task_does_not_outrun_the_deadline_that_travels_with_it() {
    let manager = AsyncToolManager::builder()
        .tool(tool("deaf", |_| std::future::pending()))
        .build()
        .unwrap();
    let spec = TaskSpec::new(session(), call("deaf", json!({}))).with_deadline(Timestamp::from_millis(1));
    let result = manager.submit_task(spec).unwrap().outcome().await;
    assert_eq!(
        result.outcome.error().map(ToolError::kind),
        Some(ToolErrorKind::Timeout)
    );
}

fn blocking(name: &str, run: impl Fn() -> Value + Clone + Send + Sync + 'static) -> FunctionTool {
    let definition = ToolDefinition::new(name, "Blocks.", json!({"type": "object"}));
    FunctionTool::from_parts(definition, move |_| {
        let run = run.clone();
        Ok(BoundCall::blocking(move |_| Ok(run())))
    })
}

#[test]
fn a_blocking_function_that_still_waits_for_a_thread_is_not_called_once_its_task_has_ended() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (started, has_started) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let ran = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&ran);
    let manager = AsyncToolManager::builder()
        .tool(blocking("hog", move || {
            started.send(()).unwrap();
            released.lock().unwrap().recv().unwrap();
            json!(null)
        }))
        .tool(blocking("pay", move || json!(counter.fetch_add(1, Ordering::SeqCst))))
        .cancel_grace(Duration::ZERO)
        .build()
        .unwrap();
    runtime.block_on(async {
        manager.submit(&session(), call("hog", json!({}))).unwrap();
        tokio::task::block_in_place(|| has_started.recv().unwrap());
        let pay = manager.submit(&session(), call("pay", json!({}))).unwrap();
        pay.cancel("too dear");
        assert_eq!(
            pay.outcome().await.outcome,
            TaskOutcome::Cancelled("too dear".to_owned())
        );
        release.send(()).unwrap();
        // The one thread takes its work in order: once this has run, `pay` would have.
        tokio::task::spawn_blocking(|| ()).await.unwrap();
    });
    assert_eq!(ran.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_submit_that_races_with_a_shutdown_is_refused_or_drained() {
    let (entered, has_entered) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let definition = ToolDefinition::new("slow_to_bind", "Binds slowly.", json!({"type": "object"}));
    let slow = FunctionTool::from_parts(definition, move |_| {
        entered.send(()).unwrap();
        released.lock().unwrap().recv().unwrap();
        Ok(BoundCall::future(|_| std::future::pending()))
    });
    let manager = AsyncToolManager::builder().tool(slow).build().unwrap();
    let submitter = manager.clone();
    let submitted =
        tokio::task::spawn_blocking(move || submitter.submit(&session(), call("slow_to_bind", json!({}))).map(drop));
    tokio::task::block_in_place(|| has_entered.recv().unwrap());
    manager.shutdown(Duration::ZERO).await;
    release.send(()).unwrap();
    let refusal = submitted.await.unwrap().unwrap_err();
    assert_eq!(
        refusal.kind(),
        ToolErrorKind::Unavailable,
        "nothing is accepted after the end"
    );
}

#[tokio::test(start_paused = true)]
async fn durations_without_end_are_no_panic() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool().timeout(Duration::MAX))
        .cancel_grace(Duration::MAX)
        .build()
        .unwrap();
    let task = manager.submit(&session(), gate("a")).unwrap();
    gates.arrived("a", 1).await;
    manager.cancel(task.id(), "whenever you like");
    tokio::task::yield_now().await;
    assert!(task.result().is_none(), "it has all the time it wants");
    gates.open("a", json!("here"));
    let report = manager.shutdown(Duration::MAX).await;
    assert_eq!(report.drained, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_settles_a_task_that_blocks_its_thread() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let rude = tool("rude", move |_| {
        let released = Arc::clone(&released);
        async move {
            let _until_the_test_is_over = released.lock().unwrap().recv();
            Ok(json!("late"))
        }
    });
    let manager = AsyncToolManager::builder()
        .tool(rude)
        .cancel_grace(Duration::ZERO)
        .build()
        .unwrap();
    let task = manager
        .submit_task(TaskSpec::new(session(), call("rude", json!({}))))
        .unwrap();
    while task.status() == TaskStatus::Queued {
        tokio::task::yield_now().await;
    }
    let report = manager.shutdown(Duration::ZERO).await;
    assert_eq!(report.aborted, 1);
    assert_eq!(task.status(), TaskStatus::Cancelled);
    release.send(()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failed_task_wherever_it_happens() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(std::thread::panicking(), "in drop");
        }
    }
    let in_drop = tool("in_drop", |_| async {
        let _bomb = Bomb;
        std::future::pending().await
    });
    let after_cancel = tool("after_cancel", |cx| async move {
        cx.cancellation().cancelled().await;
        panic!("after the cancellation")
    });
    let manager = AsyncToolManager::builder()
        .tool(in_drop.timeout(Duration::from_secs(1)))
        .tool(after_cancel)
        .build()
        .unwrap();
    for name in ["in_drop", "after_cancel"] {
        let task = manager
            .submit_task(TaskSpec::new(session(), call(name, json!({}))))
            .unwrap();
        tokio::task::yield_now().await;
        if name == "after_cancel" {
            task.cancel("enough");
        }
        let outcome = task.outcome().await.outcome.clone();
        let kind = outcome.error().map(ToolError::kind);
        assert_eq!(kind, Some(ToolErrorKind::Panicked), "{name}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_tool_that_cancels_its_own_token_is_not_cancelled() {
    let stops_helpers = tool("stops_helpers", |cx| async move {
        cx.cancellation().cancel();
        Err(ToolError::failed("disk full"))
    });
    let manager = AsyncToolManager::builder().tool(stops_helpers).build().unwrap();
    let task = manager.submit(&session(), call("stops_helpers", json!({}))).unwrap();
    let result = task.outcome().await;
    assert_eq!(result.outcome, TaskOutcome::Failed(ToolError::failed("disk full")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_slot_of_a_task_is_free_when_its_outcome_is_seen() {
    let manager = AsyncToolManager::builder()
        .tool(tool("quick", |_| async { Ok(json!(1)) }))
        .concurrency(1)
        .queue_capacity(0)
        .build()
        .unwrap();
    for round in 0..2_000 {
        let task = manager.submit_task(TaskSpec::new(session(), call("quick", json!({}))));
        let task = task.unwrap_or_else(|refusal| panic!("round {round}: {refusal}"));
        task.outcome().await;
    }
}

/// A backend that never gives an outcome.
#[derive(Default)]
struct Silent {
    hangs: bool,
    panics: bool,
    refusals: AtomicUsize,
    cancels: Arc<Mutex<Vec<CancelMode>>>,
}

impl Backend for Silent {
    fn submit(&self, _: TaskSpec) -> BoxFuture<'_, Result<(), BackendError>> {
        Box::pin(async move {
            assert!(!self.panics, "a backend with a bug");
            if self.hangs {
                std::future::pending::<()>().await;
            }
            let refuses = self
                .refusals
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            match refuses {
                Ok(_) => Err(BackendError::new("no connection")),
                Err(_) => Ok(()),
            }
        })
    }

    fn outcome(&self, _: TaskId) -> BoxFuture<'_, Result<Settlement, BackendError>> {
        Box::pin(std::future::pending())
    }

    fn cancel(&self, _: TaskId, mode: CancelMode) -> BoxFuture<'_, Result<(), BackendError>> {
        self.cancels.lock().unwrap().push(mode);
        Box::pin(async { Ok(()) })
    }

    fn open_tasks<'a>(&'a self, _: &'a SessionId) -> BoxFuture<'a, Result<Vec<TaskId>, BackendError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn capabilities(&self) -> BackendCapabilities {
        BackendCapabilities::default()
    }
}

fn on(backend: Silent) -> async_tool_runtime::TaskHandle {
    let manager = AsyncToolManager::builder()
        .tool(Gates::new().tool())
        .backend(backend)
        .build()
        .unwrap();
    manager.submit_task(TaskSpec::new(session(), gate("a"))).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_backend_hears_of_every_cancellation_and_can_not_hold_a_task_up() {
    let cancels = Arc::<Mutex<Vec<CancelMode>>>::default();
    let silent = || Silent {
        cancels: Arc::clone(&cancels),
        ..Silent::default()
    };
    let task = on(silent());
    tokio::task::yield_now().await;
    task.cancel("enough");
    let outcome = task.outcome().await.outcome.clone();
    assert!(
        matches!(outcome, TaskOutcome::Unknown(_)),
        "nobody knows what it did: {outcome:?}"
    );
    assert_eq!(
        std::mem::take(&mut *cancels.lock().unwrap()),
        [CancelMode::Cancel, CancelMode::Abort]
    );

    let task = on(silent());
    tokio::task::yield_now().await;
    task.abort("now");
    assert_eq!(task.outcome().await.outcome, TaskOutcome::Cancelled("now".to_owned()));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(*cancels.lock().unwrap(), [CancelMode::Abort]);

    let task = on(Silent {
        hangs: true,
        ..silent()
    });
    tokio::task::yield_now().await;
    task.cancel("enough");
    let outcome = task.outcome().await.outcome.clone();
    assert!(
        matches!(outcome, TaskOutcome::Unknown(_)),
        "it may have been taken: {outcome:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_takes_no_task_is_asked_again_and_then_nothing_is_claimed() {
    let in_passing = on(Silent {
        refusals: 2.into(),
        ..Silent::default()
    });
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(in_passing.status(), TaskStatus::Running);

    let for_good = on(Silent {
        refusals: usize::MAX.into(),
        ..Silent::default()
    });
    let outcome = for_good.outcome().await.outcome.clone();
    assert!(
        matches!(outcome, TaskOutcome::Unknown(_)),
        "its effect must not happen twice: {outcome:?}"
    );

    let broken = on(Silent {
        panics: true,
        ..Silent::default()
    });
    let outcome = broken.outcome().await.outcome.clone();
    assert_eq!(outcome.error().map(ToolError::kind), Some(ToolErrorKind::Panicked));
}

#[tokio::test]
async fn a_tool_that_panics_or_is_aborted_gives_its_slot_back() {
    let gates = Gates::new();
    let panics = FunctionTool::new("panics", "Panics.", |_: Empty, _: ToolContext| async {
        if true {
            panic!("the password is hunter2");
        }
        Ok::<_, ToolError>(())
    });
    let manager = AsyncToolManager::builder()
        .tool(panics)
        .tool(gates.tool())
        .concurrency(1)
        .build()
        .unwrap();
    let session = SessionId::new("s");

    let task = manager
        .submit(&session, ToolCall::new("1", "panics", json!({})))
        .unwrap();
    let result = task.outcome().await;
    let error = result.outcome.error().expect("a panic is a failure");
    assert_eq!(error.kind(), ToolErrorKind::Panicked);
    assert!(error.message().contains("hunter2"), "operators are told what it said");
    assert!(!error.model_message().contains("hunter2"), "the model isn't");

    let task = manager
        .submit(&session, ToolCall::new("2", "gate", json!({"name": "a"})))
        .unwrap();
    gates.arrived("a", 1).await;
    task.abort("enough");
    assert_eq!(
        task.outcome().await.outcome,
        TaskOutcome::Cancelled("enough".to_owned())
    );

    // The one slot is free again.
    gates.open("b", json!("alive"));
    let task = manager
        .submit(&session, ToolCall::new("3", "gate", json!({"name": "b"})))
        .unwrap();
    let result = task.outcome().await;
    assert_eq!(result.outcome.value(), Some(&json!("alive")));
}

#[test]
fn a_runtime_that_is_shut_down_settles_its_tasks() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .concurrency(2)
        .build()
        .unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tasks: Vec<_> = runtime.block_on(async {
        let session = SessionId::new("s");
        let tasks = (0..1_000).map(|number| {
            let call = ToolCall::new(number.to_string(), "gate", json!({"name": "a"}));
            manager.submit(&session, call).unwrap()
        });
        let tasks = tasks.collect();
        gates.arrived("a", 2).await;
        tasks
    });
    drop(runtime);
    for task in tasks {
        let result = task.result().expect("it is settled");
        assert!(
            matches!(result.outcome, TaskOutcome::Cancelled(_)),
            "{:?}",
            result.outcome
        );
    }
}

#[test]
fn a_task_that_is_submitted_to_a_dead_runtime_is_settled() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .concurrency(1)
        .build()
        .unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dead = runtime.handle().clone();
    drop(runtime);
    let _entered = dead.enter();
    for number in 0..3 {
        let call = ToolCall::new(number.to_string(), "gate", json!({"name": "a"}));
        let task = manager.submit(&SessionId::new("s"), call).unwrap();
        let result = task.result().expect("it is settled");
        assert!(
            matches!(result.outcome, TaskOutcome::Cancelled(_)),
            "{:?}",
            result.outcome
        );
    }
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Empty {}
