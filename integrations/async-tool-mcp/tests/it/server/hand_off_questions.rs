//! Questions of calls that are handed off.

use std::time::Duration;

use async_tool_mcp::McpServer;
use async_tool_runtime::{ToolContext, ToolError, async_tool, tools};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::stand::{Http, LEGACY, Reply, Stdio, request, serve};

const SECOND: Duration = Duration::from_secs(1);

/// Works, asks, and works again.
#[async_tool(hand_off(after = "45s"))]
async fn order(before_s: u64, after_s: u64, #[inject] cx: ToolContext) -> Result<String, ToolError> {
    sleep(Duration::from_secs(before_s)).await;
    let item: String = cx.request("Which item?").await?;
    sleep(Duration::from_secs(after_s)).await;
    Ok(format!("ordered {item}"))
}

/// Deletes, with approval.
#[async_tool(approval = "always", hand_off(after = "45s"))]
async fn delete() -> String {
    "deleted".to_owned()
}

fn server() -> McpServer {
    serve(tools![order, delete])
}

fn forms() -> Value {
    json!({"elicitation": {}})
}

fn call(tool: &str, arguments: &Value) -> Value {
    json!({"name": tool, "arguments": arguments})
}

fn accept(content: Value) -> Value {
    json!({"action": "accept", "content": content})
}

fn text(reply: &Value) -> &str {
    reply["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_else(|| panic!("no text: {reply}"))
}

fn handle(notice: &str) -> String {
    let after = notice.split("handle ").nth(1);
    let after = after.unwrap_or_else(|| panic!("no handle: {notice}"));
    after.split('.').next().unwrap().to_owned()
}

impl Stdio {
    async fn answer(&mut self, question: &Value, result: Value) {
        assert_eq!(question["method"], "elicitation/create", "{question}");
        self.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": result}))
            .await;
    }

    /// Calls, and returns the question and the handle of the notice after it.
    async fn handed_off(&mut self, tool: &str, arguments: Value) -> (Value, String) {
        self.send(&request(1, "tools/call", &call(tool, &arguments))).await;
        let question = self.receive().await;
        assert_eq!(question["method"], "elicitation/create", "{question}");
        let notice = self.receive().await;
        assert_eq!(notice["id"], 1, "{notice}");
        (question, handle(text(&notice)))
    }

    async fn wait(&mut self, id: u64, handle: &str, wait_s: u64) {
        let params = call("await_result", &json!({"handle": handle, "wait_s": wait_s}));
        self.send(&request(id, "tools/call", &params)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_form_that_is_open_at_the_hand_off_can_still_be_answered() {
    for (tool, arguments, content, expected) in [
        (
            "order",
            json!({"before_s": 30, "after_s": 0}),
            json!({"answer": "tea"}),
            "ordered tea",
        ),
        ("delete", json!({}), json!({"approve": true}), "deleted"),
    ] {
        let mut client = Stdio::legacy(server(), forms()).await;
        let (question, handle) = client.handed_off(tool, arguments).await;
        // Nor does the end of a further wait close it, and it isn't asked twice.
        client.wait(2, &handle, 45).await;
        let notice = client.receive().await;
        assert_eq!(notice["id"], 2, "{notice}");
        assert!(text(&notice).contains("still running"), "{notice}");
        sleep(60 * SECOND).await;
        client.answer(&question, accept(content)).await;
        client.wait(3, &handle, 45).await;
        assert_eq!(text(&client.receive().await), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_form_that_a_client_closes_with_its_request_is_no_refusal_and_is_shown_again() {
    let mut client = Stdio::legacy(server(), forms()).await;
    let (question, handle) = client.handed_off("order", json!({"before_s": 0, "after_s": 0})).await;
    client.answer(&question, json!({"action": "cancel"})).await;
    sleep(SECOND).await;
    client.wait(2, &handle, 45).await;
    let again = client.receive().await;
    client.answer(&again, accept(json!({"answer": "tea"}))).await;
    assert_eq!(text(&client.receive().await), "ordered tea");
}

#[tokio::test(start_paused = true)]
async fn a_user_who_declines_is_heard_before_and_after_the_hand_off() {
    let mut client = Stdio::legacy(server(), forms()).await;
    let arguments = json!({"before_s": 0, "after_s": 0});
    let (question, handle) = client.handed_off("order", arguments.clone()).await;
    client.answer(&question, json!({"action": "decline"})).await;
    client.wait(2, &handle, 45).await;
    let declined = client.receive().await;
    assert_eq!(declined["result"]["isError"], true, "{declined}");
    client.send(&request(3, "tools/call", &call("order", &arguments))).await;
    let question = client.receive().await;
    client.answer(&question, json!({"action": "cancel"})).await;
    let dismissed = client.receive().await;
    assert!(text(&dismissed).contains("dismissed"), "{dismissed}");
}

#[tokio::test(start_paused = true)]
async fn a_form_without_an_answer_is_withdrawn_and_its_call_is_stopped() {
    // In the request of the call, and after its hand-off.
    for patience in [20, 120] {
        let server = server().patience(patience * SECOND);
        let mut client = Stdio::legacy(server, forms()).await;
        let params = call("order", &json!({"before_s": 0, "after_s": 0}));
        client.send(&request(1, "tools/call", &params)).await;
        let question = client.receive().await;
        let (mut handed_off, mut withdrawn, mut end) = (None, None, None);
        while let Some(message) = client.within((patience + 10) * SECOND).await {
            match &message {
                message if message["method"] == "notifications/cancelled" => withdrawn = Some(message.clone()),
                message if message["result"].is_object() => handed_off = Some(handle(text(message))),
                message => end = Some(message.clone()),
            }
        }
        assert_eq!(withdrawn.expect("withdrawn")["params"]["requestId"], question["id"]);
        assert_eq!(handed_off.is_some(), patience > 45);
        if let Some(handle) = handed_off {
            client.wait(2, &handle, 0).await;
            end = Some(client.receive().await);
        }
        let end = end.expect("an end");
        assert!(
            end["error"]["message"]
                .as_str()
                .unwrap()
                .contains("no answer came in time"),
            "{end}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_that_no_request_waits_for_has_its_time_too() {
    let server = server().patience(30 * SECOND);
    let arguments = json!({"before_s": 60, "after_s": 0});
    let mut legacy = Stdio::legacy(server.clone(), forms()).await;
    let reply = legacy.ask(1, "tools/call", call("order", &arguments)).await;
    let modern = Http::new(server, forms());
    let handles = [
        handle(text(&reply)),
        handle(modern.call("order", arguments.clone()).await.text_of_result()),
    ];
    sleep(120 * SECOND).await;
    legacy.wait(2, &handles[0], 0).await;
    let ends = [
        legacy.receive().await,
        modern.call("await_result", json!({"handle": handles[1]})).await.last,
    ];
    for end in ends {
        let why = end["error"]["message"].as_str();
        assert!(why.unwrap_or_default().contains("no answer came in time"), "{end}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_question_was_answered_has_all_its_time() {
    let client = Http::new(server().patience(50 * SECOND), forms());
    let first = client.call("order", json!({"before_s": 0, "after_s": 300})).await;
    let mut params = call("order", &json!({"before_s": 0, "after_s": 300}));
    params["requestState"] = first.last["result"]["requestState"].clone();
    params["inputResponses"] = json!({"answer": accept(json!({"answer": "tea"}))});
    let notice = client.ask("tools/call", params).await;
    let handle = handle(notice.text_of_result());
    sleep(400 * SECOND).await;
    let end = client.call("await_result", json!({"handle": handle})).await;
    assert_eq!(end.text_of_result(), "ordered tea");
}

#[tokio::test(start_paused = true)]
async fn a_question_after_the_hand_off_is_answered_through_the_companion() {
    let client = Http::new(server(), forms());
    let one = client.call("order", json!({"before_s": 60, "after_s": 0})).await;
    let other = client.call("order", json!({"before_s": 60, "after_s": 0})).await;
    let (one, other) = (handle(one.text_of_result()), handle(other.text_of_result()));
    let asked = client.call("await_result", json!({"handle": one})).await;
    let asked = &asked.last["result"];
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let retry = async |handle: &str, state: &Value, responses: Value| -> Reply {
        let mut params = call("await_result", &json!({"handle": handle}));
        params["requestState"] = state.clone();
        params["inputResponses"] = responses;
        client.ask("tools/call", params).await
    };
    let state = &asked["requestState"];
    // An answer to the question of one call is none to that of another.
    let tea = json!({"answer": accept(json!({"answer": "tea"}))});
    for (handle, state) in [(&other, state), (&one, &json!("mcp-1")), (&one, &Value::Null)] {
        let refused = retry(handle, state, tea.clone()).await;
        assert_eq!(refused.last["error"]["code"], -32602, "{}", refused.text);
    }
    // Without an answer, it is asked again.
    let again = retry(&one, state, json!({})).await;
    assert_eq!(again.last["result"]["inputRequests"], asked["inputRequests"]);
    assert_eq!(retry(&one, state, tea).await.text_of_result(), "ordered tea");
}

#[tokio::test(start_paused = true)]
async fn an_older_client_over_http_is_asked_on_the_stream_of_its_call() {
    let client = Http::new(server(), forms());
    let hello =
        json!({"protocolVersion": LEGACY, "capabilities": forms(), "clientInfo": {"name": "stand", "version": "1"}});
    let hello = client
        .post(&request(0, "initialize", &hello).to_string(), Vec::new())
        .await;
    let session = hello.headers["mcp-session-id"].to_str().unwrap().to_owned();
    let client = client
        .header("mcp-session-id", session)
        .header("mcp-protocol-version", LEGACY);
    let post = async |message: Value| client.post(&message.to_string(), Vec::new()).await;
    post(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
    let params = call("order", &json!({"before_s": 30, "after_s": 0}));
    let reply = post(request(1, "tools/call", &params)).await;
    let handle = handle(reply.text_of_result());
    let question = reply
        .before
        .iter()
        .find(|message| message["method"] == "elicitation/create");
    let id = &question.unwrap_or_else(|| panic!("{}", reply.text))["id"];
    let answer = accept(json!({"answer": "tea"}));
    post(json!({"jsonrpc": "2.0", "id": id, "result": answer})).await;
    let params = call("await_result", &json!({"handle": handle}));
    assert_eq!(
        post(request(2, "tools/call", &params)).await.text_of_result(),
        "ordered tea"
    );
}
