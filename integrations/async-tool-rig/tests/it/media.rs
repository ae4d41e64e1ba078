//! Images and files, as they reach a server.

use std::sync::Arc;

use async_tool_rig::{RigAgent, RigModel};
use async_tool_runtime::{
    AsyncAgent, AsyncTaskResult, Message, Model as _, SessionId, TaskOutcome, ToolCall,
    agent::AgentError,
    content::{Content, Media, MediaRule, MediaRules},
    context::{Answer, AnswerContent},
    task::{TaskSpec, Timestamp, Timing},
};
use rig_agent::AgentBuilder;
use serde_json::{Value, json};

use crate::{
    server::{Reply, Server, text},
    tools::manager,
    turns::{ask, request, user},
};

const IMAGES: MediaRules = MediaRules::of(&[MediaRule::new("image/png")]);

fn png() -> Media {
    Media::bytes("image/png", *b"foobar").with_name("a.png")
}

/// The messages of the request for a conversation.
async fn sent(model: impl FnOnce(&Server) -> RigModel, reply: Reply, messages: Vec<Message>) -> Vec<Value> {
    let server = Server::start([reply]).await;
    let (_, error) = ask(&model(&server), request(messages)).await;
    assert_eq!(error, None);
    let mut body = server.bodies().remove(0);
    serde_json::from_value(body["messages"].take()).unwrap()
}

fn chat(server: &Server) -> RigModel {
    RigModel::new(server.chat()).stream(false)
}

/// The answer of Anthropic's server to anything.
fn anthropic_reply() -> Reply {
    Reply::Error {
        status: 200,
        headers: "",
        body: json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
            "content": [{"type": "text", "text": "Fine."}], "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        })
        .to_string(),
    }
}

fn anthropic(server: &Server) -> RigModel {
    RigModel::new(server.anthropic()).stream(false)
}

fn said() -> Content {
    let pdf = Media::bytes("application/pdf", *b"foo").with_name("plan.pdf");
    Content::from("Compare").with(png()).with("with").with(pdf)
}

#[tokio::test]
async fn a_message_has_its_images_and_files_in_their_places() {
    let messages = sent(chat, text("Fine."), vec![Message::user(said())]).await;
    let expected = json!([
        {"type": "text", "text": "Compare"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,Zm9vYmFy", "detail": "auto"}},
        {"type": "text", "text": "with"},
        {"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,Zm9v"}},
    ]);
    assert_eq!(messages[0]["content"], expected);

    let messages = sent(anthropic, anthropic_reply(), vec![Message::user(said())]).await;
    let content = &messages[0]["content"];
    assert_eq!(content[0]["text"], "Compare");
    let image = json!({"type": "base64", "media_type": "image/png", "data": "Zm9vYmFy"});
    assert_eq!((&content[1]["type"], &content[1]["source"]), (&json!("image"), &image));
    let file = json!({"type": "base64", "media_type": "application/pdf", "data": "Zm9v"});
    assert_eq!(
        (&content[3]["type"], &content[3]["source"]),
        (&json!("document"), &file)
    );
}

fn answered() -> Vec<Message> {
    let call = ToolCall::new("id_a", "search", json!({"query": "bees"}));
    let spec = TaskSpec::new(SessionId::new("s"), call.clone());
    let now = Timestamp::from_millis(0);
    let sound = Media::bytes("audio/wav", *b"foo");
    let outcome = TaskOutcome::Completed(json!({"chart": png(), "sound": sound}));
    let result = Arc::new(AsyncTaskResult::new(&spec, outcome, Timing::new(now, None, now), 1));
    vec![
        user("Draw."),
        Message::Assistant {
            text: String::new(),
            calls: vec![call.clone()],
            provider: None,
        },
        Message::Answers(vec![Answer::new(call.id, "search", AnswerContent::Result(result))]),
    ]
}

#[tokio::test]
async fn a_result_has_its_image_or_the_next_message_has_it_and_other_media_are_described() {
    let note = "[audio: audio/wav, 3 bytes; it can't be shown to you]";
    // Results of Chat Completions are texts, so rig puts the image behind them.
    let messages = sent(chat, text("Fine."), answered()).await;
    let [.., told, follows] = messages.as_slice() else {
        panic!("{messages:?}")
    };
    assert_eq!((&told["role"], &follows["role"]), (&json!("tool"), &json!("user")));
    assert!(told.to_string().contains(note), "{told}");
    assert!(
        follows.to_string().contains("data:image/png;base64,Zm9vYmFy"),
        "{follows}"
    );

    let messages = sent(anthropic, anthropic_reply(), answered()).await;
    let told = &messages.last().unwrap()["content"][0];
    assert_eq!(told["type"], "tool_result");
    let parts = told["content"].as_array().unwrap();
    let image = json!({"type": "base64", "media_type": "image/png", "data": "Zm9vYmFy"});
    assert!(parts.iter().any(|part| part["source"] == image), "{told}");
    assert!(told.to_string().contains(note), "{told}");
}

#[tokio::test]
async fn models_say_what_they_take() {
    let server = Server::start([text("Fine.")]).await;
    let takes = |model: RigModel, media: &Media| model.capabilities().media.takes(media);
    let wav = Media::bytes("audio/wav", [1]);
    for model in [chat(&server), anthropic(&server)] {
        assert!(takes(model.clone(), &png()));
        assert!(!takes(model.clone(), &wav));
        assert!(!takes(model.media(MediaRules::NONE), &png()));
    }
}

#[tokio::test]
async fn an_agent_of_rigs_gets_the_images_that_it_is_said_to_take() {
    let server = Server::start([text("A bee.")]).await;
    let rig = || RigAgent::new(AgentBuilder::new(server.chat()).build()).stream(false);
    let agent = AsyncAgent::wrap(rig(), manager()).start().await.unwrap();
    let error = agent.send(png()).await.unwrap_err();
    assert!(matches!(error, AgentError::Content(_)), "{error}");
    assert!(error.to_string().ends_with("it takes text only"), "{error}");
    agent.close().await.unwrap();

    let agent = AsyncAgent::wrap(rig().media(IMAGES), manager()).start().await.unwrap();
    agent
        .run_to_completion(Content::from("Look: ").with(png()))
        .await
        .unwrap();
    agent.close().await.unwrap();
    let content = &server.bodies()[0]["messages"][0]["content"];
    assert_eq!(content[0]["text"], "Look: ");
    assert_eq!(content[1]["image_url"]["url"], "data:image/png;base64,Zm9vYmFy");
}
