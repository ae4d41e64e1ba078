//! Questions of tools, which the client puts to its user.

use std::time::Duration;

use async_tool_runtime::{ToolContext, ToolError, async_tool, tools};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::stand::{Http, Stdio, serve, with_forms, with_tasks};

#[derive(Deserialize, JsonSchema)]
struct UserName {
    name: String,
}

/// Greets, and asks twice.
#[async_tool]
async fn greet(#[inject] cx: ToolContext) -> Result<String, ToolError> {
    let first: UserName = cx.request("First name?").await?;
    let last: UserName = cx.request("Last name?").await?;
    Ok(format!("hello {} {}", first.name, last.name))
}

/// Asks for a number.
#[async_tool]
async fn double(#[inject] cx: ToolContext) -> Result<i64, ToolError> {
    let number: i64 = cx.request("Which number?").await?;
    Ok(number * 2)
}

/// Deletes, with approval.
#[async_tool(approval = "always")]
async fn delete(path: String) -> String {
    format!("deleted {path}")
}

/// Asks two at once.
#[async_tool]
async fn both(#[inject] cx: ToolContext) -> Result<i64, ToolError> {
    let (one, two) = (
        cx.submit_tool("double", json!({}))?,
        cx.submit_tool("double", json!({}))?,
    );
    Ok(one.value::<i64>().await? + two.value::<i64>().await?)
}

/// Asks, and works in the background.
#[async_tool(mcp = "required")]
async fn first_asks(#[inject] cx: ToolContext) -> Result<String, ToolError> {
    let user: UserName = cx.request("Name?").await?;
    sleep(Duration::from_secs(60)).await;
    Ok(format!("hello {}", user.name))
}

fn server() -> async_tool_mcp::McpServer {
    serve(tools![greet, double, delete, both, first_asks]).ask_first("first_asks")
}

fn accept(content: Value) -> Value {
    json!({"action": "accept", "content": content})
}

fn keys(task: &Value) -> Vec<String> {
    task["inputRequests"]
        .as_object()
        .map(|requests| requests.keys().cloned().collect())
        .unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_question_is_a_form_with_a_key_of_its_own() {
    let client = Http::new(server(), with_forms());
    let id = client.start("greet", json!({})).await;
    let task = client.until(&id, "input_required").await;
    assert_eq!(keys(&task), ["name"]);
    let asked = &task["inputRequests"]["name"];
    assert_eq!(
        (&asked["method"], &asked["params"]["message"]),
        (&json!("elicitation/create"), &json!("First name?"))
    );
    assert_eq!(
        asked["params"]["requestedSchema"]["properties"]["name"]["type"],
        "string"
    );

    let ack = client
        .update(&id, json!({"name": accept(json!({"name": "Ada", "other": 1}))}))
        .await;
    assert_eq!(ack.last["result"], json!({"resultType": "complete"}));
    let task = client.until(&id, "input_required").await;
    assert_eq!(keys(&task), ["name_2"], "a key is used once");
    // The answered key again, and one that never was.
    client
        .update(
            &id,
            json!({"name": accept(json!({"name": "Eve"})), "x": {"action": "accept"}}),
        )
        .await;
    assert_eq!(keys(&client.task(&id).await), ["name_2"]);
    client
        .update(&id, json!({"name_2": accept(json!({"name": "Lovelace"}))}))
        .await;
    let task = client.until(&id, "completed").await;
    assert_eq!(task["result"]["content"][0]["text"], "hello Ada Lovelace");
    // Too late: acknowledged, and without effect.
    let ack = client
        .update(&id, json!({"name_2": accept(json!({"name": "Eve"}))}))
        .await;
    assert_eq!(ack.last["result"], json!({"resultType": "complete"}));
}

#[tokio::test(start_paused = true)]
async fn questions_can_be_answered_one_by_one() {
    let client = Http::new(server(), with_forms());
    let id = client.start("both", json!({})).await;
    let task = loop {
        let task = client.until(&id, "input_required").await;
        if keys(&task).len() == 2 {
            break task;
        }
    };
    let keys_of_both = keys(&task);
    client
        .update(&id, json!({&keys_of_both[0]: accept(json!({"answer": 4}))}))
        .await;
    let task = client.task(&id).await;
    assert_eq!(
        (&task["status"], keys(&task)),
        (&json!("input_required"), vec![keys_of_both[1].clone()])
    );
    client
        .update(&id, json!({&keys_of_both[1]: accept(json!({"answer": 17}))}))
        .await;
    assert_eq!(
        client.until(&id, "completed").await["result"]["content"][0]["text"],
        "42"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_fit_is_asked_for_again_under_another_key() {
    let client = Http::new(server(), with_forms());
    let id = client.start("double", json!({})).await;
    assert_eq!(keys(&client.until(&id, "input_required").await), ["answer"]);
    client
        .update(&id, json!({"answer": accept(json!({"answer": "many"}))}))
        .await;
    let task = client.task(&id).await;
    assert_eq!(
        (&task["status"], keys(&task)),
        (&json!("input_required"), vec!["answer_2".to_owned()])
    );
    let message = task["inputRequests"]["answer_2"]["params"]["message"].as_str().unwrap();
    assert!(
        message.contains("Which number?") && message.contains("fit"),
        "{message}"
    );
    client.update(&id, json!({"answer_2": 7})).await;
    client
        .update(&id, json!({"answer_3": accept(json!({"answer": 21}))}))
        .await;
    assert_eq!(
        client.until(&id, "completed").await["result"]["content"][0]["text"],
        "42"
    );
}

#[tokio::test(start_paused = true)]
async fn a_declined_question_is_an_error_of_the_tool() {
    let client = Http::new(server(), with_forms());
    let id = client.start("double", json!({})).await;
    client.until(&id, "input_required").await;
    client.update(&id, json!({"answer": {"action": "decline"}})).await;
    let task = client.until(&id, "completed").await;
    assert_eq!(task["result"]["isError"], true);
}

#[tokio::test(start_paused = true)]
async fn approval_is_a_question_too() {
    let client = Http::new(server(), with_forms());
    for (response, is_error) in [
        (accept(json!({"approve": true})), false),
        (accept(json!({"approve": false})), true),
        (json!({"action": "cancel"}), true),
    ] {
        let id = client.start("delete", json!({"path": "a.txt"})).await;
        let task = client.until(&id, "input_required").await;
        assert_eq!(keys(&task), ["approval"]);
        assert!(
            task["inputRequests"]["approval"]["params"]["message"]
                .as_str()
                .unwrap()
                .contains("a.txt")
        );
        client.update(&id, json!({"approval": response})).await;
        assert_eq!(client.until(&id, "completed").await["result"]["isError"], is_error);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_is_asked_only_what_it_declares() {
    let client = Http::new(server(), with_tasks());
    let only_urls = json!({"extensions": with_tasks()["extensions"], "elicitation": {"url": {}}});
    for capabilities in [with_tasks(), only_urls] {
        let client = client.with(capabilities);
        let id = client.start("double", json!({})).await;
        let task = client.until(&id, "completed").await;
        assert_eq!(task["result"]["isError"], true);
        assert!(
            task["result"]["content"][0]["text"]
                .as_str()
                .unwrap()
                .contains("elicitation"),
            "{task}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_ordinary_call_is_asked_in_its_reply() {
    let client = Http::new(server(), json!({"elicitation": {"form": {}}}));
    let arguments = json!({"name": "greet", "arguments": {}});
    let first = client.ask("tools/call", arguments.clone()).await.last["result"].clone();
    assert_eq!(first["resultType"], "input_required");
    assert!(first.get("taskId").is_none());
    let retry = |state: &Value, responses: Value| {
        let mut params = arguments.clone();
        params["requestState"] = state.clone();
        params["inputResponses"] = responses;
        client.ask("tools/call", params)
    };
    // Without an answer, it is asked again.
    let again = retry(&first["requestState"], json!({})).await.last["result"].clone();
    assert_eq!(again["inputRequests"], first["inputRequests"]);
    let second = retry(&first["requestState"], json!({"name": accept(json!({"name": "Ada"}))}))
        .await
        .last["result"]
        .clone();
    assert_eq!(keys(&second), ["name_2"]);
    let last = json!({"name_2": accept(json!({"name": "Lovelace"}))});
    let reply = retry(&second["requestState"], last.clone()).await;
    assert_eq!(reply.text_of_result(), "hello Ada Lovelace");
    // The reply got lost, and the client asks again: the tool runs once.
    assert_eq!(
        retry(&second["requestState"], last.clone()).await.text_of_result(),
        "hello Ada Lovelace"
    );

    let others = client.header("authorization", "Bearer eve");
    let mut params = arguments.clone();
    (params["requestState"], params["inputResponses"]) = (second["requestState"].clone(), last);
    assert_eq!(
        others.ask("tools/call", params.clone()).await.last["error"]["code"],
        -32602
    );
    params["requestState"] = json!("mcp-1");
    assert_eq!(client.ask("tools/call", params).await.last["error"]["code"], -32602);
}

#[tokio::test(start_paused = true)]
async fn questions_before_a_task_are_asked_in_the_reply() {
    let client = Http::new(server(), with_forms());
    let first = client.call("first_asks", json!({})).await.last["result"].clone();
    assert_eq!(
        (&first["resultType"], keys(&first)),
        (&json!("input_required"), vec!["name".to_owned()])
    );
    let params = json!({
        "name": "first_asks",
        "arguments": {},
        "requestState": first["requestState"],
        "inputResponses": {"name": accept(json!({"name": "Ada"}))},
    });
    let second = client.ask("tools/call", params).await.last["result"].clone();
    assert_eq!(second["resultType"], "task");
    assert!(second.get("requestState").is_none());
    let task = client.until(second["taskId"].as_str().unwrap(), "completed").await;
    assert_eq!(task["result"]["content"][0]["text"], "hello Ada");
}

#[tokio::test(start_paused = true)]
async fn a_call_without_an_answer_is_given_up() {
    let client = Http::new(server().patience(Duration::from_secs(5)), json!({"elicitation": {}}));
    let first = client.call("double", json!({})).await.last["result"].clone();
    sleep(Duration::from_secs(60)).await;
    let params =
        json!({"name": "double", "arguments": {}, "requestState": first["requestState"], "inputResponses": {}});
    let reply = client.ask("tools/call", params).await;
    assert!(
        reply.last["error"]["message"]
            .as_str()
            .unwrap()
            .contains("no answer came in time"),
        "{}",
        reply.text
    );
}

#[tokio::test(start_paused = true)]
async fn a_legacy_caller_is_asked_by_a_request() {
    let mut client = Stdio::legacy(server(), json!({"elicitation": {}})).await;
    client
        .send(&super::stand::request(
            1,
            "tools/call",
            &json!({"name": "double", "arguments": {}}),
        ))
        .await;
    let asked = client.receive().await;
    assert_eq!(
        (&asked["method"], &asked["params"]["message"]),
        (&json!("elicitation/create"), &json!("Which number?"))
    );
    client
        .send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": accept(json!({"answer": 21}))}))
        .await;
    let reply = client.receive().await;
    assert_eq!(reply["result"]["content"][0]["text"], "42");
}
