//! Names that a model made up: refused with an error for the model, and never sent as they came.

use std::sync::Arc;

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Message, Model as _, SessionId, ToolCall,
    context::{Answer, AnswerContent},
    model::ModelRequest,
};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::{
    server::{Reply, Server, gate, said},
    wire::builder,
};

/// True if OpenAI takes the name: `^[a-zA-Z0-9_-]{1,64}$`.
fn is_sendable(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

fn names(input: &Value) -> Vec<String> {
    let items = input.as_array().unwrap().iter();
    let named = items.filter_map(|item| item.get("name"));
    named.map(|name| name.as_str().unwrap().to_owned()).collect()
}

fn made_up() -> Vec<String> {
    let long = "x".repeat(65);
    let bad = [
        "multi_tool_use.parallel",
        "get weather!/é",
        "",
        " ",
        "東京",
        "a\n\"b\"",
        "functions.gate",
        &long,
    ];
    bad.map(str::to_owned).to_vec()
}

#[tokio::test]
async fn a_made_up_name_is_answered_and_never_goes_back() {
    for is_native in [true, false] {
        for is_streamed in [true, false] {
            let calls: Vec<Value> = made_up()
                .iter()
                .enumerate()
                .map(|(place, name)| {
                    let mut item = gate(&format!("c{place}"), "a");
                    item["name"] = json!(name);
                    item
                })
                .collect();
            let turns = [calls.clone(), vec![said("Sorry.")], vec![said("Yes.")]];
            let server = Server::start(turns.iter().map(|items| Reply::turn(is_streamed, items))).await;
            let model = builder(&server)
                .stream(is_streamed)
                .native_async(is_native)
                .build()
                .unwrap();
            let agent = AsyncAgent::builder(model, AsyncToolManager::builder().build().unwrap());
            let agent = agent.start().await.unwrap();
            for text in ["go", "go on"] {
                agent.send(text).await.unwrap();
                agent.run_until_idle().await.unwrap();
            }
            let bodies = server.bodies();
            let sent = names(&bodies[1]["input"]);
            assert_eq!(sent.len(), calls.len());
            assert!(sent.iter().all(|name| is_sendable(name)), "{sent:?}");
            let input = bodies[1]["input"].as_array().unwrap();
            let outputs = input.iter().filter(|item| item["type"] == "function_call_output");
            let outputs: Vec<_> = outputs.map(|item| item["output"].as_str().unwrap()).collect();
            assert_eq!(outputs.len(), calls.len());
            assert!(outputs.iter().all(|output| output.contains("error")), "{outputs:#?}");
            // The second request is the beginning of the third.
            assert_eq!(bodies[2]["input"].as_array().unwrap()[..input.len()], input[..]);
        }
    }
}

#[tokio::test]
async fn names_and_ids_of_another_provider_go_out_in_a_form_that_this_one_takes() {
    for name in made_up() {
        let server = Server::start([Reply::stream(&[said("ok")])]).await;
        let call = ToolCall::new("i".repeat(80), name.as_str(), json!({}));
        let content = AnswerContent::Report(json!({"error": "no such tool"}));
        let answer = Answer::new(call.id.clone(), name.as_str(), content);
        let messages = vec![
            Message::user("go".to_owned()),
            Message::Assistant {
                text: String::new(),
                calls: vec![call],
                provider: Some(json!({"blocks": []})),
            },
            Message::Answers(vec![answer]),
        ];
        let messages = messages.into_iter().map(Arc::new).collect();
        let model = builder(&server).build().unwrap();
        let request = ModelRequest::new(SessionId::new("s"), messages, Vec::new().into());
        let mut stream = model.generate(request);
        while let Some(event) = stream.next().await {
            event.unwrap();
        }
        let input = &server.bodies()[0]["input"];
        assert!(names(input).iter().all(|name| is_sendable(name)), "{input}");
        let [_, call, output] = input.as_array().unwrap().as_slice() else {
            panic!("{input}")
        };
        assert_eq!(call["call_id"], output["call_id"]);
        assert!(call["call_id"].as_str().unwrap().len() <= 64, "{call}");
    }
}
