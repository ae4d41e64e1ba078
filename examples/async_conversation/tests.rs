use std::sync::{Arc, Mutex};

use clap::Parser as _;
use serde_json::{Value, json};

use crate::{
    arguments::Arguments,
    conversation::hold,
    scripted::{Reply, Server},
};

/// Lines and result of a conversation.
struct Told {
    lines: Vec<Value>,
    result: anyhow::Result<()>,
}

impl Told {
    async fn by(server: &Server, options: &[&str]) -> Self {
        Self::at(&server.base_url, options).await
    }

    async fn at(base_url: &str, options: &[&str]) -> Self {
        let command = [
            "async_conversation",
            "--provider",
            "openai",
            "--model",
            "scripted",
            "--base-url",
            base_url,
        ];
        let arguments = Arguments::try_parse_from(command.iter().chain(options)).unwrap();
        let lines = Arc::<Mutex<Vec<Value>>>::default();
        let printed = Arc::clone(&lines);
        let result = hold(&arguments, move |line| printed.lock().unwrap().push(line)).await;
        let lines = std::mem::take(&mut *lines.lock().unwrap());
        Self { lines, result }
    }

    fn named(&self, name: &str) -> Vec<&Value> {
        self.lines.iter().filter(|line| line["event"] == name).collect()
    }

    fn place(&self, name: &str, task: &str) -> usize {
        let of_task = |line: &&Value| line["task"] == task || line["tasks"] == json!([task]);
        let place = self
            .lines
            .iter()
            .position(|line| line["event"] == name && of_task(&line));
        place.unwrap_or_else(|| panic!("no {name} of {task} in {:#?}", self.lines))
    }

    fn summary(&self) -> &Value {
        let last = self.lines.last().unwrap();
        assert_eq!(last["event"], "summary");
        last
    }
}

fn calls() -> Reply {
    Reply::Calls(vec![
        ("call_a", "get_weather", json!({"city": "Oslo"})),
        ("call_b", "search", json!({"query": "ferries in Oslo"})),
    ])
}

/// Number of messages that answer this call.
fn answers(body: &Value, call: &str) -> usize {
    let messages = body["messages"].as_array().unwrap();
    messages
        .iter()
        .filter(|message| message["tool_call_id"] == call)
        .count()
}

#[tokio::test]
async fn results_come_out_of_order_and_every_request_has_one_answer_to_each_call() {
    let server = Server::start([
        calls(),
        Reply::Text("I am looking."),
        Reply::Text("There are ferries."),
        Reply::Text("And it snows."),
    ])
    .await;
    let options = [
        "--delays",
        "get_weather=0.6,search=0.2",
        "--grace",
        "0.02",
        "--prompt",
        "Oslo?",
    ];
    let told = Told::by(&server, &options).await;
    told.result.as_ref().unwrap();

    assert!(told.place("ack", "t1") < told.place("delivery", "t2"));
    assert!(told.place("settled", "t2") < told.place("delivery", "t2"));
    assert!(told.place("delivery", "t2") < told.place("delivery", "t1"));
    assert_eq!(told.lines[told.place("call", "t1")]["call"], "call_a");
    assert_eq!(told.lines[told.place("settled", "t1")]["result"]["celsius"], -3.5);
    // Words that arrive together may be one event, so the number is not exact.
    assert!(told.named("text").len() > 3, "text is streamed");

    let summary = told.summary();
    assert_eq!(summary["outcome"], "quiescent");
    for (name, number) in [
        ("turns", 4),
        ("calls", 2),
        ("acks", 2),
        ("deliveries", 2),
        ("answers", 0),
    ] {
        assert_eq!(summary[name], number, "{name}");
    }
    assert_eq!(summary["text"], "And it snows.");
    assert_eq!(
        (&summary["usage"]["input"], &summary["usage"]["output"]),
        (&json!(400), &json!(40))
    );

    let bodies = server.bodies();
    assert_eq!(bodies.len(), 4);
    assert_eq!(bodies[0]["stream"], true);
    for body in &bodies[1..] {
        assert_eq!((answers(body, "call_a"), answers(body, "call_b")), (1, 1), "{body:#}");
    }
    let late = bodies[3]["messages"].as_array().unwrap().last().unwrap();
    assert_eq!(late["role"], "user");
    assert!(late["content"].to_string().contains("-3.5"), "{late}");
}

#[tokio::test]
async fn a_quick_call_is_answered_and_the_user_speaks_before_a_slow_one_is_cancelled() {
    let server = Server::start([
        calls(),
        Reply::Text("Here are the ferries."),
        Reply::Text("You are welcome."),
        Reply::Text("It was cancelled."),
        Reply::Text("Anything else?"),
    ])
    .await;
    let delays = ["--delays", "get_weather=60,search=0", "--grace", "0.3"];
    let script = ["--prompt", "Oslo?", "--say", "0.6=Thanks", "--cancel", "0.9=t1"];
    let told = Told::by(&server, &[&delays[..], &script[..]].concat()).await;
    told.result.as_ref().unwrap();
    assert!(told.place("answer", "t2") < told.place("cancel_requested", "t1"));
    assert!(told.place("cancelled", "t1") < told.place("delivery", "t1"));
    assert_eq!(told.named("user").len(), 2);
    let summary = told.summary();
    assert_eq!(
        (&summary["answers"], &summary["acks"], &summary["cancelled"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(summary["outcome"], "quiescent");
}

#[tokio::test]
async fn a_request_that_is_refused_ends_the_conversation_with_what_the_provider_said() {
    let refusal = json!({"error": {"message": "Incorrect API key provided", "type": "invalid_request_error"}});
    let server = Server::start([Reply::Refusal(401, refusal)]).await;
    let told = Told::by(&server, &["--prompt", "Hello", "--say", "60=Are you there?"]).await;
    let error = format!("{:#}", told.result.as_ref().unwrap_err());
    assert!(error.contains("Incorrect API key"), "{error}");
    assert_eq!(told.named("turn_failed")[0]["retry_in_ms"], Value::Null);
    assert_eq!(told.named("error")[0]["message"], error);
    assert_eq!(told.summary()["outcome"], "failed");
    assert_eq!(server.bodies().len(), 1, "a refusal is not retried");
}

#[tokio::test]
async fn a_conversation_that_can_t_begin_is_told_as_such() {
    let told = Told::at("nonsense", &["--prompt", "Hello"]).await;
    assert!(told.result.is_err());
    let names: Vec<&Value> = told.lines.iter().map(|line| &line["event"]).collect();
    assert_eq!(names, ["error", "summary"]);
}

#[tokio::test]
async fn a_failure_in_passing_is_tried_again() {
    let busy = || Reply::Refusal(503, json!({"error": {"message": "busy"}}));
    let server = Server::start([busy(), Reply::Text("Hello.")]).await;
    let told = Told::by(&server, &["--prompt", "Hello"]).await;
    told.result.as_ref().unwrap();
    let summary = told.summary();
    assert_eq!(
        (&summary["turns_failed"], &summary["text"]),
        (&json!(1), &json!("Hello."))
    );

    let server = Server::start([busy()]).await;
    let told = Told::by(&server, &["--prompt", "Hello", "--retries", "0"]).await;
    assert!(told.result.is_err());
}

#[tokio::test]
async fn a_task_that_never_comes_to_be_can_t_be_cancelled() {
    let server = Server::start([Reply::Text("Hello.")]).await;
    let told = Told::by(&server, &["--prompt", "Hello", "--cancel", "0=t7"]).await;
    let error = told.result.as_ref().unwrap_err().to_string();
    assert!(error.contains("t7"), "{error}");
    assert_eq!(told.summary()["outcome"], "failed");
}

#[tokio::test]
async fn a_budget_of_tokens_stops_the_run() {
    let server = Server::start([calls(), Reply::Text("Never asked for.")]).await;
    let options = [
        "--delays",
        "get_weather=0,search=0",
        "--budget",
        "100",
        "--prompt",
        "Oslo?",
    ];
    let told = Told::by(&server, &options).await;
    let error = told.result.as_ref().unwrap_err().to_string();
    assert!(error.contains("100 tokens"), "{error}");
    assert_eq!((told.named("limit").len(), server.bodies().len()), (1, 1));
}

#[test]
fn mistakes_on_the_command_line_are_named() {
    let model = [
        "async_conversation",
        "--provider",
        "openai",
        "--model",
        "m",
        "--prompt",
        "p",
    ];
    for (option, value, expected) in [
        ("--delays", "get_wether=1", "get_weather"), // typos:ignore
        ("--delays", "search", "tool=seconds"),
        ("--delays", "search=-1", "-1"),
        ("--delays", "search=soon", "soon"),
        ("--say", "Hello", "a time"),
        ("--cancel", "1=two", "two"),
    ] {
        let error = Arguments::try_parse_from(model.iter().chain([&option, &value]));
        let error = error.expect_err(value).to_string();
        assert!(error.contains(expected), "{error}");
    }
    let error = Arguments::try_parse_from(["async_conversation", "--provider", "unknown"]);
    let error = error.expect_err("there is no such provider").to_string();
    assert!(error.contains("openai-native"), "{error}");
    let arguments = Arguments::try_parse_from(model.iter().chain([&"--no-stream", &"--stream"])).unwrap();
    assert!(!arguments.no_stream, "the last of the two options is used");
}
