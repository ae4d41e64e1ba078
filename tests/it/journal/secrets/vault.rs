//! Secrets, tools that take and give them, and the check that a journal holds none.

use std::time::Duration;

use async_tool_runtime::{
    AgentEventKind, Effect, FunctionTool, TaskId, ToolCall, ToolContext, ToolDefinition, ToolError,
    agent::{AsyncAgentBuilder, Ledger, RunError, RunLimit},
    journal::Entry,
    model::{ModelEvent, ModelStream, StopReason, TurnEnd},
    policy::Approval,
    testing::check_journal,
    tool::{Background, BoundCall},
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::stand::{Stage, answering};

/// A secret that JSON and frames escape. Its beginning and its end look the same in every form.
pub(super) const SECRET: &str = "zq9K7 \"\\<&>\u{202e}é\n wv8J4";

/// A secret that is too short to be recognised in a text.
pub(super) const PIN: u64 = 83_617;

pub(super) fn holds_secret(text: &str) -> bool {
    ["zq9K7", "wv8J4"].iter().any(|part| text.contains(part))
}

/// True if the value holds the PIN. Ids of tasks may hold these digits by chance.
pub(super) fn holds_pin(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_u64() == Some(PIN),
        Value::String(text) => text.parse::<TaskId>().is_err() && text.contains(&PIN.to_string()),
        Value::Array(items) => items.iter().any(holds_pin),
        Value::Object(fields) => fields.values().any(holds_pin),
        Value::Null | Value::Bool(_) => false,
    }
}

pub(super) fn written(entries: &[Entry]) -> String {
    serde_json::to_string(entries).unwrap()
}

/// Checks that the journal is sound and holds no secret.
#[track_caller]
pub(super) fn check_kept(entries: &[Entry]) {
    for entry in entries {
        let text = serde_json::to_string(entry).unwrap();
        assert!(!holds_secret(&text), "{text}");
        assert!(!holds_pin(&serde_json::to_value(entry).unwrap()), "{text}");
    }
    check_journal(entries).unwrap_or_else(|violation| panic!("{violation}"));
    Ledger::fold(entries).unwrap();
    // A journal is text.
    let read: Vec<Entry> = serde_json::from_str(&written(entries)).unwrap();
    assert_eq!(read, entries);
}

pub(super) fn tool<F, Fut>(name: &str, arguments: &[&str], run: F) -> FunctionTool
where
    F: Fn(Value, ToolContext) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, ToolError>> + Send + 'static,
{
    let properties: serde_json::Map<String, Value> =
        arguments.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
    let schema = json!({"type": "object", "properties": properties});
    FunctionTool::from_parts(ToolDefinition::new(name, "A tool.", schema), move |arguments| {
        let (run, arguments) = (run.clone(), arguments.value().clone());
        Ok(BoundCall::future(move |cx| run(arguments, cx)))
    })
    .background(Background::Auto)
}

/// The value without the short secret, which no tool may repeat: it can't be recognised by its looks.
fn without_pin(value: &Value) -> Value {
    serde_json::from_str(&value.to_string().replace(&PIN.to_string(), "0")).unwrap()
}

/// A tool that takes a secret and, after `ms`, uses it as `how` says.
pub(super) fn log_in() -> FunctionTool {
    tool(
        "log_in",
        &["user", "password", "how", "ms"],
        |arguments, cx| async move {
            let password = without_pin(&arguments["password"]);
            let text = password.as_str().map_or_else(|| password.to_string(), str::to_owned);
            cx.progress().message(format!("trying {text}"));
            sleep(Duration::from_millis(arguments["ms"].as_u64().unwrap_or(0))).await;
            match arguments["how"].as_str() {
                Some("echo") => Ok(json!({"user": arguments["user"], "with": [password], text: "said"})),
                Some("nest") => Ok(json!(json!({"with": text}).to_string())),
                Some("long") => Ok(json!(format!("{} {text} {}", "x".repeat(240), "y".repeat(900)))),
                Some("fail") => Err(ToolError::failed(format!("{text:?} and {text} are wrong"))
                    .with_model_message(json!({"not": text}).to_string())),
                Some("long_fail") => Err(ToolError::failed(format!("{} {text}", "x".repeat(490)))),
                Some("panic") => panic!("it was {text}"),
                _ => Ok(json!("welcome")),
            }
        },
    )
    .effect(Effect::Read)
    .sensitive_arguments(["password"])
    .result_limit(256)
}

/// A tool that returns a secret after `ms`.
pub(super) fn vault() -> FunctionTool {
    tool("vault", &["how", "ms"], |arguments, cx| async move {
        cx.progress().message(format!("{PIN} found"));
        sleep(Duration::from_millis(arguments["ms"].as_u64().unwrap_or(0))).await;
        match arguments["how"].as_str() {
            Some("fail") => Err(ToolError::failed(format!("{PIN} has expired"))),
            Some("long") => Ok(json!({"token": SECRET, "pin": PIN, "rest": "x".repeat(2_000)})),
            Some("list") => Ok(json!([PIN, SECRET])),
            _ => Ok(json!({"token": SECRET, "pin": PIN})),
        }
    })
    .effect(Effect::Read)
    .sensitive_result(true)
    .result_limit(512)
}

/// A tool that takes the results of others.
pub(super) fn use_it() -> FunctionTool {
    tool("use_it", &["what", "ms"], |arguments, _| async move {
        sleep(Duration::from_millis(arguments["ms"].as_u64().unwrap_or(0))).await;
        match &arguments["what"] {
            Value::Null => Err(ToolError::failed("nothing to use")),
            what => Ok(json!({"used": without_pin(what)})),
        }
    })
    .futures(true)
}

/// A tool that needs approval.
pub(super) fn pay() -> FunctionTool {
    tool("pay", &["card", "amount"], |_, _| async { Ok(json!("paid")) })
        .sensitive_arguments(["card"])
        .approval(Approval::Always)
        .effect(Effect::Read)
}

pub(super) fn everything() -> [FunctionTool; 4] {
    [log_in(), vault(), use_it(), pay()]
}

/// Plays a session to its rest; every question is approved.
pub(super) async fn play(
    turns: Vec<Vec<(String, Value)>>,
    said: Vec<String>,
    adjust: impl FnOnce(AsyncAgentBuilder) -> AsyncAgentBuilder,
) -> Stage {
    let model = answering(move |request, asked| {
        let Some(turn) = turns.get(asked - 1) else {
            return ModelStream::text("done");
        };
        // The model quotes the last messages.
        let heard = request
            .messages
            .last()
            .map(|message| format!("{message:?}"))
            .unwrap_or_default();
        let calls = turn.iter().enumerate().map(|(at, (tool, arguments))| {
            let arguments = arguments.to_string();
            let arguments = async_tool_runtime::tool::Arguments::from_text(arguments);
            ModelEvent::ToolCall(ToolCall::new(format!("c{asked}-{at}"), tool.as_str(), arguments))
        });
        let blocks = json!({"blocks": turn.iter().map(|(_, arguments)| arguments.to_string()).collect::<Vec<_>>()});
        let end = TurnEnd::new(StopReason::ToolCalls).with_provider(blocks);
        let quoted = holds_secret(&heard).then(|| ModelEvent::Text(format!("I shall use {SECRET}. ")));
        ModelStream::from_events(quoted.into_iter().chain(calls).chain([ModelEvent::Done(end)]))
    });
    let stage = Stage::set(model, everything(), adjust).await;
    let (mut events, manager) = (stage.agent.events(), stage.manager.clone());
    let people = tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if let AgentEventKind::InputRequired {
                asking,
                request: Some(_),
                ..
            } = event.kind
            {
                let _it_may_have_ended = manager.approve(asking);
            }
        }
    });
    for text in said {
        match stage.talk(&text).await {
            // Random turns may fail the same way three times.
            Ok(_) | Err(RunError::Limit(RunLimit::Repetition)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    people.abort();
    stage
}

pub(super) fn turn<const N: usize>(calls: [(&str, Value); N]) -> Vec<(String, Value)> {
    calls.map(|(tool, arguments)| (tool.to_owned(), arguments)).into()
}
