//! Calls that the server answers without a task.

use std::time::Duration;

use async_tool_mcp::McpClient;
use async_tool_runtime::{Effect, TaskStatus};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    SECOND, Stage,
    remote::{Act, Remote, created, text, tool, with},
    told,
};

fn answering(acts: impl Fn() -> Vec<Act> + Send + Sync + 'static) -> Remote {
    Remote::new(move |seen, _| match &*seen.method {
        "tools/call" => acts(),
        _ => Vec::new(),
    })
}

#[tokio::test(start_paused = true)]
async fn calls_run_at_the_same_time_and_end_in_any_order_with_one_result_each() {
    let remote = Remote::new(|seen, _| match &*seen.method {
        "tools/call" => {
            let seconds = seen.params()["arguments"]["seconds"].as_u64().unwrap();
            vec![
                Act::Waits(Duration::from_secs(seconds)),
                Act::Result(text(&format!("slept {seconds}"))),
            ]
        }
        _ => Vec::new(),
    });
    let stage = Stage::of(&remote).await;
    let begin = Instant::now();
    let calls = [30, 10, 20].map(|seconds| stage.call("work", json!({"seconds": seconds})));
    for (place, seconds) in [(1, 10), (2, 20), (0, 30)] {
        assert_ne!(calls[place].status(), TaskStatus::Completed);
        assert_eq!(told(&calls[place].outcome().await.outcome), format!("slept {seconds}"));
    }
    assert!(begin.elapsed() < 31 * SECOND, "{:?}", begin.elapsed());
    assert_eq!(remote.of("tools/call").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_answer_has_its_outcome() {
    let failure = json!({"content": [{"type": "text", "text": "no such file"}], "isError": true});
    let bare = json!({"content": [{"type": "text", "text": "old"}]});
    for (act, expected) in [
        (Act::Result(text("done")), "done"),
        (Act::Result(bare), "old"),
        (
            Act::Result(json!({"resultType": "complete", "content": [], "structuredContent": {"a": 1}})),
            r#"{"a":1}"#,
        ),
        (Act::Result(json!({})), ""),
        (Act::Result(failure), "failed: no such file"),
        (
            Act::Result(with(text("x"), json!({"resultType": "hologram"}))),
            "unknown: the server's answer is invalid: a result of the type `hologram` is no answer to this request",
        ),
        (
            Act::Result(json!({"resultType": 7})),
            "unknown: the server's answer is invalid: `resultType` is 7",
        ),
        (
            Act::Result(json!({"resultType": "input_required"})),
            "unknown: the server's answer is invalid",
        ),
        (
            Act::Result(json!({"resultType": "task", "status": "working"})),
            "unknown: the server's answer is invalid: the task has no id",
        ),
        (
            Act::Result(with(created("t"), json!({"status": "asleep"}))),
            "unknown: the server's answer is invalid: the task has no known status",
        ),
        (
            Act::Error(-32602, "`path` is missing"),
            "invalid_arguments: `path` is missing [code -32602]",
        ),
        (Act::Error(-32603, "it broke"), "failed: it broke [code -32603]"),
        (
            Act::Error(-32021, "tasks are required"),
            "failed: tasks are required [code -32021]",
        ),
    ] {
        let shown = format!("{act:?}");
        let remote = answering(move || vec![act.clone()]);
        let outcome = told(&Stage::of(&remote).await.work().await);
        assert!(outcome.starts_with(expected), "{shown}: {outcome}");
        assert_eq!(remote.of("tools/call").len(), 1, "{shown}: it may have been done");
    }
}

#[tokio::test(start_paused = true)]
async fn progress_resets_the_idle_timeout_and_never_the_hard_maximum() {
    let beat = |seen: &super::remote::Seen, progress: usize| {
        let token = &seen.params()["_meta"]["progressToken"];
        Act::Says(json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {
            "progressToken": token, "progress": progress, "total": 200, "message": format!("step {progress}"),
        }}))
    };
    for (beats, pause, ends, expected) in [
        (20, 50, true, "done"),
        (0, 61, true, "unknown: the server gave no sign of life for 60s"),
        (3, 50, false, "unknown: the server gave no sign of life for 60s"),
        (100, 50, false, "unknown: the server did not answer within 3600s"),
    ] {
        let remote = Remote::new(move |seen, _| match &*seen.method {
            "tools/call" => {
                let mut acts = vec![Act::Waits(pause * SECOND)];
                for beat in (0..beats).map(|progress| beat(seen, progress)) {
                    acts.extend([beat, Act::Waits(pause * SECOND)]);
                }
                acts.push(if ends { Act::Result(text("done")) } else { Act::Hangs });
                acts
            }
            _ => Vec::new(),
        });
        let client = McpClient::builder(remote.streams())
            .idle_timeout(60 * SECOND)
            .call_timeout(3_600 * SECOND);
        let stage = Stage::with(client).await;
        let call = stage.call("work", json!({}));
        if beats == 20 {
            sleep(200 * SECOND).await;
            let report = call.snapshot().progress.unwrap();
            assert_eq!((report.fraction, &*report.message), (Some(0.01), "step 2"));
        }
        let outcome = told(&call.outcome().await.outcome);
        assert!(outcome.starts_with(expected), "{beats} {pause}: {outcome}");
        // A timeout cancels the request.
        sleep(SECOND).await;
        let cancelled = remote.of("notifications/cancelled");
        assert_eq!(cancelled.len(), usize::from(!outcome.starts_with("done")), "{outcome}");
        if let [cancelled] = &*cancelled {
            assert_eq!(
                cancelled.params()["requestId"],
                remote.of("tools/call")[0].message["id"]
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_is_cancelled_at_the_server_and_a_last_word_counts() {
    // The answer comes, makes a task, or doesn't come, after the cancellation.
    for (acts, expected, told_of) in [
        (vec![Act::Hangs], "cancelled", "notifications/cancelled"),
        (
            vec![Act::Waits(SECOND + SECOND / 10), Act::Result(text("done"))],
            "done",
            "",
        ),
        (
            vec![Act::Waits(SECOND + SECOND / 10), Act::Result(created("late"))],
            "cancelled",
            "tasks/cancel",
        ),
    ] {
        let remote = answering(move || acts.clone());
        let stage = Stage::of(&remote).await;
        let call = stage.call("work", json!({}));
        sleep(SECOND).await;
        call.cancel("not wanted any more");
        let outcome = told(&call.outcome().await.outcome);
        assert!(outcome.starts_with(expected), "{told_of}: {outcome}");
        sleep(SECOND).await;
        for method in ["notifications/cancelled", "tasks/cancel"] {
            assert_eq!(
                remote.of(method).len(),
                usize::from(method == told_of),
                "{method} after {expected}"
            );
        }
        if told_of == "tasks/cancel" {
            assert_eq!(remote.of(told_of)[0].params()["taskId"], "late");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_is_sent_again_only_if_that_does_no_harm() {
    for (hint, effect, sent) in [
        ("readOnlyHint", Effect::Read, 2),
        ("idempotentHint", Effect::Idempotent, 2),
        ("title", Effect::Once, 1),
    ] {
        let remote = Remote::new(|seen, before| match (&*seen.method, before) {
            ("tools/call", 0) => vec![Act::Dies],
            ("tools/call", _) => vec![Act::Result(text("done"))],
            _ => Vec::new(),
        });
        remote.offers(json!([with(tool("work"), json!({"annotations": {hint: true}}))]));
        let stage = Stage::of(&remote).await;
        assert_eq!(stage.client.tools()[0].options().effect, effect);
        let mut events = stage.client.events();
        let call = stage.call("work", json!({}));
        // The server comes back, and the tools with it.
        while !matches!(events.next().await, Some(async_tool_mcp::McpEvent::Back { .. })) {}
        let outcome = told(&call.outcome().await.outcome);
        match effect {
            Effect::Once => assert!(
                outcome.starts_with("unknown: the connection to the server was lost"),
                "{outcome}"
            ),
            _ => assert_eq!(outcome, "done", "{hint}"),
        }
        assert_eq!(remote.of("tools/call").len(), sent, "{hint}");
    }
}

#[tokio::test(start_paused = true)]
async fn arguments_are_repaired_where_the_schema_says_what_was_meant() {
    let remote = answering(|| vec![Act::Result(text("done"))]);
    let schema = json!({"type": "object", "properties": {"seconds": {"type": "number"}, "name": {"type": "string"}}});
    remote.offers(json!([{"name": "work", "inputSchema": schema}]));
    let stage = Stage::of(&remote).await;
    for (sent, seen) in [
        (json!({"seconds": "5", "name": "7"}), json!({"seconds": 5, "name": "7"})),
        (json!({"seconds": "soon"}), json!({"seconds": "soon"})),
        (json!({"other": true}), json!({"other": true})),
    ] {
        stage.call("work", sent).outcome().await;
        assert_eq!(remote.of("tools/call").last().unwrap().params()["arguments"], seen);
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_on_another_method_is_invalid() {
    let remote = Remote::new(|seen, before| match (&*seen.method, before) {
        // Only the call may be answered by a task.
        ("tools/list", 1..) | ("tools/call" | "tasks/get", _) => vec![Act::Result(created("t"))],
        _ => Vec::new(),
    });
    let stage = Stage::of(&remote).await;
    // A list that can't be read changes nothing.
    remote.tell(&json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}));
    remote.until("tools/list", 2).await;
    assert_eq!(stage.client.tools().len(), 1);
    let outcome = told(&stage.work().await);
    assert!(
        outcome.contains("a result of the type `task` is no answer to this request"),
        "{outcome}"
    );
}

#[tokio::test(start_paused = true)]
async fn messages_that_are_none_do_no_harm() {
    let remote = answering(|| {
        vec![
            Act::Nonsense("this is no JSON"),
            Act::Nonsense("[]"),
            Act::Nonsense("{\"jsonrpc\": \"2.0\"}"),
            Act::Says(
                json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": "unknown", "progress": "much"}}),
            ),
            Act::Says(json!({"jsonrpc": "2.0", "id": 999_999, "result": {"content": []}})),
            Act::Says(
                json!({"jsonrpc": "2.0", "id": "s1", "method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 1}}),
            ),
            Act::Says(json!({"jsonrpc": "2.0", "id": "s2", "method": "no/such/method"})),
            Act::Waits(SECOND),
            Act::Result(text("done")),
        ]
    });
    let stage = Stage::of(&remote).await;
    assert_eq!(told(&stage.work().await), "done");
    assert_eq!(told(&stage.work().await), "done", "the connection is still there");
    assert_eq!(remote.connections(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_never_ends_is_cut_and_pages_are_joined() {
    let page = |name: String, next: Value| {
        vec![Act::Result(
            json!({"resultType": "complete", "tools": [tool(&name)], "nextCursor": next, "ttlMs": 0, "cacheScope": "private"}),
        )]
    };
    for (pages, tools) in [(3, 3), (usize::MAX, 200)] {
        let remote = Remote::new(move |seen, before| match &*seen.method {
            "tools/list" => {
                let cursor = seen.params()["cursor"].as_str();
                assert_eq!(
                    cursor.map(ToOwned::to_owned),
                    (before > 0).then(|| format!("c{before}"))
                );
                let next = if before + 1 < pages {
                    json!(format!("c{}", before + 1))
                } else {
                    Value::Null
                };
                page(format!("tool_{before}"), next)
            }
            _ => Vec::new(),
        });
        let stage = Stage::of(&remote).await;
        assert_eq!(stage.client.tools().len(), tools);
    }
}
