//! Streams as a server plays them, and the calls that come out of them.

pub(super) use async_tool_genai::{GenaiModel, Provider, ToolMode};
pub(super) use async_tool_runtime::{
    Message, ToolCall, ToolDefinition,
    context::{Answer, AnswerContent},
    model::{ModelError, ModelEvent, ModelRequest, StopReason},
};
pub(super) use serde_json::{Value, json};

pub(super) use crate::{
    server::{Reply, Server, ask, request, user},
    turns::{calls, said},
    wire::findings,
};

/// A call as name and arguments.
pub(super) type Made<'a> = (&'a str, Value);

pub(super) fn to(name: &str) -> Value {
    json!({"to": name})
}

/// Events of one stream; each is a name, which may be empty, and its data.
pub(super) fn bytes(frames: &[(&str, String)], end: &str) -> String {
    let events = frames.iter().map(|(name, data)| match *name {
        "" => format!("data: {data}{end}{end}"),
        name => format!("event: {name}{end}data: {data}{end}{end}"),
    });
    events.collect()
}

/// The ways in which a stream's bytes come.
pub(super) fn replies(frames: &[(&str, String)]) -> Vec<Reply> {
    let plain = bytes(frames, "\n");
    let trimmed = plain.trim_end().to_owned();
    let mut replies = Vec::new();
    for text in [
        plain.clone(),
        format!("\u{FEFF}{plain}"),
        bytes(frames, "\r\n"),
        bytes(frames, "\r"),
        format!(": hello\n\n{trimmed}"),
    ] {
        let whole = Reply::stream("text/event-stream", text);
        replies.push(Reply {
            one_by_one: true,
            ..whole.clone()
        });
        replies.push(whole);
    }
    replies
}

pub(super) fn tools() -> Vec<ToolDefinition> {
    let schema = json!({"type": "object", "properties": {"to": {"type": "string"}}});
    ["send_mail", "delete_files", "list_files"]
        .into_iter()
        .map(|name| ToolDefinition::new(name, "Does it.", schema.clone()))
        .collect()
}

pub(super) fn with_tools(messages: Vec<Message>) -> ModelRequest {
    let mut request = request(messages);
    request.tools = tools().into();
    request
}

pub(super) async fn read(provider: Provider, reply: Reply) -> (Vec<ModelEvent>, Option<ModelError>) {
    let server = Server::start(vec![reply]).await;
    let model = server.builder(provider).build().unwrap();
    ask(&model, with_tools(vec![user("go")])).await
}

/// The calls of a turn that must have ended well, with ids of their own.
pub(super) fn made(events: &[ModelEvent], error: Option<&ModelError>, about: &str) -> Vec<(String, Value)> {
    assert!(error.is_none(), "{about}: {error:?}");
    let calls = calls(events);
    let mut ids: Vec<&str> = calls.iter().map(|call| call.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), calls.len(), "{about}: {calls:?}");
    assert!(ids.iter().all(|id| !id.is_empty()), "{about}: {calls:?}");
    let reason = match events.last() {
        Some(ModelEvent::Done(end)) => end.stop,
        other => panic!("{about}: {other:?}"),
    };
    assert_eq!(reason, StopReason::ToolCalls, "{about}");
    calls
        .iter()
        .map(|call| (call.name.to_string(), call.arguments.value().clone()))
        .collect()
}

/// Reads the stream in each way; expects these calls.
pub(super) async fn expect(provider: Provider, about: &str, frames: &[(&str, String)], expected: &[Made<'_>]) {
    let replies = replies(frames);
    let expected: Vec<(&str, &[Made<'_>])> = replies.iter().map(|_| (about, expected)).collect();
    expect_all(provider, replies.clone(), &expected).await;
}

/// Reads each reply; expects its calls. One client asks for all, because each loads all certificate authorities.
pub(super) async fn expect_all(provider: Provider, replies: Vec<Reply>, expected: &[(&str, &[Made<'_>])]) {
    let server = Server::start(replies).await;
    let model = server.builder(provider).build().unwrap();
    for (way, (about, expected)) in expected.iter().enumerate() {
        let about = format!("{provider}, {about}, way {way}");
        let (events, error) = ask(&model, with_tools(vec![user("go")])).await;
        let found = made(&events, error.as_ref(), &about);
        let found: Vec<Made<'_>> = found
            .iter()
            .map(|(name, arguments)| (name.as_str(), arguments.clone()))
            .collect();
        assert_eq!(found, *expected, "{about}: {events:?}");
    }
}

/// Answers all calls of a turn, asks again, and returns the second request's body.
pub(super) async fn answered(server: &Server, model: &GenaiModel) -> Value {
    let (events, error) = ask(model, with_tools(vec![user("go")])).await;
    assert_eq!(error, None);
    let turn = turn_of(&events);
    let told = calls(&events).iter().map(answer).collect();
    let _ = ask(model, with_tools(vec![user("go"), turn, Message::Answers(told)])).await;
    server.asked()[1].body()
}

pub(super) fn turn_of(events: &[ModelEvent]) -> Message {
    let Some(ModelEvent::Done(end)) = events.last() else {
        panic!("{events:?}")
    };
    Message::Assistant {
        text: said(events),
        calls: calls(events),
        provider: end.provider.clone(),
    }
}

pub(super) fn answer(call: &ToolCall) -> Answer {
    let report = AnswerContent::Report(json!({"done": call.arguments.value()}));
    Answer::new(call.id.clone(), call.name.clone(), report)
}
