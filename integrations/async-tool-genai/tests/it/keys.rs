//! Keys are in a request's header, and nowhere else.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex},
};

use async_tool_genai::{BuildError, GenaiModel, Provider};
use serde_json::json;
use tracing::{Event, Metadata, Subscriber, field::Visit, span};

use crate::{
    server::{Reply, Server, ask, request, user},
    wire::PROVIDERS,
};

const CANARY: &str = "sk-canary-f00dfeed";

/// Collects all log output.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

struct Written<'a>(&'a mut String);

impl Visit for Written<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, "{field}={value:?} ");
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        attributes.record(&mut Written(&mut self.0.lock().unwrap()));
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut Written(&mut self.0.lock().unwrap()));
    }
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut Written(&mut self.0.lock().unwrap()));
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn a_key_is_in_no_error_no_log_and_no_debug_output() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    tracing::info!("the log is on");
    for provider in PROVIDERS {
        for streamed in [true, false] {
            let echo = json!({"error": {"message": format!("the key {CANARY} is wrong"), "type": CANARY}});
            let mut plain = Reply::error(401, "", &echo);
            plain.body = format!("<html>{CANARY}</html>").into_bytes();
            let mut odd = Reply::json(&json!({}));
            odd.body = format!("{{\"key\": \"{CANARY}\"").into_bytes();
            let server = Server::start(vec![Reply::error(401, "", &echo), plain, odd]).await;
            let build = |url: &str| {
                let builder = server.builder(provider).base_url(url).api_key(CANARY).stream(streamed);
                assert!(!format!("{builder:?}").contains("canary"));
                builder.build().unwrap()
            };
            let model = build(&server.url);
            assert!(!format!("{model:?} {model:#?}").contains("canary"));
            let gone = build("http://127.0.0.1:9");
            for model in [&model, &model, &model, &gone] {
                let error = ask(model, request(vec![user("hi")])).await.1.unwrap();
                assert!(
                    !format!("{error} {error:?} {error:#?}").contains("canary"),
                    "{provider} {streamed}: {error:?}"
                );
            }
            if provider != Provider::Ollama {
                assert!(
                    server.asked()[0].head.contains(CANARY),
                    "{provider}: the server is to get it"
                );
            }
        }
    }
    let written = log.0.lock().unwrap().clone();
    assert!(written.contains("the log is on"));
    assert!(!written.contains("canary"), "{written}");
}

#[test]
fn what_cannot_be_built_is_told_clearly_and_without_keys() {
    let refuse = |builder: async_tool_genai::GenaiModelBuilder| {
        let error = builder.api_key(CANARY).build().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"));
        error
    };
    assert!(matches!(refuse(GenaiModel::builder("gpt-5")), BuildError::Name(_)));
    assert!(matches!(refuse(GenaiModel::builder("openai/")), BuildError::Name(_)));
    let unknown = refuse(GenaiModel::builder("opnai/gpt-5")).to_string();
    assert!(
        unknown.contains("`opnai`") && unknown.contains("openai-responses, anthropic, gemini, bedrock, ollama"),
        "{unknown}"
    );
    let local = || GenaiModel::builder("openai/m");
    for url in ["nonsense", "ftp://host/v1", "https://me:secret@host/v1"] {
        assert!(matches!(refuse(local().base_url(url)), BuildError::BaseUrl(_)), "{url}");
    }
    // No header can hold this key.
    let model = local()
        .base_url("http://127.0.0.1:9")
        .api_key("sk-canary\u{0}x")
        .build();
    assert!(!format!("{model:?}").contains("canary"));
}

#[test]
fn a_missing_key_names_its_variable_and_a_local_server_needs_none() {
    // No test run sets these variables.
    let missing = GenaiModel::builder("moonshot/kimi").build().unwrap_err();
    assert_eq!(missing, BuildError::MissingKey(Provider::Moonshot));
    assert!(missing.to_string().contains("MOONSHOT_API_KEY"), "{missing}");
    for url in ["http://localhost:1234/v1", "http://127.0.0.1:8080", "http://[::1]:8080"] {
        assert!(GenaiModel::builder("moonshot/m").base_url(url).build().is_ok(), "{url}");
    }
    assert!(
        GenaiModel::builder("moonshot/m")
            .base_url("https://example.com/v1")
            .build()
            .is_err()
    );
    assert!(GenaiModel::builder("ollama/llama3.2").build().is_ok());
}

#[test]
fn vertex_without_a_project_names_its_variable() {
    // No test run sets this variable.
    let missing = GenaiModel::builder("vertex/gemini-3-pro").api_key("a-key").build();
    let missing = missing.unwrap_err();
    assert_eq!(missing, BuildError::MissingProject);
    assert!(missing.to_string().contains("VERTEX_PROJECT_ID"), "{missing}");
}

#[test]
fn every_provider_is_found_by_its_name() {
    for provider in Provider::ALL {
        assert_eq!(provider.name().parse(), Ok(*provider));
        let mut builder = GenaiModel::builder(format!("{provider}/a/b:c")).api_key("a-key");
        if *provider == Provider::Vertex {
            builder = builder.base_url("https://example.com/v1/projects/bees/locations/global");
        }
        let model = builder.build().unwrap();
        assert_eq!((model.provider(), model.name()), (*provider, "a/b:c"));
    }
}
