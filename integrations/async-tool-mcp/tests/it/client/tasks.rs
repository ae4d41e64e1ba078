//! Calls that become tasks of the server.

use std::time::Duration;

use async_tool_mcp::McpClient;
use async_tool_runtime::TaskOutcome;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{
    SECOND, Stage,
    remote::{Act, Remote, Seen, completed, created, state, text, with},
    told,
};

const MS: Duration = Duration::from_millis(1);

/// A server whose calls become the task `t`, and that answers polls like this.
fn polled(polls: impl Fn(usize) -> Vec<Act> + Send + Sync + 'static) -> Remote {
    Remote::new(move |seen, before| match &*seen.method {
        "tools/call" => vec![Act::Result(created("t"))],
        "tasks/get" => {
            assert_eq!(seen.params()["taskId"], "t");
            polls(before)
        }
        _ => Vec::new(),
    })
}

fn working(ms: u64) -> Act {
    Act::Result(with(state("t", "working"), json!({"pollIntervalMs": ms})))
}

fn pauses(polls: &[Seen]) -> Vec<u128> {
    let pairs = polls.windows(2);
    pairs.map(|pair| (pair[1].at - pair[0].at).as_millis()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_task_is_polled_at_the_servers_pace_which_may_change() {
    let remote = polled(|before| {
        vec![match before {
            0 => working(500),
            1 => working(5_000),
            2 => working(60_000),
            3 => working(0),
            4 => Act::Result(with(state("t", "working"), json!({"pollIntervalMs": null}))),
            _ => Act::Result(completed("t", "done")),
        }]
    });
    let stage = Stage::of(&remote).await;
    assert_eq!(told(&stage.work().await), "done");
    let polls = remote.of("tasks/get");
    // The first interval is that of the answer to the call.
    let first = (polls[0].at - remote.of("tools/call")[0].at).as_millis();
    assert!((20..100).contains(&first), "{first}");
    let pauses = pauses(&polls);
    for (pause, expected) in pauses.iter().zip([500, 5_000, 60_000, 50, 200]) {
        assert!(pause.abs_diff(expected) <= 5, "{pauses:?}");
    }
    assert_eq!(remote.of("tools/call").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn every_end_of_a_task_has_its_outcome() {
    let failed = |error| with(state("t", "failed"), json!({"error": error}));
    let tool_error = json!({"result": {"content": [{"type": "text", "text": "disk full"}], "isError": true}});
    for (last, expected) in [
        (Act::Result(completed("t", "done")), "done"),
        (
            Act::Result(with(
                state("t", "completed"),
                json!({"result": {"structuredContent": [1]}}),
            )),
            "[1]",
        ),
        (
            Act::Result(with(state("t", "completed"), tool_error)),
            "failed: disk full",
        ),
        (
            Act::Result(failed(json!({"code": -32603, "message": "it broke"}))),
            "failed: it broke [code -32603]",
        ),
        (
            Act::Result(failed(json!({"code": -32602, "message": "no such city"}))),
            "invalid_arguments: no such city [code -32602]",
        ),
        (
            Act::Result(with(
                failed(json!({"code": -32603, "message": "Internal error"})),
                json!({"statusMessage": "interrupted by a restart"}),
            )),
            "failed: Internal error (interrupted by a restart) [code -32603]",
        ),
        (Act::Result(failed(json!({}))), "failed: the server gives no reason"),
        (
            Act::Result(state("t", "cancelled")),
            "cancelled: the server has cancelled the task",
        ),
        (
            Act::Error(-32602, "unknown task"),
            "unknown: the server does not know the task any more: unknown task [code -32602]",
        ),
        (
            Act::Error(-32601, "no such method"),
            "unknown: the server does not know the task any more",
        ),
    ] {
        let shown = format!("{last:?}");
        let remote = polled(move |before| vec![if before == 0 { working(20) } else { last.clone() }]);
        let outcome = Stage::of(&remote).await.work().await;
        assert!(told(&outcome).starts_with(expected), "{shown}: {outcome:?}");
        assert!(
            !matches!(outcome, TaskOutcome::Cancelled(_)),
            "{shown}: it was not cancelled here"
        );
        sleep(600 * SECOND).await;
        assert_eq!(remote.of("tasks/get").len(), 2, "{shown}: polls go on after the end");
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_fails_is_repeated_and_the_task_is_not_lost() {
    for (bad, times) in [
        (Act::Result(json!({"resultType": "complete"})), 5),
        (Act::Result(with(state("t", "asleep"), json!({}))), 5),
        (Act::Result(state("another", "working")), 5),
        (
            Act::Result(with(completed("t", "x"), json!({"resultType": "hologram"}))),
            5,
        ),
        (Act::Result(with(state("t", "completed"), json!({"result": 7}))), 5),
        (Act::Error(-32603, "a moment, please"), 5),
        (Act::Hangs, 3),
        (Act::Dies, 8),
    ] {
        let shown = format!("{bad:?}");
        let remote = polled(move |before| {
            vec![if before < times {
                bad.clone()
            } else {
                Act::Result(completed("t", "done"))
            }]
        });
        let outcome = told(&Stage::of(&remote).await.work().await);
        assert_eq!(outcome, "done", "{shown}");
        assert_eq!(
            (remote.of("tools/call").len(), remote.of("tasks/cancel").len()),
            (1, 0),
            "{shown}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_talks_nonsense_or_stays_away_does_not_hold_a_call_forever() {
    for (act, least, expected) in [
        (
            Act::Result(json!({})),
            SECOND,
            "unknown: the server's task was running, and its end can't be found out: the server's answer is invalid",
        ),
        (
            Act::Hangs,
            600 * SECOND,
            "unknown: the server's task was running, and its end can't be found out: the server gave no sign of life for 30s; its last word was: half",
        ),
    ] {
        let first = with(created("t"), json!({"statusMessage": "half"}));
        let remote = Remote::new(move |seen, _| match &*seen.method {
            "tools/call" => vec![Act::Result(first.clone())],
            "tasks/get" => vec![act.clone()],
            _ => Vec::new(),
        });
        let stage = Stage::of(&remote).await;
        let begin = Instant::now();
        let outcome = told(&stage.work().await);
        assert!(
            outcome.starts_with(expected) || outcome.contains("can't be found out"),
            "{outcome}"
        );
        assert!(
            begin.elapsed() > least && begin.elapsed() < 700 * SECOND,
            "{:?}",
            begin.elapsed()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_poll_after_a_long_interval_is_repeated() {
    // The interval is longer than the time for which a server may be away.
    for (bad, polls) in [
        (Act::Status(503, ""), 2),
        (Act::Result(json!({"resultType": "complete"})), 2),
    ] {
        let remote = polled(move |before| {
            vec![match before {
                0 => working(900_000),
                1 => bad.clone(),
                _ => Act::Result(completed("t", "done")),
            }]
        });
        let stage = Stage::of(&remote).await;
        assert_eq!(told(&stage.work().await), "done");
        assert_eq!(remote.of("tasks/get").len(), polls + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_has_a_hard_maximum_at_which_it_is_cancelled() {
    let remote = polled(|_| vec![working(1_000)]);
    let stage = Stage::with(McpClient::builder(remote.streams()).task_timeout(600 * SECOND)).await;
    let begin = Instant::now();
    let outcome = told(&stage.work().await);
    assert!(
        outcome.starts_with("timeout: the server's task did not end within 600s"),
        "{outcome}"
    );
    assert_eq!(begin.elapsed().as_secs(), 600);
    remote.until("tasks/cancel", 1).await;
}

#[tokio::test(start_paused = true)]
async fn the_status_message_is_the_progress_of_the_task() {
    let remote = polled(|before| {
        let message = format!("step {}", before / 10);
        vec![Act::Result(with(
            state("t", "working"),
            json!({"statusMessage": message, "pollIntervalMs": 1_000}),
        ))]
    });
    let stage = Stage::of(&remote).await;
    let call = stage.call("work", json!({}));
    sleep(25 * SECOND).await;
    assert_eq!(call.snapshot().progress.unwrap().message, "step 2");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_task_is_cancelled_by_its_id_even_if_the_server_is_busy() {
    for busy in [0, 3] {
        let remote = Remote::new(move |seen, before| match &*seen.method {
            "tools/call" => vec![Act::Result(created("t"))],
            "tasks/get" => vec![working(1_000)],
            // The server is away: the connection ends.
            "tasks/cancel" if before < busy => vec![Act::Dies],
            _ => Vec::new(),
        });
        let stage = Stage::of(&remote).await;
        let call = stage.call("work", json!({}));
        sleep(10 * SECOND).await;
        let begin = Instant::now();
        call.cancel("not wanted any more");
        let outcome = call.outcome().await;
        assert!(matches!(outcome.outcome, TaskOutcome::Cancelled(_)), "{outcome:?}");
        assert!(begin.elapsed() <= 2 * SECOND, "{:?}", begin.elapsed());
        remote.until("tasks/cancel", busy + 1).await;
        sleep(60 * SECOND).await;
        assert_eq!(remote.of("tasks/cancel").len(), busy + 1);
        assert!(remote.of("notifications/cancelled").is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ended_before_its_cancellation_has_its_result() {
    let remote = polled(|before| {
        vec![if before < 3 {
            working(1_000)
        } else {
            Act::Result(completed("t", "done"))
        }]
    });
    let stage = Stage::of(&remote).await;
    let call = stage.call("work", json!({}));
    remote.until("tasks/get", 3).await;
    sleep(10 * MS).await;
    call.cancel("not wanted any more");
    assert_eq!(told(&call.outcome().await.outcome), "done");
    assert_eq!(remote.of("tasks/cancel").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn many_tasks_are_followed_at_the_same_time() {
    let remote = Remote::new(|seen, before| match &*seen.method {
        "tools/call" if before % 2 == 0 => vec![Act::Result(created(&format!("t{before}")))],
        "tools/call" => vec![Act::Waits(SECOND), Act::Result(text(&format!("c{before}")))],
        "tasks/get" => {
            let id = seen.params()["taskId"].as_str().unwrap();
            vec![Act::Result(if before < 500 {
                state(id, "working")
            } else {
                completed(id, id)
            })]
        }
        _ => Vec::new(),
    });
    let stage = Stage::of(&remote).await;
    let calls: Vec<_> = (0..60)
        .map(|number| stage.call("work", json!({"number": number})))
        .collect();
    let mut outcomes = Vec::new();
    for call in calls {
        outcomes.push(told(&call.outcome().await.outcome));
    }
    outcomes.sort();
    outcomes.dedup();
    assert_eq!(outcomes.len(), 60, "{outcomes:?}");
}
