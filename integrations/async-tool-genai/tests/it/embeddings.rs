//! Embedding calls of the providers.

use std::time::Duration;

use async_tool_genai::{BuildError, GenaiEmbedder, GenaiEmbedderBuilder, Provider};
use async_tool_runtime::{
    AsyncToolManager, SessionId, ToolCall, async_tool,
    policy::{Embedder, SemanticCache},
};
use serde_json::{Value, json};

use crate::server::{Reply, Server};

/// A model of each format.
const MODELS: [(&str, &str); 6] = [
    ("openai/text-embedding-3-small", "/v1/embeddings"),
    ("mistral/mistral-embed", "/v1/embeddings"),
    (
        "gemini/gemini-embedding-001",
        "/v1beta/models/gemini-embedding-001:batchEmbedContents",
    ),
    ("ollama/nomic-embed-text", "/api/embed"),
    (
        "bedrock/amazon.titan-embed-text-v2:0",
        "/model/amazon.titan-embed-text-v2%3A0/invoke",
    ),
    (
        "bedrock/cohere.embed-multilingual-v3",
        "/model/cohere.embed-multilingual-v3/invoke",
    ),
];

fn builder(server: &Server, model: &str) -> GenaiEmbedderBuilder {
    GenaiEmbedder::builder(model)
        .base_url(&server.url)
        .api_key("test-key-1234")
}

/// An answer with these vectors, in the format of a model.
fn answer(model: &str, vectors: &[[f32; 2]]) -> Value {
    if model.contains("titan") {
        json!({"embedding": vectors[0], "inputTextTokenCount": 3})
    } else if model.starts_with("gemini") {
        json!({"embeddings": vectors.iter().map(|vector| json!({"values": vector})).collect::<Vec<_>>()})
    } else if model.starts_with("openai") || model.starts_with("mistral") {
        let mut data: Vec<Value> = (0..)
            .zip(vectors)
            .map(|(index, vector)| json!({"index": index, "embedding": vector}))
            .collect();
        // The index counts, not the place.
        data.reverse();
        json!({"object": "list", "data": data})
    } else {
        json!({"embeddings": vectors})
    }
}

/// Texts of a request.
fn texts(body: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    if let Some(one) = body.get("inputText") {
        return vec![text(one)];
    }
    match body.get("requests") {
        Some(requests) => requests
            .as_array()
            .unwrap()
            .iter()
            .map(|each| text(&each["content"]["parts"][0]["text"]))
            .collect(),
        None => {
            let list = body.get("input").or_else(|| body.get("texts")).unwrap();
            list.as_array().unwrap().iter().map(text).collect()
        }
    }
}

#[tokio::test]
async fn texts_are_sent_in_batches_and_vectors_come_back_in_their_order() {
    for (model, path) in MODELS {
        let step = if model.contains("titan") { 1 } else { 2 };
        let vectors = [[1.0, 0.5], [2.0, 0.5], [3.0, 0.5]];
        let replies = vectors.chunks(step).map(|vectors| Reply::json(&answer(model, vectors)));
        let server = Server::start(replies.collect()).await;
        let embedder = builder(&server, model).batch(2).dimensions(2).build().unwrap();
        let read = embedder.embed_all(&["one", "two", "three"]).await.unwrap();
        assert_eq!(read, vectors.map(Vec::from), "{model}");
        let asked = server.asked();
        assert_eq!(asked.len(), 3_usize.div_ceil(step), "{model}");
        let sent: Vec<String> = asked.iter().flat_map(|asked| texts(&asked.body())).collect();
        assert_eq!(sent, ["one", "two", "three"], "{model}");
        for asked in &asked {
            assert!(
                asked.head.starts_with(&format!("POST {path} ")),
                "{model}: {}",
                asked.head
            );
            assert!(
                asked.text.to_lowercase().contains("dimension"),
                "{model}: {}",
                asked.text
            );
            assert!(
                asked.head.contains("test-key-1234") || model.starts_with("ollama"),
                "{model}: {}",
                asked.head
            );
        }
        assert_eq!(embedder.embed_all(&[]).await.unwrap(), Vec::<Vec<f32>>::new());
        assert_eq!(server.asked().len(), asked.len(), "no text, no request");
    }
}

#[tokio::test]
async fn a_failure_says_what_failed_and_when_to_try_again_and_holds_no_key() {
    for (model, _) in MODELS {
        let limit = json!({"error": {"message": "slow down, test-key-1234"}});
        let wrong = json!({"error": {"message": "no such model"}});
        let server = Server::start(vec![
            Reply::error(429, "retry-after: 7\r\n", &limit),
            Reply::error(404, "", &wrong),
            Reply::json(&json!({})),
            Reply::json(&answer(model, &[[0.0, 1.0]; 3])),
            Reply::json(&json!({"embeddings": [["x"]], "data": [{"embedding": ["x"]}], "embedding": ["x"]})),
        ])
        .await;
        let embedder = builder(&server, model).build().unwrap();
        let mut errors = Vec::new();
        for _ in 0..5 {
            errors.push(embedder.embed_all(&["a text"]).await.err());
        }
        let [limit, wrong, empty, many, odd] = &errors[..] else {
            unreachable!()
        };
        let limit = limit.as_ref().unwrap();
        assert_eq!(limit.retry_after(), Some(Duration::from_secs(7)), "{model}");
        assert!(
            limit.to_string().contains("slow down") && !limit.to_string().contains("1234"),
            "{limit}"
        );
        let wrong = wrong.as_ref().unwrap();
        assert!(
            !wrong.retryable() && wrong.to_string().contains("no such model"),
            "{wrong}"
        );
        assert!(empty.is_some() && odd.is_some(), "{model}");
        assert_eq!(many.is_some(), !model.contains("titan"), "{model}");
        assert_eq!(server.asked().len(), 5, "only the caller retries");
        assert!(!format!("{embedder:?} {embedder:#?} {:?}", builder(&server, model)).contains("1234"));
    }
}

#[tokio::test]
async fn a_silent_server_fails_in_time() {
    let silent = Reply {
        stalls: true,
        body: Vec::new(),
        ..Reply::json(&json!({}))
    };
    let server = Server::start(vec![silent]).await;
    let embedder = builder(&server, "openai/m")
        .timeout(Duration::from_millis(100))
        .build()
        .unwrap();
    let error = embedder.embed("a text").await.unwrap_err();
    assert!(error.to_string().contains("100ms"), "{error}");
}

#[test]
fn a_provider_without_embeddings_is_refused() {
    for model in [
        "anthropic/claude-haiku-4-5",
        "minimax/m",
        "vertex/gemini-embedding-001",
        "bedrock/amazon.nova-lite-v1:0",
    ] {
        let error = GenaiEmbedder::builder(model).api_key("a-key").build().unwrap_err();
        assert!(matches!(error, BuildError::NoEmbeddings(_)), "{model}: {error}");
    }
    let error = GenaiEmbedder::builder("text-embedding-3-small").build().unwrap_err();
    assert!(matches!(error, BuildError::Name(_)), "{error}");
    let error = GenaiEmbedder::builder("moonshot/m").build().unwrap_err();
    assert_eq!(error, BuildError::MissingKey(Provider::Moonshot));
}

/// Answers a question.
#[async_tool(effect = "read")]
fn answer_question(question: String) -> String {
    format!("an answer to {question}")
}

#[tokio::test]
async fn a_semantic_cache_asks_the_model() {
    let vectors = [[1.0, 0.0], [0.99, 0.1], [0.0, 1.0]];
    let replies = vectors.map(|vector| Reply::json(&answer("openai", &[vector])));
    let server = Server::start(replies.into()).await;
    let embedder = builder(&server, "openai/text-embedding-3-small").build().unwrap();
    let cache = SemanticCache::new(embedder, ["question"], 0.9, Duration::from_secs(60));
    let manager = AsyncToolManager::builder()
        .tool(answer_question::tool().semantic_cache(cache))
        .build()
        .unwrap();
    let mut attempts = Vec::new();
    for question in ["how to stop?", "how can I stop?", "how to start?"] {
        let call = ToolCall::new(question, "answer_question", json!({"question": question}));
        let result = manager.submit(&SessionId::new("s"), call).unwrap().outcome().await;
        attempts.push(result.attempts);
    }
    assert_eq!(attempts, [1, 0, 1], "the second question is answered from the cache");
}
