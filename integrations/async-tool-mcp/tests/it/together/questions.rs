//! Questions of the server's tools, put to the host of the client.

use async_tool_runtime::{TaskEvent, TaskOutcome, tool::InputRequest};
use serde_json::{Value, json};

use super::{
    Stage,
    place::{Place, WIRES},
    within,
};

/// Calls a tool, and answers its questions in their order; `None` refuses. Returns the questions and the outcome.
async fn answered(
    stage: &Stage,
    tool: &str,
    arguments: Value,
    answers: &[Option<Value>],
) -> (Vec<String>, TaskOutcome) {
    let mut events = stage.manager.events();
    let task = stage.call(tool, arguments);
    let mut asked = Vec::new();
    let talk = async {
        loop {
            let event = tokio::select! {
                result = task.outcome() => return result.outcome.clone(),
                event = events.next() => event.unwrap(),
            };
            let TaskEvent::InputRequired(snapshot) = event else {
                continue;
            };
            let Some(InputRequest::Input { prompt, .. }) = snapshot.request else {
                continue;
            };
            match answers.get(asked.len()).cloned().flatten() {
                Some(answer) => stage.manager.answer(task.id(), answer).unwrap(),
                None => stage.manager.refuse(task.id(), "not now").unwrap(),
            }
            asked.push(prompt);
        }
    };
    let outcome = within(talk).await;
    (asked, outcome)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_of_a_remote_tool_is_asked_here_once() {
    for wire in WIRES {
        let place = Place::start(wire).await;
        let stage = Stage::of(&place).await;
        let (asked, outcome) = answered(&stage, "asks", json!({}), &[Some(json!({"size": "large"}))]).await;
        assert_eq!((asked.len(), &*asked[0]), (1, "Which size?"), "{wire:?}");
        assert_eq!(outcome.value(), Some(&json!("size large")), "{wire:?}: {outcome:?}");

        let answers = [Some(json!({"answer": "one"})), Some(json!({"answer": "two"}))];
        let (asked, outcome) = answered(&stage, "asks_twice", json!({}), &answers).await;
        assert_eq!(asked, ["First?", "Second?"], "{wire:?}");
        assert_eq!(outcome.value(), Some(&json!("one and two")), "{wire:?}: {outcome:?}");

        let (asked, outcome) = answered(&stage, "asks", json!({}), &[None]).await;
        assert_eq!(asked.len(), 1, "{wire:?}");
        assert!(matches!(outcome, TaskOutcome::Failed(_)), "{wire:?}: {outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_approval_of_a_remote_call_is_asked_here() {
    for wire in WIRES {
        let place = Place::start(wire).await;
        let stage = Stage::of(&place).await;
        let (asked, outcome) = answered(&stage, "pays", json!({"amount": 5}), &[Some(json!({"approve": true}))]).await;
        assert!(
            asked[0].contains("pays") && asked[0].contains('5'),
            "{wire:?}: {asked:?}"
        );
        assert_eq!(outcome.value(), Some(&json!("paid 5")), "{wire:?}: {outcome:?}");
        let (_, outcome) = answered(&stage, "pays", json!({"amount": 6}), &[Some(json!({"approve": false}))]).await;
        assert!(matches!(outcome, TaskOutcome::Failed(_)), "{wire:?}: {outcome:?}");
    }
}
