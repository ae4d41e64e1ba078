//! Layers of the host's, and tower's own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    AsyncToolManager, CachePolicy, Effect, FunctionTool, RetryPolicy, TaskOutcome, ToolContext, ToolError,
    ToolErrorKind, ToolRequest,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::{
    ServiceBuilder,
    limit::{ConcurrencyLimitLayer, GlobalConcurrencyLimitLayer},
    timeout::TimeoutLayer,
    util::{MapRequestLayer, MapResponseLayer},
};

use crate::calls::{
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

/// Notes that a request comes by.
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
async fn one_who_waits_in_a_layer_can_be_cancelled_and_has_a_deadline() {
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
async fn the_error_of_a_foreign_layer_is_a_failure_and_that_of_the_tool_stays_what_it_is() {
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
        (error.kind(), error.model_message()),
        (ToolErrorKind::Failed, "request timed out")
    );
    assert_eq!(begin.elapsed(), secs(2));
    let result = start(&manager, "fails").outcome().await;
    let error = result.outcome.error().unwrap();
    assert_eq!(error.kind(), ToolErrorKind::Unavailable);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    is_at_rest(&manager, "after foreign errors").await;
}
