//! A server that dies and comes back while a client's calls are with it.

use std::time::Duration;

use async_tool_mcp::McpEvent;
use async_tool_runtime::TaskOutcome;
use serde_json::json;
use tokio::time::sleep;

use super::{
    Stage,
    place::{Place, WIRES},
    until, within,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_outlive_the_server_by_the_effect_of_their_tools() {
    for wire in WIRES {
        let mut place = Place::kept(wire).await;
        let stage = Stage::of(&place).await;
        let (reads, orders) = (
            stage.call("slow", json!({"ms": 700})),
            stage.call("order", json!({"ms": 700})),
        );
        until("both run", || {
            (place.counts.of("slow"), place.counts.of("order")) == (1, 1)
        })
        .await;
        // Both are tasks by now, and known to the client.
        sleep(Duration::from_millis(200)).await;
        place.kill().await;
        sleep(Duration::from_millis(300)).await;
        place.begin().await;
        let outcome = within(reads.outcome()).await.outcome.clone();
        assert_eq!(outcome.value(), Some(&json!("slow 700")), "{wire:?}: {outcome:?}");
        match &within(orders.outcome()).await.outcome {
            TaskOutcome::Failed(error) => {
                assert!(
                    error.model_message().contains("interrupted by a restart"),
                    "{wire:?}: {error}"
                );
            }
            TaskOutcome::Unknown(why) => assert!(why.contains("interrupted by a restart"), "{wire:?}: {why}"),
            other => panic!("{wire:?}: {other:?}"),
        }
        assert_eq!(place.counts.of("order"), 1, "{wire:?}: it must not be done twice");
        assert_eq!(
            place.counts.of("slow"),
            2,
            "{wire:?}: resumed by the server, not called again by the client"
        );
        assert_eq!(
            stage.outcome("must", json!({})).await.value(),
            Some(&json!("as a task")),
            "{wire:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_that_was_not_fetched_yet_is_there_after_the_restart() {
    for wire in WIRES {
        let mut place = Place::kept(wire).await;
        let stage = Stage::of(&place).await;
        let orders: Vec<_> = (0..10)
            .map(|number| stage.call("order", json!({"ms": 300 + number})))
            .collect();
        until("all done", || place.counts.of("order done") == 10).await;
        // Their ends are written, and some are not fetched.
        sleep(Duration::from_millis(10)).await;
        place.kill().await;
        place.begin().await;
        for order in orders {
            let outcome = within(order.outcome()).await.outcome.clone();
            let is_lost = |why: &str| why.contains("interrupted by a restart");
            match &outcome {
                TaskOutcome::Completed(value) => assert_eq!(value, &json!("ordered"), "{wire:?}"),
                // Killed between the end of the function and its entry.
                TaskOutcome::Failed(error) => assert!(is_lost(error.model_message()), "{wire:?}: {error}"),
                TaskOutcome::Unknown(why) => assert!(is_lost(why), "{wire:?}: {why}"),
                other => panic!("{wire:?}: {other:?}"),
            }
        }
        assert_eq!(place.counts.of("order"), 10, "{wire:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ordinary_calls_end_with_what_is_known() {
    for wire in WIRES {
        let mut place = Place::start(wire).await;
        let stage = Stage::of(&place).await;
        let mut events = stage.client.events();
        let (reads, buys) = (
            stage.call("plain", json!({"ms": 400})),
            stage.call("buy", json!({"ms": 400})),
        );
        until("both run", || {
            (place.counts.of("plain"), place.counts.of("buy")) == (1, 1)
        })
        .await;
        place.kill().await;
        let outcome = within(buys.outcome()).await.outcome.clone();
        let is_unknown = match &outcome {
            TaskOutcome::Unknown(_) => true,
            TaskOutcome::Failed(error) => error.kind() == async_tool_runtime::ToolErrorKind::Unknown,
            _ => false,
        };
        assert!(is_unknown, "{wire:?}: {outcome:?}");
        // Over HTTP, a server that is back before the next request was never away.
        until("the loss", || !stage.client.is_connected()).await;
        place.begin().await;
        // The client sends it again a few times; the server may have been away for too long.
        let outcome = within(reads.outcome()).await.outcome.clone();
        assert!(
            outcome.value() == Some(&json!("plain 400")) || matches!(outcome, TaskOutcome::Failed(_)),
            "{wire:?}: {outcome:?}"
        );
        let news = async {
            let (mut lost, mut back) = (false, false);
            while !(lost && back) {
                match events.next().await.unwrap() {
                    McpEvent::Lost { .. } => lost = true,
                    McpEvent::Back { .. } => back = true,
                    _ => {}
                }
            }
        };
        within(news).await;
        assert_eq!(place.counts.of("buy"), 1, "{wire:?}");
        assert_eq!(
            stage.outcome("buy", json!({"ms": 1})).await.value(),
            Some(&json!("bought")),
            "{wire:?}"
        );
    }
}
