//! The JSON of events.

use std::collections::BTreeSet;

use async_tool_runtime::{AgentEvent, task::TaskEvent};
use expect_test::{ExpectFile, expect_file};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

const TASK: &str = "0190163d-8694-739b-aea5-966c26f8ad91";

fn result() -> Value {
    json!({
        "task": TASK, "number": "t3", "session": "main", "call": "call_1", "tool": "add", "arguments": {"a": 2.5},
        "outcome": {"status": "completed", "value": [1, null, 18_446_744_073_709_551_615_u64]},
        "timing": {"accepted": 1_000, "started": null, "settled": 1_001}, "attempts": 1,
    })
}

/// Media of every source.
fn media() -> [Value; 4] {
    [
        json!({"$media": {"type": "image/png", "name": "a.png", "data": "Zm9v"}}),
        json!({"$media": {"type": "image/png", "url": "https://example.org/a.png"}}),
        json!({"$media": {"type": "audio/wav", "blob": "0af3", "bytes": 9_000}}),
        json!({"$media": {"type": "application/pdf", "bytes": 7}}),
    ]
}

fn failed() -> Value {
    let mut failed = result();
    failed["outcome"] = json!({"status": "failed", "value": {
        "kind": "unavailable", "message": "no", "retry_after": {"secs": 3, "nanos": 0},
    }});
    failed["parent"] = json!(TASK);
    failed["preview"] = json!({"text": "n", "bytes": 2, "handle": "t3"});
    failed["redacted"] = json!(true);
    failed["traceparent"] = json!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    failed["media"] = json!(media());
    failed
}

fn call() -> Value {
    json!({"id": "call_1", "name": "add", "arguments": {"a": 2, "b": [true, "three"]}})
}

fn usage() -> Value {
    json!({"input": 100, "cached": 0, "output": 20, "reasoning": 5})
}

/// Each cause of a wait.
fn waits() -> Vec<Value> {
    let task = json!({"task": TASK, "number": "t3", "session": "main", "tool": "add"});
    let child = json!({"task": TASK, "number": null, "session": "main", "tool": "add"});
    vec![
        json!({"kind": "slot"}),
        json!({"kind": "rate", "until": 2_000}),
        json!({"kind": "retry", "at": 2_000}),
        json!({"kind": "resource", "held_by": [task, child]}),
        json!({"kind": "result", "of": [task]}),
        json!({"kind": "agent", "session": "helper"}),
        json!({"kind": "consent"}),
        json!({"kind": "input"}),
        json!({"kind": "outside", "until": 2_000}),
        json!({"kind": "outside"}),
        json!({"kind": "worker"}),
    ]
}

/// Each kind of an agent's event, without its time.
fn agent_events() -> Vec<Value> {
    let model_error = json!({
        "message": "the server is busy", "retryable": true, "retry_after": {"secs": 1, "nanos": 5}, "too_long": true,
    });
    let waits = waits().into_iter();
    let waits = waits.map(|cause| json!({"event": "waits", "number": "t3", "waits_for": cause}));
    let others = vec![
        json!({"event": "opened", "id": "1.0"}),
        json!({"event": "resumed", "id": "2.0"}),
        json!({"event": "user_message", "id": "3.0", "text": "hello"}),
        json!({"event": "user_message", "id": "3.0", "text": "hello", "media": media().map(|media| json!({"at": 2, "media": media}))}),
        json!({"event": "turn_started", "id": "4.0", "turn": 1, "cause": "user"}),
        json!({"event": "text", "turn": 1, "text": "he"}),
        json!({"event": "reasoning", "turn": 1, "text": "hm"}),
        json!({"event": "turn_so_far", "turn": 1, "text": "he", "reasoning": "hm"}),
        json!({"event": "called", "id": "5.0", "turn": 1, "number": "t3", "task": TASK, "call": call()}),
        json!({"event": "call_refused", "call": call(), "reason": "another call has the same id"}),
        json!({"event": "corrected", "id": "6.0", "turn": 1, "cuts": 2}),
        json!({"event": "turn_ended", "id": "6.1", "turn": 1, "text": "hello", "usage": usage()}),
        json!({"event": "turn_empty", "turn": 1}),
        json!({"event": "turn_interrupted", "id": "7.0", "turn": 1, "text": "hello,", "cause": {"kind": "result", "task": "t3"}}),
        json!({"event": "turn_interrupted", "id": "7.0", "turn": 1, "text": "", "cause": {"kind": "host"}}),
        json!({"event": "turn_interrupted", "id": "7.0", "turn": 1, "text": "", "cause": {"kind": "message"}}),
        json!({"event": "halted", "id": "7.1"}),
        json!({"event": "turn_withdrawn", "id": "7.0", "turn": 1, "cause": "result"}),
        json!({"event": "turn_withdrawn", "id": "7.0", "turn": 1, "cause": "user_message"}),
        json!({"event": "turn_ended", "id": "6.0", "turn": 1, "text": "21.5", "usage": usage(), "ungrounded": ["21.5"]}),
        json!({"event": "turn_failed", "id": "8.0", "turn": 1, "error": "the server is busy"}),
        json!({"event": "model_failed", "turn": 1, "error": model_error, "retry_at": 2_000}),
        json!({"event": "model_failed", "turn": 1, "error": {"message": "no key", "retryable": false}}),
        json!({"event": "acknowledged", "id": "9.0", "number": "t3"}),
        json!({"event": "answered", "id": "9.1", "number": "t3"}),
        json!({"event": "started", "number": "t3"}),
        json!({"event": "progressed", "number": "t3", "report": {"fraction": 0.25, "message": "reading"}}),
        json!({"event": "progressed", "number": "t3", "report": {"fraction": null, "message": "", "output": {"a": 1}}}),
        json!({"event": "input_required", "id": "10.0", "number": "t3", "asking": TASK,
            "request": {"kind": "approval", "arguments": {"a": 1}}}),
        json!({"event": "input_required", "number": "t3", "asking": TASK,
            "request": {"kind": "input", "prompt": "Which?", "schema": {"type": "string"}}}),
        json!({"event": "input_required", "number": "t3", "asking": TASK}),
        json!({"event": "deferred", "id": "11.0", "number": "t3", "until": 5_000}),
        json!({"event": "deferred", "id": "11.0", "number": "t3"}),
        json!({"event": "resubmitted", "id": "12.0", "number": "t3", "attempt": 2}),
        json!({"event": "settled", "id": "13.0", "number": "t3", "result": result()}),
        json!({"event": "settled", "id": "13.0", "number": "t3", "result": failed()}),
        json!({"event": "delivered", "id": "14.0", "tasks": ["t3", "t4"]}),
        json!({"event": "dropped", "id": "15.0", "tasks": ["t3"], "reason": "the session was closed"}),
        json!({"event": "cancel_requested", "id": "16.0", "number": "t3", "reason": "enough"}),
        json!({"event": "delivery_set", "id": "17.0", "number": "t3", "policy": "when_idle"}),
        json!({"event": "grouped", "id": "18.0", "name": "race", "tasks": ["t3"], "join": "first_ok"}),
        json!({"event": "grouped", "id": "18.0", "name": "race", "tasks": [], "join": {"quorum": 2}}),
        json!({"event": "pruned", "id": "19.0",
            "pruned": {"collapsed": 4, "dropped": 2, "status": "t3 runs", "cuts": [{"message": 1, "bytes": 100}]}}),
        json!({"event": "limit_reached", "limit": {"turns": 100}}),
        json!({"event": "limit_reached", "limit": {"tool_calls": 100}}),
        json!({"event": "limit_reached", "limit": {"tokens": 100}}),
        json!({"event": "draining", "id": "20.0", "until": 9_000}),
        json!({"event": "detached", "id": "21.0", "tasks": ["t3"]}),
        json!({"event": "closing", "id": "22.0"}),
        json!({"event": "closed", "id": "23.0"}),
        json!({"event": "left"}),
        json!({"event": "journal_failed", "reason": "the disk is full"}),
        json!({"event": "stopped", "reason": "a part of the agent panicked"}),
        json!({"event": "defect", "reason": "a second end"}),
        json!({"event": "missed", "events": 7}),
        json!({"event": "unreadable", "reason": "the disk is gone"}),
        json!({"event": "waits", "number": "t3"}),
    ];
    others.into_iter().chain(waits).collect()
}

/// Each kind of a manager's event.
fn task_events() -> Vec<Value> {
    let snapshot = |event: &str| {
        json!({
            "event": event, "task": TASK, "number": "t3", "session": "main", "tool": "add", "at": 1_002, "status": "running",
            "accepted": 1_000, "started": 1_001, "attempts": 1, "deferred": false,
        })
    };
    let with = |mut event: Value, name: &str, value: Value| {
        event[name] = value;
        event
    };
    let mut one = snapshot("accepted");
    one.as_object_mut().unwrap().remove("event");
    let report = json!({"fraction": 1.0, "message": "read"});
    let request = json!({"kind": "approval", "arguments": null});
    let error = json!({"kind": "unavailable", "message": "busy"});
    let attempts = json!([
        {"number": 1, "started": 1_001, "ended": 1_002, "error": error},
        {"number": 2, "started": 1_003},
    ]);
    let waits = waits().into_iter();
    let waits = waits.map(|cause| with(snapshot("waits"), "waits_for", cause));
    let others = vec![
        json!({"event": "snapshot", "tasks": [one]}),
        with(snapshot("accepted"), "parent", json!(TASK)),
        with(snapshot("started"), "number", Value::Null),
        with(snapshot("progressed"), "progress", report),
        with(snapshot("input_required"), "request", request),
        with(snapshot("waits"), "latest_attempts", attempts),
        with(result(), "event", json!("settled")),
        with(failed(), "event", json!("settled")),
    ];
    others.into_iter().chain(waits).collect()
}

/// Places of all values in a sample, except those that may be any JSON.
fn typed(value: &Value, place: &str, places: &mut Vec<String>) {
    let is_completed = value.get("status").is_some_and(|status| status == "completed");
    for (name, inner) in value.as_object().into_iter().flatten() {
        let is_free = match name.as_str() {
            "arguments" | "schema" | "output" => true,
            "value" => is_completed,
            _ => false,
        };
        if !is_free {
            let place = format!("{place}/{name}");
            typed(inner, &place, places);
            places.push(place);
        }
    }
}

fn check<T: Serialize + DeserializeOwned>(samples: Vec<Value>, mut schema: Value, file: ExpectFile) {
    // Built together with a package that turns on `preserve_order`, JSON is written in the order it was made in.
    schema.sort_all_objects();
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    file.assert_eq(&text);

    jsonschema::meta::validate(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let kinds = schema["oneOf"].as_array().unwrap().iter();
    let mut missing: BTreeSet<&str> = kinds
        .map(|kind| kind["properties"]["event"]["const"].as_str().unwrap())
        .collect();
    for sample in &samples {
        let kind = sample["event"].as_str().unwrap();
        missing.remove(kind);
        if let Err(error) = validator.validate(sample) {
            panic!("{sample} does not fit: {error}");
        }
        let event: T = serde_json::from_value(sample.clone()).unwrap_or_else(|error| panic!("{sample}: {error}"));
        assert_eq!(serde_json::to_value(&event).unwrap(), *sample);
        let text = serde_json::to_string(&event).unwrap();
        let again: T = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_value(&again).unwrap(), *sample);

        let mut places = Vec::new();
        typed(sample, "", &mut places);
        for place in places {
            let mut wrong = sample.clone();
            *wrong.pointer_mut(&place).unwrap() = json!({"not": "this"});
            assert!(!validator.is_valid(&wrong), "any value fits at `{place}` of `{kind}`");
        }
    }
    assert!(missing.is_empty(), "no sample of {missing:?}");
}

#[test]
fn each_kind_of_an_agents_event_fits_its_schema_and_comes_back_equal() {
    let mut samples = agent_events();
    for sample in &mut samples {
        sample["at"] = json!(1_782_820_800_000_u64);
    }
    let file = expect_file!["../../../../async-tool-runtime/schemas/agent_event.json"];
    check::<AgentEvent>(samples, AgentEvent::json_schema(), file);
}

#[test]
fn each_kind_of_a_tasks_event_fits_its_schema_and_comes_back_equal() {
    let file = expect_file!["../../../../async-tool-runtime/schemas/task_event.json"];
    check::<TaskEvent>(task_events(), TaskEvent::json_schema(), file);
}
