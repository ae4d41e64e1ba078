//! Every way to die that a tool has, under every policy: each task ends exactly once, and no slot is lost.

use std::{
    collections::HashMap,
    mem::ManuallyDrop,
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use async_tool_runtime::{
    AsyncToolManager, Effect, FunctionTool, TaskHandle, TaskId, TaskStatus, ToolDefinition,
    manager::ToolRequest,
    policy::{Approval, BreakerPolicy, CachePolicy, Dedupe, RateLimit, RetryPolicy},
    tool::{BoundCall, InputRequest},
};
use serde_json::json;
use tokio::{runtime::Runtime, time::timeout};
use tower::util::MapRequestLayer;

use crate::stand::{Output, blocking, is_at_rest, quick, secs, spec, tool, unavailable};

/// Way in which the host ends a tool that doesn't end by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    ByItself,
    Cancel,
    Abort,
    /// Shuts down the manager, with all other tasks.
    Shutdown,
}

const STOPS: [Stop; 3] = [Stop::Cancel, Stop::Abort, Stop::Shutdown];

/// Place at which a layer panics.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layer {
    Nowhere,
    Outside,
    Inside,
}

const POLICIES: [&str; 9] = [
    "plain", "retry", "breaker", "rate", "share", "cache", "timeout", "approval", "all",
];

fn under(policy: &str, tool: FunctionTool) -> FunctionTool {
    let all = policy == "all";
    let mut tool = tool.effect(Effect::Read);
    if all || policy == "retry" {
        tool = tool.retry(RetryPolicy::new(3).with_backoff(Duration::ZERO, Duration::ZERO));
    }
    if all || policy == "breaker" {
        tool = tool.breaker(BreakerPolicy::new(1, secs(3_600)));
    }
    if all || policy == "rate" {
        tool = tool.rate(RateLimit::new(2, Duration::from_millis(5)));
    }
    if all || policy == "share" {
        tool = tool.dedupe(Dedupe::Share);
    }
    if all || policy == "cache" {
        tool = tool.cache(CachePolicy::new(secs(60)));
    }
    if all || policy == "timeout" {
        tool = tool.timeout(Duration::from_millis(30));
    }
    if all || policy == "approval" {
        tool = tool.approval(Approval::Always);
    }
    tool
}

fn sweep(hostile: &FunctionTool, stop: Stop, layer: Layer, count: usize, release: impl Fn()) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap();
    let runtime = Impatient(Some(runtime));
    for policy in POLICIES {
        let hostile = under(policy, hostile.clone().name("hostile"));
        runtime.block_on(async {
            let ends = Arc::new(Mutex::new(HashMap::<TaskId, u32>::new()));
            let counted = Arc::clone(&ends);
            let panics = MapRequestLayer::new(|request: ToolRequest| {
                assert_ne!(&**request.tool(), "hostile", "a layer with a bug");
                request
            });
            let builder = AsyncToolManager::builder()
                .tool(hostile)
                .tool(quick())
                .tool(tool("leaf", |_| std::future::pending()))
                .concurrency(4)
                .stop_timeout(Duration::from_millis(5))
                .on_complete(|_| panic!("a callback with a bug"))
                .on_complete(move |result| *counted.lock().unwrap().entry(result.task).or_default() += 1);
            let builder = match layer {
                Layer::Nowhere => builder,
                Layer::Outside => builder.layer(panics),
                Layer::Inside => builder.inner_layer(panics),
            };
            let manager = builder.build().unwrap();
            let tasks: Vec<_> = (0..count)
                .filter_map(|_| manager.submit_task(spec("hostile")).ok())
                .collect();
            for task in &tasks {
                let end = timeout(secs(20), end(&manager, task, stop)).await;
                assert!(end.is_ok(), "{policy}: a task does not end: {:?}", task.snapshot());
            }
            let rest = timeout(secs(20), async {
                while (manager.stats().running, manager.stats().waiting, manager.stats().open) != (0, 0, 0) {
                    tokio::task::yield_now().await;
                }
            });
            assert!(rest.await.is_ok(), "{policy}: {:?}", manager.stats());
            if stop != Stop::Shutdown {
                is_at_rest(&manager, policy).await;
            }
            let report = timeout(secs(5), manager.shutdown(secs(1))).await;
            assert!(report.is_ok(), "{policy}: the shutdown does not end");
            let ends = ends.lock().unwrap();
            for task in &tasks {
                assert_eq!(ends.get(&task.id()), Some(&1), "{policy}: each task ends once");
            }
        });
        release();
    }
}

/// A runtime that is dropped without a wait for blocked threads. Otherwise a failed assertion would hang the test.
struct Impatient(Option<Runtime>);

impl Impatient {
    fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.0.as_ref().unwrap().block_on(work)
    }
}

impl Drop for Impatient {
    fn drop(&mut self) {
        self.0.take().unwrap().shutdown_background();
    }
}

/// Gives consent if asked, ends the task as `stop` says, and waits for its outcome.
async fn end(manager: &AsyncToolManager, task: &TaskHandle, stop: Stop) {
    loop {
        if let Some(InputRequest::Approval { .. }) = task.snapshot().request {
            let _somebody_else_was_asked = manager.approve(task.id());
        }
        match task.status() {
            TaskStatus::Running if stop != Stop::ByItself => break,
            status if status.is_terminal() => break,
            _ => tokio::task::yield_now().await,
        }
    }
    match stop {
        Stop::ByItself => {}
        Stop::Cancel => task.cancel("enough"),
        Stop::Abort => task.abort("enough"),
        Stop::Shutdown => {
            let begin = Instant::now();
            let limit = Duration::from_millis(5);
            manager.shutdown(limit).await;
            // The timeout, the stop timeout, and some time for a busy machine.
            assert!(begin.elapsed() < secs(5), "the shutdown takes {:?}", begin.elapsed());
            assert!(task.status().is_terminal(), "the shutdown leaves a task open");
        }
    }
    task.outcome().await;
}

fn by_itself(hostile: &FunctionTool) {
    sweep(hostile, Stop::ByItself, Layer::Nowhere, 4, || ());
}

fn stopped(hostile: &FunctionTool) {
    for stop in STOPS {
        sweep(hostile, stop, Layer::Nowhere, 4, || ());
    }
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "in drop");
    }
}

#[test]
fn a_panic_in_the_function_wedges_nothing() {
    by_itself(&tool("panics", |_| async { panic!("a defect") }));
    by_itself(&blocking("panics", |_| panic!("a defect")));
}

#[test]
fn a_failure_wedges_nothing() {
    by_itself(&tool("fails", |_| async { Err(unavailable()) }));
}

#[test]
fn a_panic_in_the_drop_of_the_future_wedges_nothing() {
    stopped(&tool("armed", |_| async {
        let _bomb = Bomb;
        std::future::pending().await
    }));
    by_itself(&tool("armed", |_| async {
        let _bomb = Bomb;
        Ok(json!(1))
    }));
}

#[test]
fn a_panic_in_the_binder_wedges_nothing() {
    let definition = ToolDefinition::new("binds", "Binds.", json!({"type": "object"}));
    by_itself(&FunctionTool::from_parts(definition.clone(), |_| {
        panic!("a binder with a bug")
    }));
    // The first attempt is bound when the call is submitted; the next ones are bound later.
    let binds = std::sync::atomic::AtomicUsize::new(0);
    by_itself(&FunctionTool::from_parts(definition, move |_| {
        let bind = binds.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(bind % 2, 0, "a binder with a bug");
        Ok(BoundCall::future(|_| async { Err(unavailable()) }))
    }));
}

#[test]
fn a_function_that_hangs_wedges_nothing() {
    stopped(&tool("hangs", |_| std::future::pending()));
}

/// A tool that blocks its thread until the test releases it.
fn blocks() -> (impl Fn() -> Output + Clone + Send + Sync + 'static, impl Fn()) {
    let gate = Arc::new(Mutex::new(Vec::<mpsc::Sender<()>>::new()));
    let opened = Arc::clone(&gate);
    let block = move || {
        let (sender, receiver) = mpsc::channel();
        gate.lock().unwrap().push(sender);
        let _until_the_policy_is_tested = receiver.recv();
        Ok(json!("late"))
    };
    (block, move || opened.lock().unwrap().clear())
}

#[test]
fn an_async_function_that_blocks_its_thread_wedges_nothing() {
    for stop in STOPS {
        let (block, release) = blocks();
        let rude = tool("rude", move |_| {
            let block = block.clone();
            async move { block() }
        });
        // One at a time: tokio may queue another task behind the thread that blocks.
        sweep(&rude, stop, Layer::Nowhere, 1, release);
    }
}

#[test]
fn a_blocking_function_that_hangs_wedges_nothing() {
    for stop in STOPS {
        let (block, release) = blocks();
        sweep(&blocking("blocks", move |_| block()), stop, Layer::Nowhere, 4, release);
    }
}

#[test]
fn a_child_that_is_leaked_wedges_nothing() {
    by_itself(&tool("leaks", |cx| async move {
        let _leaked = ManuallyDrop::new(cx.submit_tool("leaf", json!({}))?);
        Ok(json!("leaked"))
    }));
    let kept = Arc::new(Mutex::new(Vec::new()));
    by_itself(&tool("keeps", move |cx| {
        let child = cx.submit_tool("leaf", json!({}));
        kept.lock().unwrap().push(child);
        async { Ok(json!("kept")) }
    }));
    by_itself(&tool("gives_away", |cx| async move {
        tokio::spawn(async move { cx.call_tool::<serde_json::Value>("leaf", json!({})).await });
        Ok(json!("given away"))
    }));
}

#[test]
fn a_value_of_five_megabytes_wedges_nothing() {
    by_itself(&tool("large", |_| async { Ok(json!("x".repeat(5 << 20))) }));
}

#[test]
fn a_panic_in_a_layer_wedges_nothing() {
    for layer in [Layer::Outside, Layer::Inside] {
        sweep(&quick(), Stop::ByItself, layer, 4, || ());
    }
}

#[test]
fn a_function_that_shuts_down_the_runtime_it_runs_on_wedges_nothing() {
    for policy in POLICIES {
        for is_dropped in [false, true] {
            let runtime = Runtime::new().unwrap();
            let handle = runtime.handle().clone();
            let runtime = Arc::new(Mutex::new(Some(runtime)));
            let suicidal = tool("hostile", move |_| {
                let runtime = Arc::clone(&runtime);
                async move {
                    let runtime = runtime.lock().unwrap().take();
                    if is_dropped {
                        // Dropping a runtime inside a runtime panics.
                        drop(runtime);
                    } else if let Some(runtime) = runtime {
                        runtime.shutdown_background();
                    }
                    std::future::pending().await
                }
            });
            let manager = AsyncToolManager::builder()
                .tool(under(policy, suicidal))
                .tool(quick())
                .concurrency(4)
                .stop_timeout(Duration::from_millis(5))
                .build()
                .unwrap();
            let tasks: Vec<_> = {
                let _entered = handle.enter();
                (0..4)
                    .filter_map(|_| manager.submit_task(spec("hostile")).ok())
                    .collect()
            };
            let other = Runtime::new().unwrap();
            other.block_on(async {
                for task in &tasks {
                    let end = timeout(secs(20), end(&manager, task, Stop::Cancel)).await;
                    assert!(end.is_ok(), "{policy}: a task does not end: {:?}", task.snapshot());
                }
                let rest = timeout(secs(20), async {
                    while (manager.stats().running, manager.stats().waiting) != (0, 0) {
                        tokio::task::yield_now().await;
                    }
                });
                assert!(rest.await.is_ok(), "{policy}: {:?}", manager.stats());
                is_at_rest(&manager, policy).await;
                assert!(timeout(secs(5), manager.shutdown(secs(1))).await.is_ok(), "{policy}");
            });
        }
    }
}
