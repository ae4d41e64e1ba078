//! Tokens of what a model reads, counted by a tokenizer.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use async_tool_runtime::{
    AsyncAgent, AsyncTaskResult, AsyncToolManager, Message, ToolCall,
    agent::AckPolicy,
    async_tool,
    context::{Answer, BpeTokens, TokenEstimator},
    model::{ModelRequest, ModelStream},
    testing::ScriptedModel,
    tool::{Background, FunctionTool},
};
use serde_json::{Value, json};

/// Finds flights.
#[async_tool(effect = "read")]
async fn find_flights(
    /// Airport of departure.
    from: String,
    /// Airport of arrival.
    to: String,
    /// Day of departure, such as 2026-11-30.
    day: String,
) -> Value {
    tokio::time::sleep(Duration::from_secs(3)).await;
    json!({"from": from, "to": to, "day": day, "flight": "LH 232", "price": 118})
}

/// Finds hotels.
#[async_tool(effect = "read")]
async fn find_hotels(
    /// City of the hotel.
    city: String,
    /// Day of arrival, such as 2026-11-30.
    day: String,
    /// Number of nights.
    nights: u8,
) -> Value {
    tokio::time::sleep(Duration::from_secs(3)).await;
    json!({"city": city, "day": day, "nights": nights, "hotel": "Albergo del Sole", "price": 94})
}

fn tokens(text: &str) -> usize {
    BpeTokens::o200k().count_text(text)
}

/// Messages as a chat completion has them.
fn shown(message: &Message) -> Vec<Value> {
    match message {
        Message::User { text, .. } | Message::Delivery { text, .. } | Message::Note { text } => {
            vec![json!({"role": "user", "content": text})]
        }
        Message::Assistant { text, calls, .. } => {
            let call = |call: &ToolCall| {
                let function = json!({"name": call.name, "arguments": call.arguments.value().to_string()});
                json!({"id": call.id, "type": "function", "function": function})
            };
            let calls: Vec<Value> = calls.iter().map(call).collect();
            vec![json!({"role": "assistant", "content": text, "tool_calls": calls})]
        }
        Message::Answers(answers) => {
            let answer = |answer: &Answer| json!({"role": "tool", "tool_call_id": answer.call, "content": answer.to_model_json().to_string()});
            answers.iter().map(answer).collect()
        }
        _ => Vec::new(),
    }
}

fn prefix(request: &ModelRequest) -> usize {
    let tools = request.tools.iter().map(|tool| {
        let function = json!({"name": tool.name, "description": tool.description, "parameters": tool.input_schema});
        tokens(&json!({"type": "function", "function": function}).to_string())
    });
    tools.sum::<usize>() + request.system.as_deref().map_or(0, tokens)
}

fn total(request: &ModelRequest) -> usize {
    let messages = request.messages.iter().flat_map(|message| shown(message));
    prefix(request) + messages.map(|message| tokens(&message.to_string())).sum::<usize>()
}

fn both(background: Background) -> Vec<FunctionTool> {
    vec![
        find_flights::tool().background(background),
        find_hotels::tool().background(background),
    ]
}

fn five() -> ModelStream {
    let call = |at: usize| {
        let id = format!("call_{at}9fXk2");
        match at % 2 {
            0 => ToolCall::new(
                id,
                "find_hotels",
                json!({"city": "Rome", "day": "2026-12-01", "nights": at}),
            ),
            _ => ToolCall::new(
                id,
                "find_flights",
                json!({"from": "FRA", "to": "FCO", "day": format!("2026-12-0{at}")}),
            ),
        }
    };
    ModelStream::calls((1..=5).map(call))
}

async fn conversation(background: Background, batch: bool) -> Vec<ModelRequest> {
    let tools = both(background).into_iter().map(Into::into);
    let manager = AsyncToolManager::builder().tools(tools).build().unwrap();
    let model = ScriptedModel::new()
        .turn(|_| five())
        .otherwise(|_| ModelStream::text("It is running."));
    let agent = AsyncAgent::builder(model.clone(), manager)
        .system("You plan journeys.")
        .ack_policy(AckPolicy::Deferred)
        .start()
        .await
        .unwrap();
    let ask = "Find the cheapest way to spend a week in Rome.";
    if batch {
        agent.run_to_completion(ask).await.unwrap();
    } else {
        agent.send(ask).await.unwrap();
        agent.run_until_idle().await.unwrap();
    }
    agent.close().await.unwrap();
    model.requests()
}

/// Tokens of the first request, and of all.
fn first_and_all(requests: &[ModelRequest]) -> (usize, usize) {
    (total(&requests[0]), requests.iter().map(total).sum())
}

#[tokio::test(start_paused = true)]
async fn a_conversation_in_the_background_costs_little_more_than_one_that_blocks() {
    let late = conversation(Background::Always, false).await;
    let batch = conversation(Background::Auto, true).await;
    let blocking = conversation(Background::Never, false).await;
    let (first, all) = first_and_all(&blocking);
    let mut table = "tokens of                  request 1  all requests\n".to_owned();
    for (name, requests) in [
        ("blocking", &blocking),
        ("run_to_completion", &batch),
        ("deferred", &late),
    ] {
        let (first, all) = first_and_all(requests);
        writeln!(table, "{name:<25} {first:>10} {all:>13}").unwrap();
    }
    println!("{table}");
    assert_eq!(
        first_and_all(&batch),
        (first, all),
        "no notice, no `task` tool, no acknowledgement"
    );
    assert!(first_and_all(&late).0 <= first + 250 + 40, "{table}");

    let task = late[0].tools.iter().find(|tool| &*tool.name == "task").unwrap();
    let task = tokens(&task.description) + tokens(&task.input_schema.to_string());
    println!("{task} tokens are the `task` tool");
    assert!(task <= 250);
}

#[tokio::test(start_paused = true)]
async fn acknowledgements_and_deliveries_are_short_and_have_the_measured_texts() {
    let manager = AsyncToolManager::builder().tools(both(Background::Always).into_iter().map(Into::into));
    let model = ScriptedModel::new()
        .turn(|_| five())
        .otherwise(|_| ModelStream::text("It is running."));
    let agent = AsyncAgent::builder(model.clone(), manager.build().unwrap())
        .start()
        .await
        .unwrap();
    agent.send("go").await.unwrap();
    agent.run_until_idle().await.unwrap();
    let requests = model.requests();
    assert_eq!(
        requests[0].system.as_deref(),
        Some("Tools may run in the background: their results follow. Never guess a result.")
    );
    let tools = requests[0].tools.iter();
    assert!(
        tools.filter(|tool| tool.description.contains("background")).count() == 1,
        "only `task` says it"
    );

    let Message::Answers(answers) = &**requests[1].messages.last().unwrap() else {
        panic!("the acknowledgements come last")
    };
    let shown: Vec<Value> = answers.iter().map(Answer::to_model_json).collect();
    let instruction = "It is running in the background; the result will follow when it is ready. Do not call the tool again for this: go on \
         with what else there is to do, or tell the user in one sentence that it is running, and stop.";
    for (place, ack) in shown.iter().enumerate() {
        let mut expected = json!({"task": format!("t{}", place + 1), "status": ack["status"]});
        if place == 4 {
            expected["instruction"] = json!(instruction);
        }
        assert_eq!(*ack, expected, "only the last has the instruction");
    }
    let each = shown.iter().map(|ack| tokens(&ack.to_string())).sum::<usize>() / shown.len();
    println!("an acknowledgement of five: {each} tokens");
    assert!(each <= 40);

    let Message::Delivery { text, results, .. } = &**requests[2].messages.last().unwrap() else {
        panic!("the delivery comes last")
    };
    assert!(text.ends_with(
        "</tool_results>\nThese are the results of your calls t1, t2, t3, t4 and t5: do not make those calls again. Go on with what the \
         user asked; if nothing is missing, answer the user now."
    ));
    let content = |result: &Arc<AsyncTaskResult>| tokens(&result.outcome.value().unwrap().to_string());
    let around = tokens(text) - results.iter().map(content).sum::<usize>();
    println!("a delivery of five: {around} tokens around its results");
    assert!(around <= 150);
    agent.close().await.unwrap();
}
