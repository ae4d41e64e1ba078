//! Calls of all kinds of tools.

use std::time::Duration;

use async_tool_runtime::{TaskEvent, TaskOutcome, ToolErrorKind};
use serde_json::json;

use super::{
    Stage,
    place::{Place, WIRES},
    until, within,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_tool_has_its_outcome() {
    for wire in WIRES {
        let place = Place::start(wire).await;
        let stage = Stage::of(&place).await;
        assert_eq!(stage.client.server().unwrap().protocol, "2026-07-28");
        for (tool, arguments, expected) in [
            ("slow", json!({"ms": 120}), json!("slow 120")),
            ("plain", json!({"ms": 120}), json!("plain 120")),
            ("must", json!({}), json!("as a task")),
            ("survey", json!({}), json!({"people": 7, "happy": 0.5})),
        ] {
            let outcome = stage.outcome(tool, arguments).await;
            assert_eq!(outcome.value(), Some(&expected), "{wire:?} {tool}: {outcome:?}");
        }
        for (tool, kind, text) in [
            ("fails", ToolErrorKind::Failed, "no such file"),
            ("panics", ToolErrorKind::Failed, "crashed"),
        ] {
            match stage.outcome(tool, json!({})).await {
                TaskOutcome::Failed(error) => {
                    assert_eq!(error.kind(), kind, "{wire:?} {tool}: {error}");
                    assert!(error.model_message().contains(text), "{wire:?} {tool}: {error}");
                }
                other => panic!("{wire:?} {tool}: {other:?}"),
            }
        }
        match stage.outcome("slow", json!({"ms": "soon"})).await {
            TaskOutcome::Failed(_) => {}
            other => panic!("{wire:?}: {other:?}"),
        }
        assert_eq!((place.counts.of("slow"), place.counts.of("plain")), (1, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_comes_through_whole() {
    for wire in WIRES {
        let place = Place::start(wire).await;
        let stage = Stage::of(&place).await;
        let task = stage.call("photo", json!({}));
        let result = within(task.outcome()).await;
        assert_eq!(result.media.len(), 1, "{wire:?}: {:?}", result.outcome);
        assert_eq!(result.media[0].as_bytes().unwrap().len(), 20_000);
        let whole = result.whole_value().unwrap();
        assert_eq!((&whole[0], &whole[2]), (&json!("the harbour: "), &json!(" at noon")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_words_of_a_tool_are_the_progress_of_the_task() {
    for wire in WIRES {
        let place = Place::start(wire).await;
        let stage = Stage::of(&place).await;
        for tool in ["slow", "plain"] {
            let mut events = stage.manager.events();
            let task = stage.call(tool, json!({"ms": 500}));
            let told = async {
                loop {
                    if let Some(TaskEvent::Progressed(snapshot)) = events.next().await
                        && snapshot.progress.is_some_and(|progress| progress.message == "half way")
                    {
                        return;
                    }
                }
            };
            within(told).await;
            assert!(within(task.outcome()).await.outcome.is_completed(), "{wire:?} {tool}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_run_beside_each_other_and_end_in_any_order() {
    for wire in WIRES {
        let place = Place::start(wire).await;
        let stage = Stage::of(&place).await;
        let calls: Vec<_> = (0..40)
            .map(|number| {
                let ms = 400 - 10 * number;
                (
                    ms,
                    stage.call(if number % 2 == 0 { "slow" } else { "plain" }, json!({"ms": ms})),
                )
            })
            .collect();
        for (ms, task) in calls {
            let result = within(task.outcome()).await;
            let text = result.outcome.value().unwrap().as_str().unwrap().to_owned();
            assert!(text.ends_with(&format!(" {ms}")), "{wire:?}: {text}");
        }
        assert_eq!(
            (place.counts.of("slow"), place.counts.of("plain")),
            (20, 20),
            "{wire:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_call_stops_the_tool_of_the_server() {
    for wire in WIRES {
        let place = Place::start(wire).await;
        let stage = Stage::of(&place).await;
        for tool in ["slow", "plain"] {
            let task = stage.call(tool, json!({"ms": 60_000}));
            until(tool, || place.counts.of(tool) == 1).await;
            task.cancel("the user has changed their mind");
            let outcome = within(task.outcome()).await.outcome.clone();
            assert!(
                matches!(outcome, TaskOutcome::Cancelled(_)),
                "{wire:?} {tool}: {outcome:?}"
            );
            until("the stop", || place.counts.of(&format!("{tool} stopped")) == 1).await;
        }
    }
}

/// A caller with tasks needs no hand-off, and a tool without one is never handed off, however long it takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_handed_off_to_this_client() {
    for wire in WIRES {
        let place = Place::start(wire).await;
        let stage = Stage::of(&place).await;
        let outcome = stage.outcome("long", json!({"ms": 700})).await;
        assert_eq!(outcome.value(), Some(&json!("long")), "{wire:?}: {outcome:?}");
        let begun = std::time::Instant::now();
        let outcome = stage.outcome("plain", json!({"ms": 700})).await;
        assert_eq!(outcome.value(), Some(&json!("plain 700")), "{wire:?}: {outcome:?}");
        assert!(begun.elapsed() >= Duration::from_millis(700));
        assert_eq!(place.counts.of("long"), 1);
    }
}
