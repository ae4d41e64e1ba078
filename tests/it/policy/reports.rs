//! Reports to hosts and models: errors, progress, large results.

use std::sync::{Arc, Mutex};

use async_tool_runtime::{
    AsyncToolManager, FunctionTool, TaskEvent, ToolContext, ToolDefinition, ToolError, ToolErrorKind,
    policy::{Approval, Dedupe},
    task::{TaskSpec, Timestamp},
    tool::{BoundCall, State},
};
use serde::{Serialize, Serializer};
use serde_json::json;
use tokio::time::Instant;

use crate::stand::{call, idle, kind, quick, secs, session, start, tool};

const SECRET: &str = "/srv/app/hunter2.rs";

/// A value that can't be written as JSON.
struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom(SECRET))
    }
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Empty {}

#[tokio::test(start_paused = true)]
async fn no_error_of_the_library_shows_the_model_details_for_operators() {
    let in_layer = tower::util::MapRequestLayer::new(|request: async_tool_runtime::manager::ToolRequest| {
        assert_ne!(&**request.tool(), "layered", "{SECRET}");
        request
    });
    let unwritable = FunctionTool::new("unwritable", "Can't be written.", |_: Empty, _: ToolContext| async {
        Ok::<_, ToolError>(Unwritable)
    });
    let panics = tool("panics", |_| async { panic!("{SECRET}") });
    let answers = tool("unreadable", |cx| async move {
        /// A value that every schema allows and no type can be read from.
        #[derive(schemars::JsonSchema)]
        struct Never {}
        impl<'de> serde::Deserialize<'de> for Never {
            fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
                Err(serde::de::Error::custom(SECRET))
            }
        }
        cx.request::<Never>("?").await.map(|_| json!(null))
    });
    let binds = FunctionTool::from_parts(
        async_tool_runtime::ToolDefinition::new("binds", "Can't bind.", json!({"type": "object"})),
        |_| panic!("{SECRET}"),
    );
    let manager = AsyncToolManager::builder()
        .tool(unwritable)
        .tool(panics.clone())
        .tool(panics.name("shared").dedupe(Dedupe::Share))
        .tool(answers)
        .tool(binds)
        .tool(quick().name("layered"))
        .inner_layer(in_layer)
        .build()
        .unwrap();
    for (name, expected) in [
        ("unwritable", ToolErrorKind::Internal),
        ("panics", ToolErrorKind::Panicked),
        ("shared", ToolErrorKind::Panicked),
        ("layered", ToolErrorKind::Panicked),
        ("unreadable", ToolErrorKind::Internal),
    ] {
        let task = start(&manager, name);
        idle().await;
        if task.snapshot().request.is_some() {
            manager.answer(task.id(), json!({})).unwrap();
        }
        let result = task.outcome().await;
        assert_eq!(kind(&result), Some(expected), "{name}");
        let shown = result.outcome.error().unwrap().model_message();
        assert!(!shown.contains("hunter2") && !shown.is_empty(), "{name}: {shown}");
    }
    let refusal = manager.submit(&session(), call("binds", json!({}))).unwrap_err();
    let shown = refusal.error().model_message();
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(refusal.error().message().contains("hunter2"), "operators are told");
}

#[tokio::test(start_paused = true)]
async fn errors_for_operators_are_told_to_the_model_without_their_details() {
    struct Database;
    let needs = tool("needs", |cx| async move {
        let _database: State<Database> = async_tool_runtime::tool::FromToolContext::from_tool_context(&cx)?;
        Ok(json!(1))
    });
    let manager = AsyncToolManager::builder().tool(needs).build().unwrap();
    let result = start(&manager, "needs").outcome().await;
    let error = result.outcome.error().unwrap();
    assert!(error.message().contains("Database"), "{error}");
    assert!(!error.model_message().contains("Database"), "{}", error.model_message());
}

#[tokio::test(start_paused = true)]
async fn progress_goes_out_ten_times_a_second_and_the_latest_is_in_the_snapshot() {
    for dedupe in [Dedupe::Allow, Dedupe::Share] {
        let reports = tool("reports", |cx| async move {
            for step in 0_u32..100 {
                cx.progress().report(f64::from(step) / 100.0, format!("step {step}"));
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            cx.cancellation().cancelled().await;
            Ok(json!("done"))
        });
        let manager = AsyncToolManager::builder()
            .tool(reports.dedupe(dedupe))
            .build()
            .unwrap();
        let mut events = manager.events();
        let tasks = [start(&manager, "reports"), start(&manager, "reports")];
        tokio::time::sleep(secs(2)).await;
        for task in &tasks {
            let progress = task.snapshot().progress.expect("it has reported");
            assert_eq!(
                (progress.fraction, &*progress.message),
                (Some(0.99), "step 99"),
                "{dedupe:?}"
            );
            task.cancel("enough");
            task.outcome().await;
        }
        let mut out = [0, 0];
        let mut ended = 0;
        while ended < 2 {
            match events.next().await.unwrap() {
                TaskEvent::Progressed(snapshot) => out[usize::from(snapshot.task == tasks[1].id())] += 1,
                TaskEvent::Settled(_) => ended += 1,
                _ => {}
            }
        }
        assert!(out.iter().all(|out| (9..=11).contains(out)), "{dedupe:?}: {out:?}");
    }
}

/// Times (in milliseconds since `begin`) and texts of the reports until all tasks have ended.
async fn went_out(
    events: &mut async_tool_runtime::task::TaskEventStream,
    begin: Instant,
    tasks: usize,
) -> Vec<(u128, String)> {
    let (mut out, mut ended) = (Vec::new(), 0);
    while ended < tasks {
        match events.next().await.unwrap() {
            TaskEvent::Progressed(snapshot) => {
                out.push((begin.elapsed().as_millis(), snapshot.progress.unwrap().message));
            }
            TaskEvent::Settled(_) => ended += 1,
            _ => {}
        }
    }
    out
}

#[tokio::test(start_paused = true)]
async fn a_report_that_came_too_soon_goes_out_once_a_little_later_and_never_after_the_end() {
    let millis = std::time::Duration::from_millis;
    let builds = tool("builds", move |cx| async move {
        cx.progress().report(0.0, "starting");
        for message in ["fetching", "waiting for the build server"] {
            tokio::time::sleep(millis(20)).await;
            cx.progress().message(message);
        }
        tokio::time::sleep(secs(600)).await;
        cx.progress().message("linking");
        tokio::time::sleep(millis(99)).await;
        cx.progress().message("too late");
        Ok(json!("done"))
    });
    let manager = AsyncToolManager::builder().tool(builds).build().unwrap();
    let (mut events, begin) = (manager.events(), Instant::now());
    let task = start(&manager, "builds");
    let out = went_out(&mut events, begin, 1).await;
    let expected = [
        (0, "starting"),
        (100, "waiting for the build server"),
        (600_040, "linking"),
    ];
    assert_eq!(out, expected.map(|(at, message)| (at, message.to_owned())));
    assert_eq!(
        task.snapshot().progress.unwrap().message,
        "too late",
        "the snapshot has it"
    );
    let nothing = tokio::time::timeout(secs(60), events.next()).await;
    assert!(nothing.is_err(), "{nothing:?}");
}

#[tokio::test(start_paused = true)]
async fn reports_from_a_runtime_that_a_tool_has_started_go_out_too() {
    let (end, ends) = std::sync::mpsc::channel();
    let ends = Mutex::new(ends);
    let builds = FunctionTool::from_parts(ToolDefinition::new("builds", "Builds.", json!({"type": "object"})), {
        let ends = Arc::new(ends);
        move |_| {
            let ends = Arc::clone(&ends);
            Ok(BoundCall::blocking(move |cx| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(async {
                    cx.progress().message("starting");
                    cx.progress().message("building");
                });
                ends.lock().unwrap().recv().unwrap();
                Ok(json!("done"))
            }))
        }
    });
    let manager = AsyncToolManager::builder().tool(builds).build().unwrap();
    let mut events = manager.events();
    let task = start(&manager, "builds");
    // While its thread blocks, the report doesn't go out by itself.
    let time_goes_on = tokio::spawn(async {
        loop {
            tokio::time::advance(std::time::Duration::from_millis(10)).await;
            tokio::task::yield_now().await;
        }
    });
    let mut said = Vec::new();
    while said.len() < 2 {
        if let TaskEvent::Progressed(snapshot) = events.next().await.unwrap() {
            said.push(snapshot.progress.unwrap().message);
        }
    }
    time_goes_on.abort();
    assert_eq!(said, ["starting", "building"]);
    end.send(()).unwrap();
    task.outcome().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_joins_a_run_shows_its_latest_report() {
    let builds = tool("builds", |cx| async move {
        cx.progress().partial(json!(["log"]), "starting");
        cx.progress().report(0.9, "waiting for the build server");
        tokio::time::sleep(secs(600)).await;
        Ok(json!("done"))
    });
    let manager = AsyncToolManager::builder()
        .tool(builds.dedupe(Dedupe::Share))
        .build()
        .unwrap();
    start(&manager, "builds");
    tokio::time::sleep(secs(60)).await;
    let (mut events, begin) = (manager.events(), Instant::now());
    let joins = start(&manager, "builds");
    idle().await;
    let progress = joins.snapshot().progress.expect("the run has reported");
    assert_eq!(
        (progress.fraction, progress.output.as_deref()),
        (Some(0.9), Some(&json!(["log"])))
    );
    let out = went_out(&mut events, begin, 2).await;
    assert_eq!(out.len(), 1, "{out:?}");
    assert_eq!(out[0].1, "waiting for the build server");
}

#[tokio::test(start_paused = true)]
async fn the_host_gets_all_of_a_large_result_and_the_model_its_beginning() {
    let large = "x".repeat(100_000);
    let value = json!(large);
    let given = value.clone();
    let big = tool("big", move |_| {
        let given = given.clone();
        async move { Ok(given) }
    });
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let manager = AsyncToolManager::builder()
        .tool(big.clone())
        .tool(big.name("small_limit").result_limit(64))
        .tool(quick())
        .result_limit(1_024)
        .on_complete(move |result| hears.lock().unwrap().push(result.outcome.clone()))
        .build()
        .unwrap();
    for (name, limit) in [("big", 1_024), ("small_limit", 64)] {
        let result = start(&manager, name).outcome().await;
        assert_eq!(result.outcome.value(), Some(&value));
        let preview = result.preview.as_ref().expect("it is larger");
        assert_eq!(preview.bytes, 100_002);
        assert!(preview.text.len() <= limit, "{} of {limit}", preview.text.len());
    }
    assert!(start(&manager, "quick").outcome().await.preview.is_none());
    assert!(
        heard.lock().unwrap()[..2]
            .iter()
            .all(|outcome| outcome.value() == Some(&value))
    );
}

#[tokio::test(start_paused = true)]
async fn the_counts_of_a_manager_add_up() {
    let manager = AsyncToolManager::builder()
        .tool(quick())
        .tool(tool("fails", |_| async { Err(ToolError::failed("no")) }))
        .tool(tool("hangs", |_| std::future::pending()))
        .tool(tool("asks", |_| async { Ok(json!(1)) }).approval(Approval::Always))
        .concurrency(2)
        .build()
        .unwrap();
    let tasks = ["quick", "fails", "hangs", "hangs", "hangs", "asks"].map(|name| start(&manager, name));
    manager.submit(&session(), call("nothing", json!({}))).unwrap_err();
    idle().await;
    let stats = manager.stats();
    assert_eq!((stats.running, stats.waiting, stats.open), (2, 1, 4), "{stats:?}");
    for task in &tasks {
        task.cancel("enough");
        task.outcome().await;
    }
    let stats = manager.stats();
    assert_eq!((stats.accepted, stats.rejected), (6, 1), "{stats:?}");
    assert_eq!(
        (stats.completed, stats.failed, stats.cancelled, stats.unknown),
        (1, 1, 4, 0)
    );
    assert_eq!((stats.running, stats.waiting, stats.open), (0, 0, 0));
    let past = TaskSpec::new(session(), call("quick", json!({}))).with_deadline(Timestamp::from_millis(1));
    let begin = Instant::now();
    let result = manager.submit_task(past).unwrap().outcome().await;
    assert_eq!(
        (kind(&result), begin.elapsed()),
        (Some(ToolErrorKind::Timeout), secs(0))
    );
}
