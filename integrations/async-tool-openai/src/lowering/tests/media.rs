//! Images and files in items.

use std::sync::Arc;

use async_tool_runtime::{
    AsyncTaskResult, SessionId, TaskNo, TaskOutcome, TaskStatus, ToolCall,
    content::{Content, Media, MediaRule},
    task::{TaskSpec, Timing},
};

use super::super::*;

const RULES: Rules = Rules {
    native: true,
    max_open: 8,
    ttl: Duration::from_secs(60),
    now: Timestamp::from_millis(0),
    media: MediaRules::of(&[
        MediaRule::new("image/png").in_results(true),
        MediaRule::new("application/pdf").in_results(true),
    ]),
};
const TEXT_ONLY: Rules = Rules {
    media: MediaRules::NONE,
    ..RULES
};

fn png() -> Media {
    Media::bytes("image/png", *b"foobar").with_name("a.png")
}

fn image() -> Value {
    json!({"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,Zm9vYmFy"})
}

#[test]
fn a_message_has_its_images_and_files_in_their_places() {
    let link = Media::url("application/pdf", "https://example.org/a.pdf");
    let file = Media::bytes("application/pdf", *b"foo");
    let said = Content::from("Compare").with(png()).with("with").with(link).with(file);
    let message = Message::user(said);
    let content = json!([
        {"type": "input_text", "text": "Compare"},
        image(),
        {"type": "input_text", "text": "with"},
        {"type": "input_file", "file_url": "https://example.org/a.pdf"},
        {"type": "input_file", "filename": "file.pdf", "file_data": "data:application/pdf;base64,Zm9v"},
    ]);
    let input = lower(&[Arc::new(message)], &RULES);
    assert_eq!(input, [json!({"type": "message", "role": "user", "content": content})]);
}

/// A call of the first task, its acknowledgement, and its result.
fn drawn() -> (Message, Answer, Arc<AsyncTaskResult>) {
    let call = ToolCall::new("id_a", "draw", json!({}));
    let spec = TaskSpec::new(SessionId::new("s"), call.clone()).with_number(TaskNo::new(1));
    let now = Timestamp::from_millis(0);
    let outcome = TaskOutcome::Completed(json!([png()]));
    let result = Arc::new(AsyncTaskResult::new(&spec, outcome, Timing::new(now, None, now), 1));
    let ack = TaskAck::new(spec.task, spec.number, "draw", json!({}).into(), TaskStatus::Running);
    let ack = Answer::new(call.id.clone(), "draw", AnswerContent::Ack(ack));
    let turn = Message::Assistant {
        text: String::new(),
        calls: vec![call],
        provider: None,
    };
    (turn, ack, result)
}

#[test]
fn the_output_of_a_call_has_its_image() {
    let (turn, ack, result) = drawn();
    let answer = Answer::new(ack.call, "draw", AnswerContent::Result(result));
    let messages = [Arc::new(turn), Arc::new(Message::Answers(vec![answer]))];
    let input = lower(&messages, &RULES);
    assert_eq!(input[1]["output"][0]["type"], "input_text");
    assert_eq!(input[1]["output"][1], image());
    let input = lower(&messages, &TEXT_ONLY);
    let text = input[1]["output"].as_str().unwrap();
    assert!(
        text.ends_with("\n[image \"a.png\": image/png, 6 bytes; it can't be shown to you]"),
        "{text}"
    );
}

#[test]
fn the_report_of_a_wait_has_the_images_of_its_results() {
    let (turn, ack, _) = drawn();
    let call = ToolCall::new("id_b", "task", json!({"action": "wait", "tasks": ["t1"]}));
    let wait = Message::Assistant {
        text: String::new(),
        calls: vec![call.clone()],
        provider: None,
    };
    let row = json!({"task": "t1", "tool": "draw", "status": "completed", "elapsed_ms": 5, "result": "drawn"});
    let report = Answer::new(call.id, "task", AnswerContent::Report(json!({"tasks": [row]})));
    let messages = [
        Arc::new(turn),
        Arc::new(Message::Answers(vec![ack])),
        Arc::new(wait),
        Arc::new(Message::Answers(vec![report.with_media(vec![png()])])),
    ];
    for native in [true, false] {
        let input = lower(&messages, &Rules { native, ..RULES });
        let last = input.last().unwrap();
        assert_eq!(last["call_id"], "id_b", "{input:?}");
        assert_eq!(last["output"][1], image());
    }
}

#[test]
fn a_late_image_is_the_output_of_its_open_call_or_in_the_message() {
    let (turn, ack, result) = drawn();
    let delivery = Message::Delivery {
        tasks: vec![TaskNo::new(1)],
        text: "Results that came later.\n{\"task\":\"t1\"}".to_owned(),
        results: vec![result],
    };
    let open = [
        Arc::new(turn),
        Arc::new(Message::Answers(vec![ack])),
        Arc::new(delivery),
    ];
    let input = lower(&open, &RULES);
    let output = input
        .iter()
        .find(|item| item["type"] == "function_call_output")
        .unwrap();
    assert_eq!(output["output"][1], image());
    let rules = Rules { native: false, ..RULES };
    let input = lower(&open, &rules);
    let content = &input.last().unwrap()["content"];
    assert_eq!(content[1], image());
    assert!(
        content[0]["text"]
            .as_str()
            .unwrap()
            .ends_with("\nOutput of the tool of t1, media 1:"),
        "{content}"
    );
}
