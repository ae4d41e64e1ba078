//! Tasks that were told to stop: their last values and words, the tasks below them, and functions that must not begin.

use std::time::Duration;

use async_tool_runtime::{
    AsyncToolManager, Effect, FunctionTool, TaskOutcome, ToolError,
    manager::AsyncToolManagerBuilder,
    policy::{CachePolicy, Dedupe, RetryPolicy},
    testing::Gates,
};
use serde_json::json;
use tokio::time::Instant;
use tower::limit::GlobalConcurrencyLimitLayer;

use crate::stand::{
    Log, after, idle, is_at_rest, manager, quick, secs, spec, start, start_with, tool, tool_of, unavailable, with_slots,
};

fn cancelled(reason: &str) -> TaskOutcome {
    TaskOutcome::Cancelled(reason.to_owned())
}

/// A tool that takes a second to stop, and returns half of its value.
fn sums() -> FunctionTool {
    tool("sums", |cx| async move {
        cx.cancellation().cancelled().await;
        tokio::time::sleep(secs(1)).await;
        Ok(json!("half of it"))
    })
}

/// A tool that takes a second to stop, and says what it could not undo.
fn charges() -> FunctionTool {
    tool("charges", |cx| async move {
        cx.cancellation().cancelled().await;
        tokio::time::sleep(secs(1)).await;
        Err(ToolError::failed("charged the card, could not undo"))
    })
}

fn patient() -> AsyncToolManagerBuilder {
    AsyncToolManager::builder().tool(quick()).stop_timeout(secs(3))
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_is_told_to_stop_has_the_last_word_also_in_a_shared_run() {
    for dedupe in [Dedupe::Allow, Dedupe::Share] {
        let manager = patient()
            .tool(sums().dedupe(dedupe))
            .tool(charges().dedupe(dedupe))
            .build()
            .unwrap();
        let words = cancelled("enough; the tool said: charged the card, could not undo");
        for (name, last) in [
            ("sums", TaskOutcome::Completed(json!("half of it"))),
            ("charges", words),
        ] {
            let begin = Instant::now();
            let first = start(&manager, name);
            let second = start(&manager, name);
            idle().await;
            if dedupe == Dedupe::Share {
                first.cancel("not needed here");
                assert_eq!(first.outcome().await.outcome, cancelled("not needed here"), "{name}");
                assert!(begin.elapsed() < secs(1), "the run goes on without it");
            } else {
                first.abort("not needed here");
            }
            second.cancel("enough");
            let result = second.outcome().await;
            assert_eq!(result.outcome, last, "{name}, {dedupe:?}");
            assert_eq!(result.attempts, 1);
            assert_eq!(begin.elapsed().as_secs(), 1);
            is_at_rest(&manager, name).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_call_of_a_shared_run_may_tidy_up_beyond_its_deadline() {
    let manager = patient().tool(sums().dedupe(Dedupe::Share)).build().unwrap();
    let reference = start(&manager, "quick");
    let late = spec("sums").with_deadline(after(&reference, secs(5)));
    let task = manager.submit_task(late).unwrap();
    tokio::time::sleep(Duration::from_millis(4_900)).await;
    task.cancel("enough");
    let result = task.outcome().await;
    assert_eq!(result.outcome, TaskOutcome::Completed(json!("half of it")));
}

#[tokio::test(start_paused = true)]
async fn half_a_value_of_a_shared_run_is_not_cached() {
    let runs = Log::new();
    let noted = runs.clone();
    let sums = tool("sums", move |cx| {
        noted.note(());
        async move {
            cx.cancellation().cancelled().await;
            Ok(json!("half of it"))
        }
    });
    let sums = sums.effect(Effect::Read).cache(CachePolicy::new(secs(60)));
    let manager = patient().tool(sums.dedupe(Dedupe::Share)).build().unwrap();
    for _ in 0..2 {
        let task = start(&manager, "sums");
        idle().await;
        task.cancel("enough");
        assert!(task.outcome().await.outcome.is_completed());
    }
    assert_eq!(runs.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_comes_in_the_moment_of_the_cancellation_counts() {
    for dedupe in [Dedupe::Allow, Dedupe::Share] {
        let gates = Gates::new();
        let manager = with_slots(1, [gates.tool().dedupe(dedupe)]);
        let task = start_with(&manager, "gate", json!({"name": "a"}));
        gates.arrived("a", 1).await;
        gates.open("a", json!("in time"));
        task.cancel("enough");
        assert_eq!(
            task.outcome().await.outcome.value(),
            Some(&json!("in time")),
            "{dedupe:?}"
        );
    }
}

/// A tool that notes that it begins.
fn mails(log: &Log<()>) -> FunctionTool {
    let log = log.clone();
    tool("mails", move |_| {
        log.note(());
        async { Ok(json!("sent")) }
    })
}

#[tokio::test(start_paused = true)]
async fn a_function_does_not_begin_when_a_layer_lets_it_through_after_the_cancellation() {
    for dedupe in [Dedupe::Allow, Dedupe::Share] {
        let (gates, log) = (Gates::new(), Log::new());
        let manager = patient()
            .tool(gates.tool())
            .tool(mails(&log).dedupe(dedupe))
            .inner_layer(GlobalConcurrencyLimitLayer::new(1))
            .build()
            .unwrap();
        let holds = start_with(&manager, "gate", json!({"name": "a"}));
        gates.arrived("a", 1).await;
        let mail = start(&manager, "mails");
        idle().await;
        mail.cancel("enough");
        gates.open("a", json!(1));
        holds.outcome().await;
        let result = mail.outcome().await;
        assert_eq!(result.outcome, cancelled("enough"));
        assert_eq!((result.attempts, log.len()), (0, 0), "{dedupe:?}");
        is_at_rest(&manager, "after a permit came too late").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_does_not_begin_again_after_a_result_from_outside() {
    let (gates, log) = (Gates::new(), Log::new());
    let noted = log.clone();
    let down = tool("down", move |_| {
        noted.note(());
        async { Err(unavailable().with_retry_after(secs(1))) }
    });
    let manager = patient()
        .tool(gates.tool())
        .tool(down.effect(Effect::Read).retry(RetryPolicy::new(5)))
        .inner_layer(GlobalConcurrencyLimitLayer::new(1))
        .build()
        .unwrap();
    let task = start(&manager, "down");
    idle().await;
    let holds = start_with(&manager, "gate", json!({"name": "a"}));
    tokio::time::sleep(secs(2)).await;
    assert_eq!(log.len(), 1, "the next attempt waits in the layer");
    manager.resolve(task.id(), json!("by phone")).unwrap();
    gates.open("a", json!(1));
    holds.outcome().await;
    let result = task.outcome().await;
    assert_eq!(result.outcome.value(), Some(&json!("by phone")));
    assert_eq!((result.attempts, log.len()), (1, 1));
}

/// Notes when it is dropped.
struct End(Log<()>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.note(());
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_ends_after_the_tasks_that_it_submits_when_it_is_told_to_stop() {
    type Around = fn(FunctionTool) -> FunctionTool;
    let variants: [(&str, Around); 3] = [
        ("plain", |tool| tool),
        ("with layers before its slot", |tool| {
            tool.effect(Effect::Read).cache(CachePolicy::new(secs(60)))
        }),
        ("in a shared run", |tool| tool.dedupe(Dedupe::Share)),
    ];
    for (what, around) in variants {
        let ended = Log::new();
        let of_child = ended.clone();
        let unbook = tool("unbook", move |_| {
            let end = End(of_child.clone());
            async move {
                let _end = end;
                std::future::pending().await
            }
        });
        let waits = tool("waits", |cx| async move {
            cx.cancellation().cancelled().await;
            cx.call_tool("unbook", json!({})).await
        });
        let leaves = tool("leaves", |cx| async move {
            cx.cancellation().cancelled().await;
            tokio::time::sleep(Duration::from_millis(900)).await;
            let child = cx.submit_tool("unbook", json!({}))?;
            tokio::task::yield_now().await;
            drop(child);
            Ok(json!("half of it"))
        });
        let manager = AsyncToolManager::builder()
            .tools([unbook, around(waits), around(leaves), quick()].map(Into::into))
            .stop_timeout(secs(1))
            .build()
            .unwrap();
        let half = TaskOutcome::Completed(json!("half of it"));
        let parents = [("waits", 2_000, cancelled("enough")), ("leaves", 1_900, half)];
        for (before, (name, ends_after, outcome)) in parents.into_iter().enumerate() {
            let task = start(&manager, name);
            idle().await;
            let begin = Instant::now();
            task.cancel("enough");
            let result = task.outcome().await;
            assert_eq!(
                ended.len(),
                before + 1,
                "{name} {what}: the task below has ended before"
            );
            assert_eq!(result.outcome, outcome, "{name} {what}");
            let longest = Duration::from_millis(ends_after + 300);
            assert!(begin.elapsed() <= longest, "{name} {what}: {:?}", begin.elapsed());
            is_at_rest(&manager, what).await;
        }
    }
}

/// Runs on a thread whose stack holds no frame for each level.
#[test]
fn a_chain_of_thousands_of_tasks_can_be_stopped() {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let deep = tool_of("deep", |arguments, cx| async move {
                let left = arguments["left"].as_u64().unwrap();
                // Not waited for: each wait looks for a circle among all levels above.
                let _below = match left {
                    0 => None,
                    _ => Some(cx.submit_tool("deep", json!({"left": left - 1}))?),
                };
                std::future::pending().await
            });
            let manager = manager([deep, quick()]);
            let task = start_with(&manager, "deep", json!({"left": 3_000}));
            idle().await;
            assert_eq!(manager.stats().open, 3_001);
            task.cancel("enough");
            assert_eq!(task.outcome().await.outcome, cancelled("enough"));
            is_at_rest(&manager, "after a deep chain").await;
        });
    };
    let thread = std::thread::Builder::new().stack_size(512 << 10).spawn(run).unwrap();
    thread.join().unwrap();
}
