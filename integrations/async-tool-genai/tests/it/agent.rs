//! Whole conversations of an agent with background tools.

use std::time::Duration;

use async_tool_runtime::{AsyncAgent, AsyncToolManager, async_tool, tools};
use tokio::sync::Notify;

use crate::{
    server::Server,
    wire::{PROVIDERS, findings, turn},
};

static GO: Notify = Notify::const_new();

/// Tells the weather.
#[async_tool(effect = "read", background = "always")]
async fn get_weather(
    /// Name of the city.
    city: String,
) -> String {
    GO.notified().await;
    format!("rain in {city}")
}

/// Searches, and fails.
#[async_tool(effect = "read")]
async fn search(
    /// Words to search for.
    query: String,
) -> Result<String, String> {
    Err(format!("nothing on {query}"))
}

#[tokio::test]
async fn results_that_come_late_keep_every_provider_s_rules() {
    for provider in PROVIDERS {
        for streamed in [true, false] {
            let made = [
                ("id_a", "get_weather", r#"{"city":"Oslo"}"#),
                ("id_b", "search", r#"{"query":"bees"}"#),
                ("id_c", "get_weather", r#"{"city": 7"#),
                ("id_d", "no_such_tool", "{}"),
            ];
            let server = Server::start(vec![
                turn(provider, streamed, "I look.", &made),
                turn(provider, streamed, "It will take a while.", &[]),
                turn(provider, streamed, "Still waiting.", &[]),
                turn(provider, streamed, "It rains.", &[]),
            ])
            .await;
            let model = server.builder(provider).stream(streamed).build().unwrap();
            let manager = AsyncToolManager::builder()
                .tools(tools![get_weather, search])
                .build()
                .unwrap();
            let agent = AsyncAgent::builder(model, manager).start().await.unwrap();
            agent.send("How is the weather in Oslo?").await.unwrap();
            until(&server, 2).await;
            agent.send("And?").await.unwrap();
            until(&server, 3).await;
            GO.notify_one();
            agent.run_until_idle().await.unwrap();
            agent.close().await.unwrap();

            let asked = server.asked();
            assert_eq!(asked.len(), 4, "{provider} {streamed}");
            for request in &asked {
                assert_eq!(
                    findings(provider, &request.body()),
                    Vec::<String>::new(),
                    "{provider}: {}",
                    request.text
                );
            }
            assert!(
                asked[1].text.contains("It is running in the background"),
                "{provider}: the acknowledgement"
            );
            assert!(
                asked[1].text.contains("nothing on bees"),
                "{provider}: the result in time"
            );
            assert!(!asked[2].text.contains("rain in Oslo"), "{provider}");
            assert_eq!(
                asked[3].text.matches("rain in Oslo").count(),
                1,
                "{provider}: {}",
                asked[3].text
            );
        }
    }
}

/// Waits until the server has received this many requests. The turn may still be in progress after that.
async fn until(server: &Server, count: usize) {
    while server.asked().len() < count {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
