//! Questions of a server, which the host answers.

use async_tool_runtime::{TaskStatus, manager::TaskHandle, tool::InputRequest};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    SECOND, Stage,
    remote::{Act, Remote, completed, created, state, text, with},
    told, until,
};

fn form(message: &str) -> Value {
    json!({"method": "elicitation/create", "params": {
        "mode": "form", "message": message,
        "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    }})
}

fn asks(keys: &[&str]) -> Act {
    let requests: serde_json::Map<_, _> = keys.iter().map(|key| ((*key).to_owned(), form(key))).collect();
    Act::Result(with(state("t", "input_required"), json!({"inputRequests": requests})))
}

/// Prompt of the open question.
async fn asked(call: &TaskHandle) -> String {
    until(|| call.status() == TaskStatus::InputRequired).await;
    match call.snapshot().request {
        Some(InputRequest::Input { prompt, .. }) => prompt,
        other => panic!("{other:?}"),
    }
}

async fn answer(stage: &Stage, call: &TaskHandle, prompt: &str, name: &str) {
    loop {
        if asked(call).await == prompt {
            break;
        }
        sleep(SECOND / 100).await;
    }
    stage.manager.answer(call.id(), json!({"name": name})).unwrap();
}

#[tokio::test(start_paused = true)]
async fn each_key_is_asked_once_however_often_the_server_repeats_it() {
    // It shows both keys for 40 polls, whatever was answered; then one more; then it is done.
    let remote = Remote::new(|seen, before| match &*seen.method {
        "tools/call" => vec![Act::Result(created("t"))],
        "tasks/get" => vec![match before {
            0..40 => asks(&["a", "b"]),
            40..60 => asks(&["a", "b", "c"]),
            _ => Act::Result(completed("t", "done")),
        }],
        _ => Vec::new(),
    });
    let stage = Stage::of(&remote).await;
    let call = stage.call("work", json!({}));
    answer(&stage, &call, "a", "Ada").await;
    answer(&stage, &call, "b", "Bob").await;
    until(|| call.status() != TaskStatus::InputRequired).await;
    answer(&stage, &call, "c", "Cy").await;
    assert_eq!(told(&call.outcome().await.outcome), "done");
    let answers: Vec<_> = remote
        .of("tasks/update")
        .iter()
        .map(|seen| seen.params()["inputResponses"].clone())
        .collect();
    let accepted = |name| json!({"action": "accept", "content": {"name": name}});
    assert_eq!(
        answers,
        [
            json!({"a": accepted("Ada")}),
            json!({"b": accepted("Bob")}),
            json!({"c": accepted("Cy")})
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_question_that_the_server_takes_back_is_withdrawn() {
    for (later, expected) in [
        (vec![Act::Result(completed("t", "done"))], "done"),
        (
            vec![Act::Result(state("t", "cancelled"))],
            "cancelled: the server has cancelled the task",
        ),
    ] {
        let remote = Remote::new(move |seen, before| match &*seen.method {
            "tools/call" => vec![Act::Result(created("t"))],
            "tasks/get" => match before {
                0..10 => vec![asks(&["a"])],
                10..20 => vec![Act::Result(state("t", "working"))],
                20..30 => vec![asks(&["b"])],
                _ => later.clone(),
            },
            _ => Vec::new(),
        });
        let stage = Stage::of(&remote).await;
        let call = stage.call("work", json!({}));
        assert_eq!(asked(&call).await, "a");
        until(|| call.status() == TaskStatus::Running).await;
        assert!(stage.manager.answer(call.id(), json!({"name": "late"})).is_err());
        assert_eq!(asked(&call).await, "b");
        assert_eq!(told(&call.outcome().await.outcome), expected);
        assert!(remote.of("tasks/update").is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_reaches_a_server_that_was_away_without_a_second_question() {
    for bad in [
        Act::Dies,
        Act::Error(-32603, "another process runs the task; ask again"),
    ] {
        let remote = Remote::new(move |seen, before| match &*seen.method {
            "tools/call" => vec![Act::Result(created("t"))],
            "tasks/get" if before < 100 => vec![asks(&["a"])],
            "tasks/get" => vec![Act::Result(completed("t", "done"))],
            "tasks/update" if before < 3 => vec![bad.clone()],
            _ => Vec::new(),
        });
        let stage = Stage::of(&remote).await;
        let call = stage.call("work", json!({}));
        answer(&stage, &call, "a", "Ada").await;
        assert_eq!(told(&call.outcome().await.outcome), "done");
        let updates = remote.of("tasks/update");
        assert_eq!(updates.len(), 4);
        let first = &updates[0].params()["inputResponses"];
        assert!(updates.iter().all(|seen| seen.params()["inputResponses"] == *first));
    }
}

#[tokio::test(start_paused = true)]
async fn people_may_refuse_and_a_url_is_opened_elsewhere() {
    let url = json!({"method": "elicitation/create", "params": {"mode": "url", "message": "Sign in.", "url": "https://id.example/x"}});
    for (request, answer, expected) in [
        (form("a"), None, json!({"action": "decline"})),
        (url.clone(), Some(json!(true)), json!({"action": "accept"})),
        (url.clone(), Some(json!(false)), json!({"action": "decline"})),
        (url, None, json!({"action": "decline"})),
    ] {
        let requests = json!({"inputRequests": {"a": request}});
        let remote = Remote::new(move |seen, before| match &*seen.method {
            "tools/call" => vec![Act::Result(created("t"))],
            "tasks/get" if before < 30 => vec![Act::Result(with(state("t", "input_required"), requests.clone()))],
            "tasks/get" => vec![Act::Result(completed("t", "done"))],
            _ => Vec::new(),
        });
        let stage = Stage::of(&remote).await;
        let call = stage.call("work", json!({}));
        let prompt = asked(&call).await;
        assert!(prompt == "a" || prompt.contains("https://id.example/x"), "{prompt}");
        match answer {
            Some(answer) => stage.manager.answer(call.id(), answer).unwrap(),
            None => stage.manager.refuse(call.id(), "no").unwrap(),
        }
        remote.until("tasks/update", 1).await;
        assert_eq!(remote.of("tasks/update")[0].params()["inputResponses"]["a"], expected);
        assert_eq!(told(&call.outcome().await.outcome), "done");
    }
}

#[tokio::test(start_paused = true)]
async fn a_kind_of_request_that_was_not_declared_ends_the_task() {
    let sampling = json!({"inputRequests": {"a": {"method": "sampling/createMessage", "params": {}}}});
    let remote = Remote::new(move |seen, _| match &*seen.method {
        "tools/call" => vec![Act::Result(created("t"))],
        "tasks/get" => vec![Act::Result(with(state("t", "input_required"), sampling.clone()))],
        _ => Vec::new(),
    });
    let outcome = told(&Stage::of(&remote).await.work().await);
    assert!(
        outcome.starts_with("failed: the server asks for `sampling/createMessage`"),
        "{outcome}"
    );
    remote.until("tasks/cancel", 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_may_ask_before_it_begins() {
    for ends_as_task in [false, true] {
        let remote = Remote::new(move |seen, before| match (&*seen.method, before) {
            ("tools/call", 0) => vec![Act::Result(json!({
                "resultType": "input_required", "inputRequests": {"a": form("a")}, "requestState": "opaque",
            }))],
            // Busy: it asks for nothing but a repetition.
            ("tools/call", 1) => vec![Act::Result(
                json!({"resultType": "input_required", "requestState": "more opaque"}),
            )],
            ("tools/call", 2) => vec![Act::Result(
                json!({"resultType": "input_required", "inputRequests": {"b": form("b")}}),
            )],
            ("tools/call", _) if ends_as_task => vec![Act::Result(created("t"))],
            ("tools/call", _) => vec![Act::Result(text("done"))],
            ("tasks/get", _) => vec![Act::Result(completed("t", "done"))],
            _ => Vec::new(),
        });
        let stage = Stage::of(&remote).await;
        let call = stage.call("work", json!({"city": "Ulm"}));
        answer(&stage, &call, "a", "Ada").await;
        until(|| remote.of("tools/call").len() == 3).await;
        answer(&stage, &call, "b", "Bob").await;
        assert_eq!(told(&call.outcome().await.outcome), "done");
        let rounds = remote.of("tools/call");
        let accepted = |name| json!({"action": "accept", "content": {"name": name}});
        for (round, (responses, state)) in rounds.iter().zip([
            (Value::Null, Value::Null),
            (json!({"a": accepted("Ada")}), json!("opaque")),
            (Value::Null, json!("more opaque")),
            (json!({"b": accepted("Bob")}), Value::Null),
        ]) {
            assert_eq!(
                (&round.params()["inputResponses"], &round.params()["requestState"]),
                (&responses, &state)
            );
            assert_eq!(round.params()["arguments"], json!({"city": "Ulm"}));
        }
        // Each round is a request of its own.
        let mut ids: Vec<_> = rounds.iter().map(|round| round.message["id"].to_string()).collect();
        ids.dedup();
        assert_eq!(ids.len(), 4);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_stops_asking_is_left() {
    let remote = Remote::new(|seen, _| match &*seen.method {
        "tools/call" => vec![Act::Result(
            json!({"resultType": "input_required", "requestState": "again"}),
        )],
        _ => Vec::new(),
    });
    let outcome = told(&Stage::of(&remote).await.work().await);
    assert_eq!(outcome, "failed: the server has asked 10 times and still not begun");
    assert_eq!(remote.of("tools/call").len(), 11);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_question_cancels_the_task() {
    let remote = Remote::new(|seen, _| match &*seen.method {
        "tools/call" => vec![Act::Result(created("t"))],
        "tasks/get" => vec![asks(&["a"])],
        _ => Vec::new(),
    });
    let stage = Stage::of(&remote).await;
    let call = stage.call("work", json!({}));
    asked(&call).await;
    call.cancel("not wanted any more");
    assert!(told(&call.outcome().await.outcome).starts_with("cancelled"));
    remote.until("tasks/cancel", 1).await;
    assert!(remote.of("tasks/update").is_empty());
}
