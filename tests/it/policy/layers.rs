//! Layers of the host, and tower's own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    AsyncToolManager, Effect, FunctionTool, TaskHandle, TaskOutcome, ToolContext, ToolError, ToolErrorKind,
    future::BoxFuture,
    manager::{AsyncToolManagerBuilder, ToolRequest},
    policy::{CachePolicy, Dedupe, RetryPolicy},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::{
    ServiceBuilder,
    limit::{ConcurrencyLimitLayer, GlobalConcurrencyLimitLayer},
    timeout::TimeoutLayer,
    util::{MapErrLayer, MapFutureLayer, MapRequestLayer, MapResponseLayer},
};

use crate::stand::{
    Crowd, Log, after, idle, is_at_rest, kind, quick, secs, spec, start, start_with, tool, unavailable,
};

#[derive(Deserialize, JsonSchema)]
struct Double {
    number: i64,
}

fn double() -> FunctionTool {
    FunctionTool::new("double", "Doubles.", |arguments: Double, _: ToolContext| async move {
        Ok::<_, ToolError>(arguments.number * 2)
    })
}

/// A layer that notes every request.
fn passes(
    name: &'static str,
    log: &Log<&'static str>,
) -> MapRequestLayer<impl Fn(ToolRequest) -> ToolRequest + Clone + Send + Sync + 'static> {
    let log = log.clone();
    MapRequestLayer::new(move |request: ToolRequest| {
        log.note(name);
        request
    })
}

#[tokio::test(start_paused = true)]
async fn the_first_layer_is_the_outermost_and_inner_ones_run_for_every_attempt() {
    let log = Log::new();
    let flaky = tool("flaky", |cx| async move {
        if cx.attempt() < 3 {
            Err(unavailable())
        } else {
            Ok(json!(1))
        }
    });
    let manager = AsyncToolManager::builder()
        .tool(flaky.effect(Effect::Read).retry(RetryPolicy::new(3)))
        .tool(quick())
        .inner_layer(passes("inner one", &log))
        .layer(passes("outer one", &log))
        .inner_layer(passes("inner two", &log))
        .layer(passes("outer two", &log))
        .build()
        .unwrap();
    let result = start(&manager, "flaky").outcome().await;
    assert_eq!((result.outcome.value(), result.attempts), (Some(&json!(1)), 3));
    let (one, two) = ("inner one", "inner two");
    assert_eq!(log.all(), ["outer one", "outer two", one, two, one, two, one, two]);
    is_at_rest(&manager, "after layers").await;
}

#[tokio::test(start_paused = true)]
async fn an_outer_layer_sees_values_from_the_cache_and_an_inner_one_does_not() {
    let (outer, inner) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = |counter: &Arc<AtomicUsize>| {
        let counter = Arc::clone(counter);
        MapResponseLayer::new(move |value: Value| {
            counter.fetch_add(1, Ordering::SeqCst);
            json!({"seen": value})
        })
    };
    let manager = AsyncToolManager::builder()
        .tool(double().effect(Effect::Read).cache(CachePolicy::new(secs(60))))
        .layer(counts(&outer))
        .inner_layer(counts(&inner))
        .build()
        .unwrap();
    for _ in 0..3 {
        let result = start_with(&manager, "double", json!({"number": 2})).outcome().await;
        assert_eq!(result.outcome.value(), Some(&json!({"seen": {"seen": 4}})));
    }
    assert_eq!((outer.load(Ordering::SeqCst), inner.load(Ordering::SeqCst)), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn arguments_that_a_layer_sets_are_checked_again() {
    for is_inner in [false, true] {
        let adds = MapRequestLayer::new(|mut request: ToolRequest| {
            let number = request.arguments()["number"].as_i64().unwrap();
            let changed = if number == 0 {
                json!({"nmuber": 1})
            } else {
                json!({"number": number + 1})
            };
            request.set_arguments(changed);
            request
        });
        let builder = AsyncToolManager::builder().tool(double());
        let builder = if is_inner {
            builder.inner_layer(adds)
        } else {
            builder.layer(adds)
        };
        let manager = builder.build().unwrap();
        let result = start_with(&manager, "double", json!({"number": 2})).outcome().await;
        assert_eq!(result.outcome.value(), Some(&json!(6)));
        assert_eq!(
            *result.arguments,
            json!({"number": 2}),
            "the record is what the model sent"
        );
        let result = start_with(&manager, "double", json!({"number": 0})).outcome().await;
        assert_eq!(kind(&result), Some(ToolErrorKind::InvalidArguments));
    }
}

fn counting(crowd: &Crowd) -> FunctionTool {
    let crowd = crowd.clone();
    tool("counting", move |_| {
        let inside = crowd.enter();
        async move {
            let _inside = inside;
            tokio::time::sleep(secs(1)).await;
            Ok(json!(1))
        }
    })
}

#[tokio::test(start_paused = true)]
async fn the_concurrency_limits_of_tower_hold() {
    let crowd = Crowd::default();
    let builders = [
        AsyncToolManager::builder().layer(ConcurrencyLimitLayer::new(2)),
        AsyncToolManager::builder().layer(GlobalConcurrencyLimitLayer::new(2)),
        AsyncToolManager::builder().inner_layer(GlobalConcurrencyLimitLayer::new(2)),
    ];
    for builder in builders {
        let manager = builder.tool(counting(&crowd)).tool(quick()).build().unwrap();
        let tasks: Vec<_> = (0..10).map(|_| start(&manager, "counting")).collect();
        for task in tasks {
            assert!(task.outcome().await.outcome.is_completed());
        }
        assert_eq!(crowd.most(), 2);
        is_at_rest(&manager, "after limits").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_in_a_layer_can_be_cancelled_and_has_a_deadline() {
    for is_inner in [false, true] {
        let crowd = Crowd::default();
        let limit = GlobalConcurrencyLimitLayer::new(1);
        let builder = AsyncToolManager::builder()
            .tool(quick())
            .tool(tool("hangs", |_| std::future::pending()));
        let builder = if is_inner {
            builder.inner_layer(limit)
        } else {
            builder.layer(limit)
        };
        let manager = builder.tool(counting(&crowd)).build().unwrap();
        let hangs = start(&manager, "hangs");
        idle().await;
        let begin = Instant::now();
        let late = manager
            .submit_task(spec("counting").with_deadline(after(&hangs, secs(5))))
            .unwrap();
        let result = late.outcome().await;
        assert_eq!(kind(&result), Some(ToolErrorKind::Timeout), "inner: {is_inner}");
        assert!(begin.elapsed() <= secs(5));
        let cancelled = start(&manager, "counting");
        idle().await;
        cancelled.cancel("enough");
        let result = cancelled.outcome().await;
        assert_eq!(result.outcome, TaskOutcome::Cancelled("enough".to_owned()));
        hangs.cancel("enough");
        hangs.outcome().await;
        is_at_rest(&manager, "after a layer that waits").await;
        assert_eq!(crowd.most(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn the_error_of_a_foreign_layer_is_a_failure_and_the_error_of_the_tool_is_unchanged() {
    let hangs = tool("hangs", |_| std::future::pending());
    let fails = tool("fails", |_| async { Err(unavailable().with_retry_after(secs(7))) });
    let stack = ServiceBuilder::new()
        .layer(TimeoutLayer::new(secs(2)))
        .layer(GlobalConcurrencyLimitLayer::new(10))
        .into_inner();
    let manager = AsyncToolManager::builder()
        .tool(hangs)
        .tool(fails)
        .tool(quick())
        .layer(stack)
        .build()
        .unwrap();
    let begin = Instant::now();
    let result = start(&manager, "hangs").outcome().await;
    let error = result.outcome.error().unwrap();
    assert_eq!(
        (error.kind(), error.message()),
        (ToolErrorKind::Internal, "request timed out")
    );
    assert_eq!(begin.elapsed(), secs(2));
    let result = start(&manager, "fails").outcome().await;
    let error = result.outcome.error().unwrap();
    assert_eq!(error.kind(), ToolErrorKind::Unavailable);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    is_at_rest(&manager, "after foreign errors").await;
}

#[tokio::test(start_paused = true)]
async fn the_model_does_not_read_the_error_of_a_layer_unless_it_has_a_model_message() {
    #[derive(Debug)]
    struct Secret;
    impl std::fmt::Display for Secret {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("error sending request for url (http://10.0.0.7/token?key=abc)")
        }
    }
    impl std::error::Error for Secret {}
    let fails = || tool("fails", |_| async { Err(ToolError::failed("no such city")) });
    let foreign = MapErrLayer::new(|_: ToolError| Secret);
    let own = MapErrLayer::new(|error: ToolError| -> Box<dyn std::error::Error + Send + Sync> { error.into() });
    let managers = [
        AsyncToolManager::builder().layer(foreign.clone()),
        AsyncToolManager::builder().inner_layer(foreign),
        AsyncToolManager::builder().layer(own),
    ]
    .map(|builder| builder.tool(fails()).build().unwrap());
    for manager in &managers[..2] {
        let result = start(manager, "fails").outcome().await;
        let error = result.outcome.error().unwrap();
        assert!(error.message().contains("10.0.0.7"), "for operators");
        assert!(!error.model_message().contains("10.0.0.7"), "{}", error.model_message());
    }
    let result = start(&managers[2], "fails").outcome().await;
    assert_eq!(result.outcome.error(), Some(&ToolError::failed("no such city")));
}

/// A tool that waits for its cancellation, then takes a second to tidy up.
fn tidies(log: &Log<&'static str>) -> FunctionTool {
    let log = log.clone();
    let tidies = tool("tidies", move |cx| {
        let log = log.clone();
        async move {
            cx.cancellation().cancelled().await;
            tokio::time::sleep(secs(1)).await;
            log.note("tidied up");
            Ok(json!("half of it"))
        }
    });
    tidies.effect(Effect::Read)
}

/// A task with a deadline in five seconds.
fn hurried(manager: &AsyncToolManager, tool: &str) -> TaskHandle {
    let reference = start(manager, "quick");
    manager
        .submit_task(spec(tool).with_deadline(after(&reference, secs(5))))
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn at_its_deadline_a_tool_can_tidy_up_whatever_is_around_it() {
    type Around = fn(AsyncToolManagerBuilder) -> AsyncToolManagerBuilder;
    let log = Log::new();
    let passes_by = || MapRequestLayer::new(|request: ToolRequest| request);
    let bare: Around = |builder| builder;
    let variants = [
        (tidies(&log), bare),
        (tidies(&log).retry(RetryPolicy::new(3)), bare),
        (tidies(&log).cache(CachePolicy::new(secs(60))), bare),
        (
            tidies(&log)
                .cache(CachePolicy::new(secs(60)))
                .retry(RetryPolicy::new(3)),
            bare,
        ),
    ];
    let mut managers: Vec<_> = variants
        .into_iter()
        .map(|(tool, around)| around(AsyncToolManager::builder().tool(tool)))
        .collect();
    managers.push(AsyncToolManager::builder().tool(tidies(&log)).layer(passes_by()));
    managers.push(AsyncToolManager::builder().tool(tidies(&log)).inner_layer(passes_by()));
    for (at, builder) in managers.into_iter().enumerate() {
        let manager = builder.tool(quick()).stop_timeout(secs(3)).build().unwrap();
        let begin = Instant::now();
        let result = hurried(&manager, "tidies").outcome().await;
        assert_eq!(
            result.outcome.value(),
            Some(&json!("half of it")),
            "{at}: {:?}",
            result.outcome
        );
        assert_eq!((begin.elapsed(), log.len()), (secs(6), at + 1), "{at}");
        is_at_rest(&manager, "after a stop timeout").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_is_cancelled_shortly_before_its_deadline_keeps_its_stop_timeout_past_it() {
    let log = Log::new();
    for (at, tool) in [
        tidies(&log),
        tidies(&log).retry(RetryPolicy::new(3)),
        tidies(&log).cache(CachePolicy::new(secs(60))),
    ]
    .into_iter()
    .enumerate()
    {
        let builder = AsyncToolManager::builder().tool(tool).tool(quick());
        let manager = builder.stop_timeout(secs(3)).build().unwrap();
        let begin = Instant::now();
        let task = hurried(&manager, "tidies");
        tokio::time::sleep(Duration::from_millis(4_900)).await;
        task.cancel("enough");
        let result = task.outcome().await;
        assert_eq!(
            result.outcome.value(),
            Some(&json!("half of it")),
            "{at}: {:?}",
            result.outcome
        );
        assert_eq!(begin.elapsed(), Duration::from_millis(5_900), "{at}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sharing_call_leaves_the_run_at_its_deadline_and_the_run_can_tidy_up() {
    let log = Log::new();
    let manager = AsyncToolManager::builder()
        .tool(tidies(&log).dedupe(Dedupe::Share))
        .tool(quick())
        .stop_timeout(secs(3))
        .build()
        .unwrap();
    let begin = Instant::now();
    let result = hurried(&manager, "tidies").outcome().await;
    assert_eq!(kind(&result), Some(ToolErrorKind::Timeout));
    assert_eq!(begin.elapsed(), secs(5));
    tokio::time::sleep(secs(2)).await;
    assert_eq!(log.all(), ["tidied up"]);
    is_at_rest(&manager, "after a shared run").await;
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_hangs_after_the_function_has_no_stop_timeout() {
    type Rest = BoxFuture<'static, Result<Value, ToolError>>;
    let hangs = MapFutureLayer::new(|rest: Rest| async move {
        let _result = rest.await;
        std::future::pending::<Result<Value, ToolError>>().await
    });
    let log = Log::new();
    for (is_inner, tool) in [(false, "quick"), (true, "quick"), (false, "tidies"), (true, "tidies")] {
        let builder = AsyncToolManager::builder().tool(tidies(&log)).tool(quick());
        let builder = if is_inner {
            builder.inner_layer(hangs.clone())
        } else {
            builder.layer(hangs.clone())
        };
        let manager = builder.stop_timeout(secs(3)).build().unwrap();
        let begin = Instant::now();
        let reference = manager.submit_task(spec("quick")).unwrap();
        let late = spec(tool).with_deadline(after(&reference, secs(5)));
        let late = manager.submit_task(late).unwrap();
        let result = late.outcome().await;
        assert_eq!(kind(&result), Some(ToolErrorKind::Timeout), "{tool}, inner: {is_inner}");
        let longest = if tool == "quick" { secs(5) } else { secs(8) };
        let took = begin.elapsed();
        assert!(
            took <= longest + Duration::from_millis(100),
            "{tool}, inner: {is_inner}, {took:?}"
        );
        reference.abort("it hangs, too");
    }
}
