//! Tools as the server offers them, and their results.

use async_tool_runtime::{
    async_tool,
    content::{Content, Media},
    tools,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::stand::{Http, Stdio, serve, with_tasks};

#[derive(Serialize, JsonSchema)]
struct Weather {
    celsius: f64,
    sky: String,
}

/// Tells the weather.
#[async_tool(effect = "read")]
async fn weather(city: String) -> Weather {
    Weather {
        celsius: 21.5,
        sky: format!("clear over {city}"),
    }
}

/// Counts.
#[async_tool(effect = "idempotent")]
async fn count() -> Vec<u32> {
    vec![1, 2, 3]
}

/// Orders.
#[async_tool]
async fn order(item: String) -> String {
    format!("ordered {item}")
}

/// Does nothing.
#[async_tool]
async fn nothing() {}

async fn list(client: &Http) -> Vec<Value> {
    let reply = client.ask("tools/list", json!({})).await;
    assert!(reply.last["result"]["ttlMs"].is_u64() && reply.last["result"]["cacheScope"].is_string());
    reply.last["result"]["tools"].as_array().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn offers_have_schemas_and_hints_and_no_word_of_our_turns() {
    let client = Http::new(serve(tools![weather, order, count, nothing]), with_tasks());
    let tools = list(&client).await;
    assert_eq!(tools, list(&client).await);
    let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["count", "nothing", "order", "weather"]);
    let hints = |tool: &Value| {
        let hints = &tool["annotations"];
        (
            hints["readOnlyHint"].as_bool(),
            hints["idempotentHint"].as_bool(),
            hints["destructiveHint"].as_bool(),
        )
    };
    assert_eq!(hints(&tools[3]), (Some(true), Some(true), Some(false)));
    assert_eq!(hints(&tools[0]), (Some(false), Some(true), Some(true)));
    assert_eq!(hints(&tools[2]), (Some(false), Some(false), Some(true)));
    assert_eq!(tools[3]["description"], "Tells the weather.");
    assert_eq!(tools[3]["inputSchema"]["properties"]["city"]["type"], "string");
    assert_eq!(tools[3]["outputSchema"]["properties"]["celsius"]["type"], "number");
    assert_eq!(tools[0]["outputSchema"]["type"], "array");
    assert!(
        tools[1].get("outputSchema").is_none() && tools[2].get("outputSchema").is_none(),
        "a text is content enough"
    );
    assert!(tools.iter().all(|tool| tool.get("execution").is_none()));
}

#[tokio::test(start_paused = true)]
async fn results_are_structured_by_the_return_type() {
    let client = Http::new(serve(tools![weather, order, count, nothing]), json!({}));
    let reply = client.call("weather", json!({"city": "Rome"})).await;
    let structured = json!({"celsius": 21.5, "sky": "clear over Rome"});
    assert_eq!(reply.last["result"]["structuredContent"], structured);
    assert_eq!(
        serde_json::from_str::<Value>(reply.text_of_result()).unwrap(),
        structured
    );
    assert_eq!(
        client.call("count", json!({})).await.last["result"]["structuredContent"],
        json!([1, 2, 3])
    );
    let reply = client.call("order", json!({"item": "tea"})).await;
    assert_eq!(reply.text_of_result(), "ordered tea");
    assert!(reply.last["result"].get("structuredContent").is_none());
    assert_eq!(client.call("nothing", json!({})).await.text_of_result(), "done");
    let client = client.with(with_tasks());
    let id = client.start("weather", json!({"city": "Rome"})).await;
    assert_eq!(
        client.until(&id, "completed").await["result"]["structuredContent"],
        structured
    );
}

#[tokio::test(start_paused = true)]
async fn older_revisions_get_structured_objects_only() {
    let mut client = Stdio::legacy(serve(tools![weather, count]), json!({})).await;
    let reply = client.ask(1, "tools/list", json!({})).await;
    let tools = reply["result"]["tools"].as_array().unwrap();
    assert!(
        tools[0].get("outputSchema").is_none() && tools[1].get("outputSchema").is_some(),
        "{reply}"
    );
    let reply = client
        .ask(2, "tools/call", json!({"name": "count", "arguments": {}}))
        .await;
    assert!(reply["result"].get("structuredContent").is_none(), "{reply}");
    assert_eq!(reply["result"]["content"][0]["text"], "[1,2,3]");
}

#[tokio::test(start_paused = true)]
async fn a_tool_can_be_left_out() {
    let client = Http::new(serve(tools![weather, order]).without("order"), json!({}));
    assert_eq!(list(&client).await.len(), 1);
    assert_eq!(
        client.call("order", json!({"item": "tea"})).await.last["error"]["code"],
        -32602
    );
}

/// Takes a photo.
#[async_tool(effect = "read")]
async fn photo() -> Content {
    Content::from("The harbour: ")
        .with(Media::bytes("image/png", [1, 2, 3]))
        .with(" and its sound: ")
        .with(Media::bytes("audio/wav", [4, 5]))
        .with(Media::bytes("application/pdf", [6]).with_name("map.pdf"))
        .with(Media::url("video/mp4", "https://example.org/harbour.mp4"))
}

#[derive(Serialize, JsonSchema)]
struct Plot {
    points: usize,
    chart: Media,
}

/// Draws.
#[async_tool(effect = "read")]
async fn plot() -> Plot {
    Plot {
        points: 3,
        chart: Media::bytes("image/png", [1]),
    }
}

#[tokio::test(start_paused = true)]
async fn media_are_blocks_in_their_order() {
    let client = Http::new(serve(tools![photo, plot]), with_tasks());
    for tool in list(&client).await {
        assert!(tool.get("outputSchema").is_none(), "{tool}");
    }
    let id = client.start("photo", json!({})).await;
    let result = client.until(&id, "completed").await["result"].clone();
    let expected = json!([
        {"type": "text", "text": "The harbour: "},
        {"type": "image", "data": "AQID", "mimeType": "image/png"},
        {"type": "text", "text": " and its sound: "},
        {"type": "audio", "data": "BAU=", "mimeType": "audio/wav"},
        {"type": "resource", "resource": {"uri": "attachment:///map.pdf", "mimeType": "application/pdf", "blob": "Bg=="}},
        {"type": "resource_link", "uri": "https://example.org/harbour.mp4", "name": "attachment", "mimeType": "video/mp4"},
    ]);
    assert_eq!(result["content"], expected);
    let ordinary = client.with(json!({}));
    assert_eq!(
        ordinary.call("photo", json!({})).await.last["result"]["content"],
        expected,
        "an ordinary call gives the same"
    );
    let reply = ordinary.call("plot", json!({})).await;
    let content = &reply.last["result"]["content"];
    assert!(
        content[0]["text"].as_str().unwrap().contains("\"points\":3"),
        "{content}"
    );
    assert_eq!(
        content[1],
        json!({"type": "image", "data": "AQ==", "mimeType": "image/png"})
    );
}
