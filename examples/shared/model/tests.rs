use std::{net::Ipv4Addr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::{
    Asked, Choice, ChoiceError, ModelName, Served, Source, Wanted,
    choice::choose,
    probe::{first_model, probe},
    provider::{PROVIDERS, variables_of},
};

/// Time limit that no server of these tests reaches.
const PATIENCE: Duration = Duration::from_secs(60);

/// Probe that must not be called.
async fn unasked(_: Option<&str>) -> Option<Served> {
    panic!("the probe was called")
}

async fn silence(_: Option<&str>) -> Option<Served> {
    None
}

fn named(text: &str) -> Option<Asked> {
    Some(text.parse().unwrap())
}

fn set<'a>(variables: &'a [&'a str]) -> impl Fn(&str) -> bool + 'a {
    move |variable| variables.contains(&variable)
}

fn model(choice: Result<Choice, ChoiceError>) -> Wanted {
    match choice {
        Ok(Choice::Model(wanted)) => wanted,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_model_that_is_named_goes_before_keys_and_servers() {
    let keys = set(&["OPENAI_API_KEY", "ANTHROPIC_API_KEY"]);
    let wanted = model(choose(named("anthropic/claude-x"), None, &keys, unasked).await);
    assert_eq!(wanted.name.to_string(), "anthropic/claude-x");
    assert_eq!((wanted.key, wanted.source), (Some("ANTHROPIC_API_KEY"), Source::Named));

    let planner = choose(named("planner"), None, &keys, unasked).await;
    assert_eq!(planner, Ok(Choice::Planner));
}

#[tokio::test]
async fn a_key_goes_before_servers_and_the_first_key_counts() {
    let wanted = model(choose(None, None, set(&["GEMINI_API_KEY", "ANTHROPIC_API_KEY"]), unasked).await);
    assert_eq!(wanted.name.provider(), "anthropic");
    assert_eq!((wanted.key, wanted.source), (Some("ANTHROPIC_API_KEY"), Source::Key));
    assert!(
        Choice::Model(wanted)
            .to_string()
            .ends_with("because ANTHROPIC_API_KEY is set")
    );
}

#[tokio::test]
async fn every_provider_is_found_by_each_of_its_keys() {
    for provider in PROVIDERS {
        for variable in provider.variables {
            let wanted = model(choose(None, None, set(&[variable]), unasked).await);
            assert_eq!(wanted.name.provider(), provider.name);
            assert_eq!((wanted.name.name(), wanted.key), (provider.model, Some(*variable)));
        }
    }
}

#[tokio::test]
async fn without_a_key_the_server_that_answers_is_taken_and_else_the_planner() {
    let served = Served {
        server: "LM Studio",
        base_url: "http://127.0.0.1:1234/v1/".to_owned(),
        name: "openai/qwen".parse().unwrap(),
    };
    let answer = served.clone();
    let wanted = model(choose(None, None, set(&[]), async |_: Option<&str>| Some(answer)).await);
    assert_eq!(wanted.base_url.as_deref(), Some("http://127.0.0.1:1234/v1/"));
    assert_eq!((&wanted.name, wanted.key), (&served.name, None));
    assert_eq!(wanted.source, Source::Answered("LM Studio"));

    assert_eq!(choose(None, None, set(&[]), silence).await, Ok(Choice::Planner));
}

#[tokio::test]
async fn an_address_holds_for_whatever_is_chosen() {
    const URL: &str = "http://127.0.0.1:9/v1";
    let url = Some(URL);
    for (asked, keys) in [(named("openai/m"), &[][..]), (None, &["OPENAI_API_KEY"][..])] {
        let wanted = model(choose(asked, url, set(keys), unasked).await);
        assert_eq!(wanted.base_url.as_deref(), url);
        assert_eq!(wanted.key, keys.first().copied());
    }
    let probed = choose(None, url, set(&[]), async |asked: Option<&str>| {
        assert_eq!(asked, url);
        None
    });
    assert_eq!(probed.await, Err(ChoiceError::NobodyAnswers(URL.to_owned())));
    assert_eq!(
        choose(named("planner"), url, set(&[]), unasked).await,
        Err(ChoiceError::PlannerHasNoServer)
    );
}

#[tokio::test]
async fn a_missing_key_is_named_and_a_provider_without_keys_needs_none() {
    for provider in ["openai", "openai-responses", "openai-native"] {
        let error = choose(named(&format!("{provider}/m")), None, set(&[]), unasked).await;
        let error = error.expect_err("there is no key").to_string();
        assert!(error.contains("OPENAI_API_KEY"), "{error}");
    }
    let wanted = model(choose(named("ollama/qwen3"), None, set(&[]), unasked).await);
    assert_eq!((wanted.key, variables_of("ollama")), (None, &[][..]));
}

#[test]
fn a_name_has_two_parts_of_which_the_second_may_have_slashes() {
    let name: ModelName = "openrouter/openai/gpt".parse().unwrap();
    assert_eq!((name.provider(), name.name()), ("openrouter", "openai/gpt"));
    for text in ["gpt", "/gpt", "openai/", ""] {
        let error = text.parse::<Asked>().expect_err(text).to_string();
        assert!(error.contains("provider/name"), "{error}");
    }
}

/// Starts a server that answers one request with this text; returns its URL.
async fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let length = stream.read(&mut request).await.unwrap();
        assert!(request[..length].starts_with(b"GET /v1/models HTTP/1.0\r\n"));
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    format!("http://{address}/v1/")
}

#[tokio::test]
async fn a_server_is_asked_for_a_model_that_can_talk() {
    let list = r#"{"object":"list","data":[{"id":"nomic-embed-text","object":"model"},{"id":"qwen3:4b"}]}"#;
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{list}").leak();
    let url = answering(answer).await;
    let served = probe(Some(&url)).await.unwrap();
    assert_eq!(served.name.to_string(), "openai/qwen3:4b");
    assert_eq!(served.base_url, url);
}

#[tokio::test]
async fn a_server_of_another_kind_is_none() {
    for answer in [
        "HTTP/1.1 200 OK\r\n\r\n<html>",
        "HTTP/1.1 404 Not Found\r\n\r\n{\"data\":[{\"id\":\"m\"}]}",
        "HTTP/1.1 200 OK\r\n\r\n{\"data\":[]}",
        "SSH-2.0-OpenSSH\r\n\r\n{}",
        "",
    ] {
        assert_eq!(first_model(&answering(answer).await, PATIENCE).await, None, "{answer}");
    }
    assert_eq!(first_model("https://127.0.0.1:1/v1", PATIENCE).await, None);
    assert_eq!(first_model("http://", PATIENCE).await, None);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    assert_eq!(first_model(&url, Duration::from_millis(50)).await, None);
}
