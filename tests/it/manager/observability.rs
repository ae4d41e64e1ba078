//! Spans and metrics, as operators see them.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_tool_runtime::{
    AsyncToolManager, Effect, SessionId, ToolCall, ToolError, ToolErrorKind, async_tool,
    policy::{BreakerPolicy, CachePolicy, Dedupe, RetryPolicy},
    task::TaskSpec,
    testing::Gates,
    tools,
};
use metrics_util::debugging::DebuggingRecorder;
use serde_json::json;

use crate::stand::{
    Notes, after, blocking, idle, manager, numbers_of, quick, secs, spec, start, start_with, tool, unavailable,
};

/// Works at the second attempt.
#[async_tool(effect = "read", retry(attempts = 3))]
async fn second_time(#[inject] cx: async_tool_runtime::ToolContext) -> Result<u32, ToolError> {
    match cx.attempt() {
        1 => Err(ToolError::new(ToolErrorKind::Unavailable, "not yet")),
        attempt => Ok(attempt),
    }
}

/// Never works.
#[async_tool]
async fn never() -> Result<(), String> {
    Err("no".to_owned())
}

#[tokio::test]
async fn a_subscriber_that_panics_costs_no_slot_and_leaves_no_task_open() {
    let _listening = Notes::listen();
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .concurrency(1)
        .build()
        .unwrap();
    let gate = || {
        TaskSpec::new(
            SessionId::new("s"),
            ToolCall::new("call_1", "gate", json!({"name": "a"})),
        )
    };
    let submit_with_a_bug = || {
        Notes::fail_at_next_span();
        let submitted = catch_unwind(AssertUnwindSafe(|| manager.submit_task(gate())));
        assert!(submitted.is_err());
    };
    let counted = || {
        let stats = manager.stats();
        (stats.running, stats.waiting, stats.open, stats.failed)
    };
    submit_with_a_bug();
    assert_eq!(counted(), (0, 0, 0, 1), "with a slot");
    let task = manager.submit_task(gate()).unwrap();
    submit_with_a_bug();
    assert_eq!(counted(), (1, 0, 1, 2), "without one");
    gates.open("a", json!(1));
    assert_eq!(task.outcome().await.outcome.value(), Some(&json!(1)));
    assert_eq!(counted(), (0, 0, 0, 2));
}

async fn run(manager: &AsyncToolManager, tool: &str) {
    let call = ToolCall::new("call_1", tool, json!({}));
    let task = manager.submit_task(TaskSpec::new(SessionId::new("s"), call)).unwrap();
    task.outcome().await;
}

#[tokio::test(start_paused = true)]
async fn the_span_of_a_call_has_the_names_of_the_convention_and_links_attempts_and_end() {
    let _listening = Notes::listen();
    let manager = manager([second_time::tool(), never::tool()]);
    let turn = tracing::info_span!("chat");
    let inside = turn.enter();
    let call = ToolCall::new("call_1", "second_time", json!({}));
    let task = manager.submit_task(TaskSpec::new(SessionId::new("s"), call)).unwrap();
    drop(inside);
    task.outcome().await;
    run(&manager, "never").await;

    let notes = Notes::taken();
    let find = |line: &str| notes.iter().any(|note| note.starts_with(line));
    assert!(!notes.iter().any(|note| note.contains("description")), "{notes:#?}");
    for expected in [
        "chat > execute_tool: begins otel.name=execute_tool second_time gen_ai.operation.name=\"execute_tool\" \
         gen_ai.tool.name=\"second_time\" gen_ai.tool.call.id=\"call_1\" gen_ai.conversation.id=\"s\" \
         gen_ai.tool.type=\"function\"",
        "chat > execute_tool > execute_tool.attempt: begins attempt=1",
        "chat > execute_tool: event message=an attempt failed; the next one follows attempt=1",
        "chat > execute_tool > execute_tool.attempt: begins attempt=2",
        "chat > execute_tool: event message=second_time completed ",
        "execute_tool: has error.type=\"failed\"",
        "execute_tool: has otel.status_code=\"ERROR\"",
        "execute_tool: event message=never failed kind=failed 0ms session=s",
    ] {
        assert!(find(expected), "{expected}\n in {notes:#?}");
    }
}

/// The recorded ends of the spans of calls, each from `error.type` on.
fn errors() -> Vec<String> {
    let notes = Notes::taken();
    let errors = notes
        .iter()
        .filter_map(|note| note.strip_prefix("execute_tool: has error.type="));
    errors.map(|error| error.trim_matches('"').to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn every_end_but_a_value_is_an_error_in_the_span_of_its_call() {
    let _listening = Notes::listen();
    let gates = Gates::new();
    let lost = tool("lost", |_| async {
        Err(ToolError::new(ToolErrorKind::Unknown, "it may have happened"))
    });
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .tool(lost)
        .tool(quick())
        .concurrency(1)
        .queue_capacity(3)
        .stop_timeout(secs(0))
        .build()
        .unwrap();
    run(&manager, "quick").await;
    assert_eq!(errors(), [""; 0]);
    run(&manager, "lost").await;
    assert_eq!(errors(), ["unknown"]);

    let running = start_with(&manager, "gate", json!({"name": "a"}));
    idle().await;
    let waiting = start(&manager, "quick");
    let late = spec("quick").with_deadline(after(&waiting, secs(1)));
    let late = manager.submit_task(late).unwrap();
    let resolved = start(&manager, "quick");
    manager
        .submit(&SessionId::new("s"), ToolCall::new("c", "quick", json!({})))
        .unwrap_err();
    assert_eq!(errors(), ["overloaded"]);
    waiting.cancel("enough");
    assert_eq!(errors(), ["cancelled"], "in the queue");
    late.outcome().await;
    assert_eq!(errors(), ["timeout"], "in the queue");
    manager.resolve(resolved.id(), json!(1)).unwrap();
    assert_eq!(errors(), [""; 0]);
    running.abort("enough");
    assert_eq!(errors(), ["cancelled"], "by an abort");
    let running = start_with(&manager, "gate", json!({"name": "a"}));
    idle().await;
    running.cancel("enough");
    running.outcome().await;
    assert_eq!(errors(), ["cancelled"]);
}

#[test]
fn a_runtime_that_is_shut_down_is_an_error_in_the_spans_of_its_calls() {
    let _listening = Notes::listen();
    let gates = Gates::new();
    let manager = AsyncToolManager::builder().tool(gates.tool()).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        start_with(&manager, "gate", json!({"name": "a"}));
        idle().await;
    });
    Notes::taken();
    drop(runtime);
    assert_eq!(errors(), ["cancelled"]);
}

#[tokio::test]
async fn logs_of_a_blocking_function_are_in_the_span_of_its_call() {
    let _listening = Notes::listen();
    let span = |_| Ok(json!(tracing::Span::current().metadata().map(|span| span.name())));
    let manager = AsyncToolManager::builder()
        .tool(blocking("blocks", span))
        .build()
        .unwrap();
    let result = start(&manager, "blocks").outcome().await;
    assert_eq!(result.outcome.value(), Some(&json!("execute_tool")));
}

#[tokio::test(start_paused = true)]
async fn the_span_of_a_call_that_shares_a_run_leads_to_the_span_with_its_attempts() {
    let _listening = Notes::listen();
    let shared = tool("shared", |_| async {
        tokio::time::sleep(secs(1)).await;
        Ok(json!(1))
    });
    let retry = RetryPolicy::new(2);
    let shared = shared.dedupe(Dedupe::Share).effect(Effect::Read).retry(retry);
    let manager = AsyncToolManager::builder().tool(shared).build().unwrap();
    let tasks = [start(&manager, "shared"), start(&manager, "shared")];
    for task in tasks {
        task.outcome().await;
    }
    let notes = Notes::taken();
    let count = |what: &str| notes.iter().filter(|note| note.starts_with(what)).count();
    assert_eq!(count("execute_tool: begins"), 2, "{notes:#?}");
    assert_eq!(count("execute_tool > execute_tool.attempt: begins"), 1, "{notes:#?}");
    assert_eq!(count("execute_tool: follows execute_tool"), 1, "{notes:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_breaker_is_shown_as_open_until_a_probe_has_succeeded() {
    for (probes, is_open) in [(&[][..], 1.0), (&[false], 1.0), (&[false, true], 0.0)] {
        let recorder = DebuggingRecorder::new();
        let _local = metrics::set_default_local_recorder(&recorder);
        let is_well = Arc::new(AtomicBool::new(false));
        let is_up = Arc::clone(&is_well);
        let bank = tool("bank", move |_| {
            let is_up = is_up.load(Ordering::SeqCst);
            async move { if is_up { Ok(json!(1)) } else { Err(unavailable()) } }
        });
        let bank = bank.breaker(BreakerPolicy::new(2, secs(30)));
        let manager = AsyncToolManager::builder().tool(bank).build().unwrap();
        for _ in 0..3 {
            run(&manager, "bank").await;
        }
        for probe in probes {
            is_well.store(*probe, Ordering::SeqCst);
            tokio::time::sleep(secs(30)).await;
            run(&manager, "bank").await;
        }
        let find = numbers_of(&recorder.snapshotter());
        let bank = [("tool", "bank")];
        assert_eq!(find("async_tool.breaker.open", &bank), is_open, "{probes:?}");
        assert_eq!(find("async_tool.breaker.refusals", &bank), 1.0, "{probes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_policies_of_tools_are_counted() {
    let recorder = DebuggingRecorder::new();
    let _local = metrics::set_default_local_recorder(&recorder);
    let slow = tool("slow", |_| async {
        tokio::time::sleep(secs(2)).await;
        Ok(json!(1))
    });
    let manager = AsyncToolManager::builder()
        .tools(tools![second_time])
        .tool(quick().effect(Effect::Read).cache(CachePolicy::new(secs(60))))
        .tool(slow.dedupe(Dedupe::Share))
        .build()
        .unwrap();
    for name in ["second_time", "quick", "quick", "quick"] {
        run(&manager, name).await;
    }
    let both = [start(&manager, "slow"), start(&manager, "slow")];
    for task in &both {
        task.outcome().await;
    }
    let find = numbers_of(&recorder.snapshotter());
    for (name, tool, expected) in [
        ("async_tool.task.retries", "second_time", 1.0),
        ("async_tool.cache.misses", "quick", 1.0),
        ("async_tool.cache.hits", "quick", 2.0),
        ("async_tool.tasks.shared", "slow", 1.0),
        ("async_tool.task.running.seconds", "slow", 4.0),
        ("async_tool.task.queued.seconds", "slow", 0.0),
    ] {
        assert_eq!(find(name, &[("tool", tool)]), expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_metrics_of_tasks_go_to_the_recorder() {
    let recorder = DebuggingRecorder::new();
    let _local = metrics::set_default_local_recorder(&recorder);
    let manager = manager([second_time::tool(), never::tool()]);
    for tool in ["second_time", "never", "never"] {
        run(&manager, tool).await;
    }
    let refused = manager.submit(&SessionId::new("s"), ToolCall::new("call_1", "made_up", json!({})));
    assert!(refused.is_err());

    let find = numbers_of(&recorder.snapshotter());
    assert_eq!(
        find(
            "async_tool.tasks.settled",
            &[("tool", "second_time"), ("status", "completed")]
        ),
        1.0
    );
    assert_eq!(
        find("async_tool.tasks.settled", &[("tool", "never"), ("status", "failed")]),
        2.0
    );
    assert_eq!(find("async_tool.task.attempts", &[("tool", "second_time")]), 2.0);
    assert_eq!(find("async_tool.tasks.rejected", &[("tool", "")]), 1.0);
    // The pauses before attempts are part of it.
    let duration = |labels: &[(&str, &str)]| find("gen_ai.execute_tool.duration", labels);
    let operation = ("gen_ai.operation.name", "execute_tool");
    assert!(duration(&[operation, ("gen_ai.tool.name", "second_time")]) > 0.0);
    assert_eq!(
        duration(&[operation, ("gen_ai.tool.name", "never"), ("error.type", "failed")]),
        0.0
    );
}
