//! Requests go where they should: key and prompt to no other host.

use super::played::*;

#[tokio::test]
async fn every_provider_asks_the_server_that_it_is_given() {
    for provider in Provider::ALL {
        for (name, path, streamed) in [
            ("some-model", "", true),
            ("some-model", "/", false),
            ("some-model", "/base/v9", false),
            ("gemini-3-pro", "/base/v9/?tenant=7", true),
            ("claude-opus-4-8", "/base/v9", true),
            ("zai_coding::glm-4.6", "/base/v9/", true),
            ("gpt-5-high", "/base/v9?tenant=7", false),
        ] {
            let server = Server::start(vec![Reply::error(400, "", &json!({"error": "no"}))]).await;
            let model = GenaiModel::builder(format!("{provider}/{name}"))
                .base_url(format!("{}{path}", server.url))
                .api_key("test-key-1234")
                .stream(streamed)
                .build()
                .unwrap();
            let (_, error) = ask(&model, with_tools(vec![user("go")])).await;
            let about = format!("{provider}/{name} at {path:?}");
            assert!(error.unwrap().to_string().contains("no"), "{about}");
            let asked = server.asked();
            assert_eq!(asked.len(), 1, "{about}: the server must see the request");
            let line = asked[0].head.lines().next().unwrap().to_owned();
            let has_key = asked[0].head.contains("test-key-1234");
            assert_eq!(has_key, *provider != Provider::Ollama, "{about}");
            assert!(!line.contains("//"), "{about}: {line}");
            if path.len() > 1 {
                assert!(line.starts_with("POST /base/v9/"), "{about}: {line}");
                assert_eq!(line.contains("tenant=7"), path.contains('?'), "{about}: {line}");
            }
        }
    }
}
