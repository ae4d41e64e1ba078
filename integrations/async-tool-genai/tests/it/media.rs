//! Images, sounds and files, as each provider's documentation wants them.

use std::sync::Arc;

use async_tool_genai::{GenaiModel, Provider, ToolMode};
use async_tool_runtime::{
    AsyncTaskResult, Message, Model as _, SessionId, TaskNo, TaskOutcome, ToolCall,
    content::{Content, Media},
    context::{Answer, AnswerContent},
    task::{TaskSpec, Timestamp, Timing},
};
use serde_json::{Value, json};

use crate::{
    server::{Server, ask, request},
    wire::turn,
};

const MODELS: [(Provider, &str); 6] = [
    (Provider::OpenAi, "gpt-6"),
    (Provider::OpenAiResponses, "gpt-6"),
    (Provider::Anthropic, "claude-opus-4-8"),
    (Provider::Gemini, "gemini-3-pro"),
    (Provider::Bedrock, "anthropic.claude-opus-4-8"),
    (Provider::Ollama, "gemma3"),
];

fn model(server: &Server, provider: Provider, name: &str) -> GenaiModel {
    let builder = GenaiModel::builder(format!("{provider}/{name}"));
    builder
        .base_url(&server.url)
        .api_key("test-key-1234")
        .stream(false)
        .build()
        .unwrap()
}

fn png() -> Media {
    Media::bytes("image/png", *b"foobar").with_name("a.png")
}

fn pdf() -> Media {
    Media::bytes("application/pdf", *b"foo").with_name("plan 1.pdf")
}

/// The messages of the request that is sent for this conversation.
async fn sent(provider: Provider, name: &str, messages: Vec<Message>) -> Vec<Value> {
    let server = Server::start(vec![turn(provider, false, "Fine.", &[])]).await;
    let (_, error) = ask(&model(&server, provider, name), request(messages)).await;
    assert_eq!(error, None, "{provider}");
    let key = match provider {
        Provider::OpenAiResponses => "input",
        Provider::Gemini => "contents",
        _ => "messages",
    };
    let mut body = server.asked()[0].body();
    let mut messages: Vec<Value> = serde_json::from_value(body[key].take()).unwrap();
    messages.retain(|message| message["role"] != "system");
    for message in &mut messages {
        for block in message
            .get_mut("content")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            block.as_object_mut().unwrap().remove("cache_control");
        }
    }
    messages
}

#[tokio::test]
async fn a_message_of_the_user_has_its_images_and_files_in_their_places() {
    let said = || Content::from("Compare").with(png()).with("with").with(pdf());
    for (provider, name) in MODELS {
        let messages = sent(provider, name, vec![Message::user(said())]).await;
        let expected = match provider {
            Provider::OpenAi => json!({"role": "user", "content": [
                {"type": "text", "text": "Compare"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,Zm9vYmFy"}},
                {"type": "text", "text": "with"},
                {"type": "file", "file": {"filename": "plan 1.pdf", "file_data": "data:application/pdf;base64,Zm9v"}},
            ]}),
            Provider::OpenAiResponses => json!({"role": "user", "content": [
                {"type": "input_text", "text": "Compare"},
                {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,Zm9vYmFy"},
                {"type": "input_text", "text": "with"},
                {"type": "input_file", "filename": "plan 1.pdf", "file_data": "data:application/pdf;base64,Zm9v"},
            ]}),
            Provider::Anthropic => json!({"role": "user", "content": [
                {"type": "text", "text": "Compare"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "Zm9vYmFy"}},
                {"type": "text", "text": "with"},
                {
                    "type": "document",
                    "title": "plan 1.pdf",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": "Zm9v"},
                },
            ]}),
            Provider::Gemini => json!({"role": "user", "parts": [
                {"text": "Compare"},
                {"inlineData": {"mimeType": "image/png", "data": "Zm9vYmFy"}},
                {"text": "with"},
                {"inlineData": {"mimeType": "application/pdf", "data": "Zm9v"}},
            ]}),
            Provider::Bedrock => json!({"role": "user", "content": [
                {"text": "Compare"},
                {"image": {"format": "png", "source": {"bytes": "Zm9vYmFy"}}},
                {"text": "with"},
                {"document": {"format": "pdf", "name": "plan 1 pdf", "source": {"bytes": "Zm9v"}}},
            ]}),
            // Ollama takes no files.
            _ => json!({
                "role": "user",
                "content": "Compare\n\nwith[file \"plan 1.pdf\": application/pdf, 3 bytes; it can't be shown to you]",
                "images": ["Zm9vYmFy"],
            }),
        };
        assert_eq!(messages, [expected], "{provider}");
    }
}

#[tokio::test]
async fn urls_are_sent_where_the_provider_fetches_them() {
    let photo = Media::url("image/jpeg", "https://example.org/a.jpg");
    for (provider, name) in MODELS {
        let [mut message] =
            <[Value; 1]>::try_from(sent(provider, name, vec![Message::user(photo.clone())]).await).unwrap();
        let expected = match provider {
            Provider::OpenAi => json!([{"type": "image_url", "image_url": {"url": "https://example.org/a.jpg"}}]),
            Provider::OpenAiResponses => {
                json!([{"type": "input_image", "detail": "auto", "image_url": "https://example.org/a.jpg"}])
            }
            Provider::Anthropic => {
                json!([{"type": "image", "source": {"type": "url", "url": "https://example.org/a.jpg"}}])
            }
            Provider::Gemini => {
                message["content"] = message["parts"].take();
                json!([{"fileData": {"mimeType": "image/jpeg", "fileUri": "https://example.org/a.jpg"}}])
            }
            Provider::Bedrock => {
                json!([{"text": "[image: image/jpeg, https://example.org/a.jpg; it can't be shown to you]"}])
            }
            _ => json!("[image: image/jpeg, https://example.org/a.jpg; it can't be shown to you]"),
        };
        assert_eq!(message["content"], expected, "{provider}");
    }
}

#[tokio::test]
async fn sounds_go_to_the_models_that_hear() {
    let sound = || Message::user(Media::bytes("audio/wav", *b"foo"));
    let chat = sent(Provider::OpenAi, "gpt-audio", vec![sound()]).await;
    assert_eq!(
        chat[0]["content"],
        json!([{"type": "input_audio", "input_audio": {"data": "Zm9v", "format": "wav"}}])
    );
    let gemini = sent(Provider::Gemini, "gemini-2.5-pro", vec![sound()]).await;
    assert_eq!(
        gemini[0]["parts"],
        json!([{"inlineData": {"mimeType": "audio/wav", "data": "Zm9v"}}])
    );
}

/// A call whose result has an image.
pub(crate) fn drawn() -> (ToolCall, Arc<AsyncTaskResult>) {
    let call = ToolCall::new("id_a", "search", json!({"query": "bees"}));
    let spec = TaskSpec::new(SessionId::new("s"), call.clone()).with_number(TaskNo::new(1));
    let now = Timestamp::from_millis(0);
    let outcome = TaskOutcome::Completed(json!({"chart": png()}));
    (
        call,
        Arc::new(AsyncTaskResult::new(&spec, outcome, Timing::new(now, None, now), 1)),
    )
}

fn answered() -> Vec<Message> {
    let (call, result) = drawn();
    vec![
        Message::user("Draw."),
        Message::Assistant {
            text: String::new(),
            calls: vec![call.clone()],
            provider: None,
        },
        Message::Answers(vec![Answer::new(call.id, "search", AnswerContent::Result(result))]),
    ]
}

#[tokio::test]
async fn a_result_has_its_image_where_the_provider_takes_one_there() {
    let text = r#"{"chart":{"bytes":6,"media":1,"name":"a.png","type":"image/png"}}"#;
    let note = "[image \"a.png\": image/png, 6 bytes; it is in the next message]";
    let ordered = |text: &Value| serde_json::from_str::<Value>(text.as_str().unwrap().lines().next().unwrap()).unwrap();
    let value: Value = serde_json::from_str(text).unwrap();
    for (provider, name) in MODELS {
        let mut messages = sent(provider, name, answered()).await;
        // Where results hold text only, the image follows in a message of the user.
        let follows = match provider {
            Provider::OpenAi => Some(json!({"role": "user", "content": [
                {"type": "text", "text": "Output of `search` (call id_a), media 1:"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,Zm9vYmFy"}},
            ]})),
            Provider::Ollama => Some(json!({
                "role": "user", "content": "Output of `search` (call id_a), media 1:", "images": ["Zm9vYmFy"],
            })),
            _ => None,
        };
        if let Some(follows) = follows {
            assert_eq!(messages.pop(), Some(follows), "{provider}");
        }
        let last = messages.last().unwrap();
        let (told, image) = match provider {
            Provider::OpenAiResponses => (&last["output"][0]["text"], &last["output"][1]),
            Provider::Anthropic => (
                &last["content"][0]["content"][0]["text"],
                &last["content"][0]["content"][1],
            ),
            Provider::Gemini => {
                let response = &last["parts"][0]["functionResponse"];
                (&response["response"]["content"], &response["parts"][0])
            }
            Provider::Bedrock => {
                let result = &last["content"][0]["toolResult"]["content"];
                (&result[0]["text"], &result[1])
            }
            _ => (&last["content"], &Value::Null),
        };
        let expected = match provider {
            Provider::OpenAiResponses => {
                json!({"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,Zm9vYmFy"})
            }
            Provider::Anthropic => {
                json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "Zm9vYmFy"}})
            }
            Provider::Gemini => json!({"inlineData": {"mimeType": "image/png", "data": "Zm9vYmFy"}}),
            Provider::Bedrock => json!({"image": {"format": "png", "source": {"bytes": "Zm9vYmFy"}}}),
            _ => Value::Null,
        };
        assert_eq!(*image, expected, "{provider}");
        assert_eq!(ordered(told), value, "{provider}");
        let is_noted = told.as_str().unwrap().ends_with(note);
        assert_eq!(is_noted, expected.is_null(), "{provider}: {told}");
    }
    // Gemini before 3 reads text in answers, and nothing beside them.
    let mut messages = sent(Provider::Gemini, "gemini-2.5-pro", answered()).await;
    let follows = json!({"role": "user", "parts": [
        {"text": "Output of `search` (call id_a), media 1:"},
        {"inlineData": {"mimeType": "image/png", "data": "Zm9vYmFy"}},
    ]});
    assert_eq!(messages.pop(), Some(follows));
    assert_eq!(
        messages.pop(),
        Some(json!({"role": "model", "parts": [{"text": "(noted)"}]}))
    );
    let response = &messages.last().unwrap()["parts"][0]["functionResponse"];
    assert_eq!(response.get("parts"), None);
    assert!(
        response["response"]["content"].as_str().unwrap().ends_with(note),
        "{response}"
    );
}

#[tokio::test]
async fn a_late_result_brings_its_image_in_the_users_message() {
    for (provider, name) in MODELS {
        let (_, result) = drawn();
        let delivery = Message::Delivery {
            tasks: vec![TaskNo::new(1)],
            results: vec![result],
            text: "<results>".to_owned(),
        };
        let messages = sent(provider, name, vec![delivery]).await;
        let text = messages[0].to_string();
        assert!(text.contains("Zm9vYmFy"), "{provider}: {text}");
        assert!(
            text.contains("<results>\\nOutput of the tool of t1, media 1:"),
            "{provider}: {text}"
        );
    }
}

#[tokio::test]
async fn withheld_media_are_described() {
    for (provider, name) in MODELS {
        let messages = sent(provider, name, vec![Message::user(png().withheld())]).await;
        let text = messages[0].to_string();
        let note = r#"[image \"a.png\": image/png, 6 bytes, not shown any more]"#;
        assert!(text.contains(note), "{provider}: {text}");
    }
}

#[tokio::test]
async fn models_say_what_they_take() {
    let server = Server::start(Vec::new()).await;
    let takes = |name: &str, media: &Media| {
        let builder = GenaiModel::builder(name).base_url(&server.url).api_key("test-key-1234");
        builder.build().unwrap().capabilities().media.takes(media)
    };
    let wav = Media::bytes("audio/wav", [1]);
    let link = Media::url("image/png", "https://example.org/a.png");
    for (name, image, url, file, sound) in [
        ("openai/gpt-6", true, true, true, false),
        ("openai/gpt-audio-mini", true, true, true, true),
        ("openai/gpt-4o-audio-preview", true, true, true, true),
        ("openrouter/openai/gpt-6", true, true, true, false),
        ("openrouter/google/gemini-3-flash", true, true, true, true),
        ("openai/gpt-3.5-turbo", false, false, false, false),
        ("openai-responses/gpt-6", true, true, true, false),
        ("anthropic/claude-opus-4-8", true, true, true, false),
        ("gemini/gemini-2.5-pro", true, true, true, true),
        ("bedrock/amazon.nova-pro-v1:0", true, false, true, false),
        ("bedrock/amazon.nova-micro-v1:0", false, false, false, false),
        ("ollama/gemma3", true, false, false, false),
        ("groq/llama-4", true, true, false, false),
        ("deepseek/deepseek-chat", false, false, false, false),
    ] {
        let found = (
            takes(name, &png()),
            takes(name, &link),
            takes(name, &pdf()),
            takes(name, &wav),
        );
        assert_eq!(found, (image, url, file, sound), "{name}");
    }
    let json = GenaiModel::builder("ollama/gemma3")
        .tool_mode(ToolMode::Json)
        .base_url(&server.url);
    assert!(!json.build().unwrap().capabilities().media.takes(&png()));
}

/// Kinds in the table of the documentation.
const KINDS: [(&str, &str); 13] = [
    ("PNG", "image/png"),
    ("JPEG", "image/jpeg"),
    ("GIF", "image/gif"),
    ("WebP", "image/webp"),
    ("HEIC", "image/heic"),
    ("PDF", "application/pdf"),
    ("text", "text/plain"),
    ("CSV", "text/csv"),
    ("Word", "application/msword"),
    ("Excel", "application/vnd.ms-excel"),
    ("WAV", "audio/wav"),
    ("MP3", "audio/mp3"),
    ("MP4", "video/mp4"),
];

/// Rows of the table in the documentation: models that stand for all of their kind.
const ROWS: [(&str, &str); 14] = [
    ("`anthropic`", "anthropic/claude-opus-4-8"),
    ("`openai`, `openrouter`: audio models", "openai/gpt-audio"),
    ("`openai`, `openrouter`: others", "openai/gpt-6"),
    ("`openai-responses`", "openai-responses/gpt-6"),
    ("`gemini`, `vertex`: Gemini 3", "gemini/gemini-3-pro"),
    ("the same: earlier Gemini", "gemini/gemini-2.5-pro"),
    ("`vertex`: Claude", "vertex/claude-opus-4-8"),
    ("`bedrock`: Claude, Nova", "bedrock/anthropic.claude-opus-4-8"),
    ("`bedrock`: others", "bedrock/meta.llama4-maverick-17b-instruct-v1:0"),
    ("`ollama`", "ollama/gemma3"),
    ("other servers of OpenAI's format", "groq/llama-4"),
    ("`minimax`", "minimax/minimax-m2"),
    ("`deepseek`", "deepseek/deepseek-chat"),
    ("models that are known to read text only", "openai/gpt-3.5-turbo"),
];

#[tokio::test]
async fn the_table_of_the_documentation_is_what_models_say() {
    let server = Server::start(Vec::new()).await;
    let mut table = "| model | message: bytes | message: URL | result |\n|---|---|---|---|\n".to_owned();
    for (label, name) in ROWS {
        let builder = GenaiModel::builder(name).base_url(&server.url).api_key("test-key-1234");
        let rules = builder.build().unwrap().capabilities().media;
        let cell = |takes: &dyn Fn(&str) -> bool| {
            let taken = KINDS
                .iter()
                .filter(|(_, mime_type)| takes(mime_type))
                .map(|(kind, _)| *kind);
            let taken: Vec<&str> = taken.collect();
            if taken.is_empty() {
                "–".to_owned()
            } else {
                taken.join(", ")
            }
        };
        let bytes = cell(&|mime_type| rules.takes(&Media::bytes(mime_type, [1])));
        let url = cell(&|mime_type| rules.takes(&Media::url(mime_type, "https://example.org/a")));
        let result = cell(&|mime_type| rules.takes_in_results(&Media::bytes(mime_type, [1])));
        table += &format!("| {label} | {bytes} | {url} | {result} |\n");
    }
    let documented = include_str!("../../README.md");
    assert!(
        documented.contains(&table),
        "the table of README.md should be:\n{table}"
    );
}
