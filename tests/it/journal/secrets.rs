//! What is marked never reaches a journal.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, Effect, FunctionTool, Journal, Message, SessionId, TaskId,
    TaskOutcome, Tool, ToolCall, ToolContext, ToolDefinition, ToolError, ToolErrorKind,
    agent::{
        AgentError, AgentPolicy, AsyncAgentBuilder, Ledger, REDACTED, StartError,
        machine::{AgentAction, AgentInput, AgentMachine},
    },
    async_tool,
    context::PrunePolicy,
    journal::{AppendError, CallAnswer, Entry, MemoryJournal, Seq},
    model::{ModelEvent, ModelStream, StopReason, TurnEnd},
    policy::Approval,
    task::Timestamp,
    testing::{ScriptedModel, check_journal},
    tool::{Background, BoundCall, InputRequest, LostTask, Reconciled},
};
use proptest::{prelude::*, test_runner::Config};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::stand::{FailingJournal, Fault, Notes, Stage, answering, calls, playing, text_of, until};

/// A secret that JSON and frames write otherwise than it is. Its beginning and its end look the same in every form.
const SECRET: &str = "zq9K7 \"\\<&>\u{202e}é\n wv8J4";
/// A secret that is too short to be known again in a text.
const PIN: u64 = 83_617;

fn holds_secret(text: &str) -> bool {
    ["zq9K7", "wv8J4"].iter().any(|part| text.contains(part))
}

/// In the ids of tasks any digits may stand.
fn holds_pin(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_u64() == Some(PIN),
        Value::String(text) => text.parse::<TaskId>().is_err() && text.contains(&PIN.to_string()),
        Value::Array(items) => items.iter().any(holds_pin),
        Value::Object(fields) => fields.values().any(holds_pin),
        Value::Null | Value::Bool(_) => false,
    }
}

fn written(entries: &[Entry]) -> String {
    serde_json::to_string(entries).unwrap()
}

/// Checks that the journal is sound and holds no secret.
#[track_caller]
fn check_kept(entries: &[Entry]) {
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

fn tool<F, Fut>(name: &str, arguments: &[&str], run: F) -> FunctionTool
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

/// What a tool may say of its arguments: that a short one is a secret, nobody can know by its looks.
fn without_pin(value: &Value) -> Value {
    serde_json::from_str(&value.to_string().replace(&PIN.to_string(), "0")).unwrap()
}

/// Takes a secret, and does with it as `how` says, after `ms`.
fn log_in() -> FunctionTool {
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

/// Gives a secret, after `ms`.
fn vault() -> FunctionTool {
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

/// Takes what others give.
fn use_it() -> FunctionTool {
    tool("use_it", &["what", "ms"], |arguments, _| async move {
        sleep(Duration::from_millis(arguments["ms"].as_u64().unwrap_or(0))).await;
        match &arguments["what"] {
            Value::Null => Err(ToolError::failed("nothing to use")),
            what => Ok(json!({"used": without_pin(what)})),
        }
    })
    .futures(true)
}

/// Must be approved.
fn pay() -> FunctionTool {
    tool("pay", &["card", "amount"], |_, _| async { Ok(json!("paid")) })
        .sensitive_arguments(["card"])
        .approval(Approval::Always)
        .effect(Effect::Read)
}

fn everything() -> [FunctionTool; 4] {
    [log_in(), vault(), use_it(), pay()]
}

/// A session whose people approve everything, until all has come to rest.
async fn play(
    turns: Vec<Vec<(String, Value)>>,
    said: Vec<String>,
    adjust: impl FnOnce(AsyncAgentBuilder) -> AsyncAgentBuilder,
) -> Stage {
    let model = answering(move |request, asked| {
        let Some(turn) = turns.get(asked - 1) else {
            return ModelStream::text("done");
        };
        // A model that quotes all that it was told last.
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
        stage.talk(&text).await.unwrap();
    }
    people.abort();
    stage
}

fn turn<const N: usize>(calls: [(&str, Value); N]) -> Vec<(String, Value)> {
    calls.map(|(tool, arguments)| (tool.to_owned(), arguments)).into()
}

#[async_tool(description = "Logs in.", effect = "read")]
async fn sign_in(user: String, #[arg(sensitive, rename = "passphrase")] password: String) -> String {
    format!("{user} is {}", password == SECRET)
}

#[async_tool(description = "Gives a token.", effect = "read", sensitive = "result")]
async fn token() -> String {
    SECRET.to_owned()
}

#[tokio::test(start_paused = true)]
async fn marked_arguments_and_results_are_kept_from_the_journal_and_shown_to_tools_and_model() {
    let definition = sign_in::tool().definition().clone();
    assert_eq!(
        definition.input_schema["properties"]["passphrase"],
        json!({"type": "string"}),
        "the model isn't told"
    );
    let model = playing([|| {
        calls([
            ("sign_in", json!({"user": "ada", "passphrase": SECRET})),
            ("token", json!({})),
        ])
    }]);
    let mut stage = Stage::set(model, [sign_in::tool(), token::tool()], |agent| agent).await;
    stage.talk("go").await.unwrap();
    let heard = text_of(&stage.request(2));
    assert!(heard.contains("ada is true"), "the function has it: {heard}");
    assert!(holds_secret(&heard), "the model has it: {heard}");
    stage
        .until(|kind| matches!(kind, AgentEventKind::Called { call, .. } if call.arguments["passphrase"] == SECRET))
        .await;

    let entries = stage.entries();
    check_kept(&entries);
    let arguments = entries.iter().find_map(|entry| match entry {
        Entry::Accepted { call, .. } if &*call.name == "sign_in" => Some((call.arguments.clone(), call.redacted)),
        _ => None,
    });
    let (arguments, is_marked) = arguments.unwrap();
    assert_eq!(arguments, json!({"user": "ada", "passphrase": REDACTED}));
    assert!(is_marked);
    let results: Vec<_> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Settled { result } => {
                Some((&*result.tool, result.outcome.value().unwrap().clone(), result.redacted))
            }
            _ => None,
        })
        .collect();
    assert!(results.contains(&("sign_in", json!("ada is true"), false)));
    assert!(results.contains(&("token", json!(REDACTED), true)));
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_gone_from_every_place_of_a_session() {
    let turns = vec![
        turn([
            ("log_in", json!({"user": "ada", "password": SECRET, "how": "echo"})),
            (
                "log_in",
                json!({"user": "ada", "password": SECRET, "how": "long", "ms": 900}),
            ),
            ("vault", json!({"how": "long", "ms": 1_000})),
            ("vault", json!({"how": "list"})),
            ("use_it", json!({"what": {"$task": "#3", "pointer": "/token"}})),
            ("use_it", json!({"what": [{"$task": "#4", "pointer": "/0"}]})),
            ("use_it", json!({"what": {"$task": "#4", "pointer": "/0"}})),
            ("pay", json!({"card": SECRET, "amount": 5})),
        ]),
        turn([
            ("task", json!({"action": "check"})),
            (
                "task",
                json!({"action": "wait", "tasks": ["t3"], "mode": "all", "seconds": 30}),
            ),
            (
                "task",
                json!({"action": "group", "tasks": ["t2", "t3"], "name": SECRET, "mode": "all"}),
            ),
        ]),
        turn([
            ("task", json!({"action": "result", "tasks": ["t3"], "grep": "token"})),
            (
                "task",
                json!({"action": "result", "tasks": ["t3"], "pointer": "/token"}),
            ),
            (
                "task",
                json!({"action": "result", "tasks": ["t3"], "pointer": "/pin/deeper"}),
            ),
            (
                "task",
                json!({"action": "result", "tasks": ["t2"], "offset": 240, "limit": 4}),
            ),
            (
                "task",
                json!({"action": "result", "tasks": ["t3"], "offset": 8, "limit": 3}),
            ),
        ]),
        turn([
            (
                "log_in",
                json!({"user": "ada", "password": {"deep": [SECRET]}, "how": "fail"}),
            ),
            ("log_in", json!({"user": "ada", "password": SECRET, "how": "panic"})),
            ("log_in", json!({"user": "ada", "password": SECRET, "how": "nest"})),
            ("log_in", json!({"user": "ada", "pass_word": SECRET})),
            ("login", json!({"password": PIN})),
            ("log_in", json!([SECRET])),
            ("vault", json!({"how": "fail"})),
            ("use_it", json!({"what": {"$task": "#7", "pointer": ""}})),
            ("use_it", json!({"what": {"$task": "t4", "pointer": "/0/deeper"}})),
            ("use_it", json!({"what": {"passed": SECRET}})),
            ("log_in", json!({"password": SECRET, "how": "long_fail", "ms": 10})),
        ]),
        turn([("use_it", json!({"what": {"$task": "t27", "pointer": ""}}))]),
    ];
    let said = ["go", &format!("was it {SECRET}?")].map(str::to_owned);
    let stage = play(turns, said.into(), |agent| agent).await;
    stage
        .agent
        .cancel(async_tool_runtime::TaskNo::new(1), SECRET)
        .await
        .unwrap();
    let live = format!("{:?}", stage.agent.transcript().await.unwrap());
    assert!(holds_secret(&live), "the live session has it");
    stage.agent.close().await.unwrap();

    let entries = stage.entries();
    check_kept(&entries);
    let text = written(&entries);
    assert!(text.contains(REDACTED));
    let kinds = |is_it: &dyn Fn(&Entry) -> bool| entries.iter().filter(|entry| is_it(entry)).count();
    assert!(
        kinds(&|entry| matches!(entry, Entry::Delivered { text, .. } if text.contains(REDACTED))) > 0,
        "{text}"
    );
    assert!(kinds(&|entry| matches!(entry, Entry::UserMessage { text, .. } if text == "was it [redacted]?")) == 1);
    assert!(
        kinds(&|entry| matches!(entry, Entry::TurnEnded { text, .. } if text.contains("I shall use [redacted]."))) > 0
    );
    let reports = kinds(&|entry| {
        matches!(entry, Entry::Answered { answers, .. } if answers.iter().any(|given| {
            matches!(given, CallAnswer::Report { content, .. } if content.to_string().contains(REDACTED))
        }))
    });
    assert!(reports >= 2, "{reports}");
    // The blocks stay where they say nothing.
    let blocks: Vec<bool> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::TurnEnded { end, calls, .. } if !calls.is_empty() => Some(end.provider.is_some()),
            _ => None,
        })
        .collect();
    assert_eq!(blocks, [false, false, true, false, true]);

    // Whoever takes it up is shown that something is missing.
    let shown = Ledger::fold(&entries).unwrap();
    let shown = format!("{:?}", shown.transcript().messages());
    assert!(shown.contains("can't be shown again"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn the_list_of_what_runs_in_a_pruned_session_holds_no_secrets() {
    let turns = (0..6).map(|at| {
        let long = "word ".repeat(200);
        turn([
            (
                "log_in",
                json!({"user": "u", "password": SECRET, "ms": 50_000_000 + at}),
            ),
            ("use_it", json!({"what": long})),
        ])
    });
    let turns = turns.collect();
    let said = vec!["go".to_owned()];
    let adjust = |agent: AsyncAgentBuilder| agent.prune(PrunePolicy::new(3_500).with_keep_recent(1));
    let stage = play(turns, said, adjust).await;
    let entries = stage.entries();
    check_kept(&entries);
    let listed = entries.iter().filter_map(|entry| match entry {
        Entry::Pruned { pruned, .. } => Some(&pruned.status),
        _ => None,
    });
    let listed: Vec<_> = listed.filter(|status| status.contains(" log_in {")).collect();
    assert!(!listed.is_empty());
    for status in listed {
        assert!(
            status.contains(r#""password":"[redacted]""#) && status.contains(" running "),
            "{status}"
        );
    }
}

fn password() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(SECRET)),
        Just(json!({"deep": [SECRET, PIN]})),
        Just(json!(json!([SECRET]).to_string())),
        Just(json!(format!("  {SECRET}\n"))),
    ]
}

fn one_call() -> impl Strategy<Value = (String, Value)> {
    let ms = prop_oneof![Just(0_u64), 1..2_000_u64];
    let how = proptest::sample::select(vec!["", "echo", "nest", "long", "fail", "long_fail", "panic"]);
    let what = prop_oneof![
        (
            1..9_u32,
            proptest::sample::select(vec!["", "/token", "/0", "/pin", "/with/0"])
        )
            .prop_map(|(task, pointer)| json!({"$task": format!("t{task}"), "pointer": pointer})),
        (1..5_u32).prop_map(|call| json!({"$task": format!("#{call}")})),
        Just(json!([SECRET])),
    ];
    let action = prop_oneof![
        Just(json!({"action": "list"})),
        Just(json!({"action": "check"})),
        (1..9_u32).prop_map(|task| json!({"action": "wait", "tasks": [format!("t{task}")], "seconds": 2})),
        (1..9_u32, 0..300_usize).prop_map(
            |(task, offset)| json!({"action": "result", "tasks": [format!("t{task}")], "offset": offset, "limit": 30})
        ),
        (1..9_u32).prop_map(|task| json!({"action": "cancel", "tasks": [format!("t{task}")], "text": SECRET})),
        (1..9_u32).prop_map(|task| json!({"action": "send", "tasks": [format!("t{task}")], "text": SECRET})),
        (1..9_u32)
            .prop_map(|task| json!({"action": "group", "tasks": [format!("t{task}")], "name": "g", "mode": "all"})),
    ];
    prop_oneof![
        4 => (password(), how.clone(), ms.clone()).prop_map(|(password, how, ms)| {
            ("log_in".to_owned(), json!({"user": "ada", "password": password, "how": how, "ms": ms}))
        }),
        3 => (proptest::sample::select(vec!["", "list", "long", "fail"]), ms.clone())
            .prop_map(|(how, ms)| ("vault".to_owned(), json!({"how": how, "ms": ms}))),
        3 => (what, ms).prop_map(|(what, ms)| ("use_it".to_owned(), json!({"what": what, "ms": ms}))),
        1 => password().prop_map(|card| ("pay".to_owned(), json!({"card": card, "amount": 1}))),
        2 => action.prop_map(|action| ("task".to_owned(), action)),
    ]
}

proptest! {
    #![proptest_config(Config { cases: 48, failure_persistence: None, ..Config::default() })]

    #[test]
    fn no_session_writes_down_or_logs_a_secret(
        turns in proptest::collection::vec(proptest::collection::vec(one_call(), 1..6), 1..6),
        has_hook in any::<bool>(),
    ) {
        let _listening = Notes::listen();
        Notes::taken();
        // Without a call that marks it first, it is text that nobody knows.
        let first = turn([("log_in", json!({"user": "ada", "password": SECRET})), ("vault", json!({}))]);
        let turns: Vec<_> = std::iter::once(first).chain(turns).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let entries = runtime.block_on(async {
            let said = ["go".to_owned(), format!("{SECRET}!"), "and?".to_owned()];
            let stage = play(turns, said.into(), |agent| match has_hook {
                true => agent.redact(|_: &SessionId, _: &mut Entry| {}),
                false => agent,
            }).await;
            stage.agent.close().await.unwrap();
            stage.entries()
        });
        check_kept(&entries);
        for note in Notes::taken() {
            prop_assert!(!holds_secret(&note), "{note}");
        }
    }
}

/// Takes up a session whose process has ended after `entries`.
fn take_up(entries: &[Entry], tools: impl IntoIterator<Item = FunctionTool>) -> Vec<AgentAction> {
    let manager = AsyncToolManager::builder()
        .tools(tools.into_iter().map(Into::into))
        .build()
        .unwrap();
    let policy = AgentPolicy::new(manager.registry());
    let ledger = Ledger::fold(entries).unwrap();
    let mut machine = AgentMachine::new(SessionId::new("s"), None, Arc::from([]), policy, ledger);
    machine.step(
        Timestamp::from_millis(u64::from(u32::MAX) * 1_000),
        AgentInput::Recover { by: "p".to_owned() },
    )
}

/// How tasks ended in the step, by their numbers, and which of them were submitted.
fn ends(actions: &[AgentAction]) -> (Vec<(String, TaskOutcome)>, Vec<String>) {
    let mut ends = Vec::new();
    let mut submitted = Vec::new();
    for action in actions {
        match action {
            AgentAction::Append(entries) => ends.extend(entries.iter().filter_map(|entry| match entry {
                Entry::Settled { result } => Some((result.number.unwrap().to_string(), result.outcome.clone())),
                _ => None,
            })),
            AgentAction::Submit(spec) => submitted.push(spec.number.unwrap().to_string()),
            _ => {}
        }
    }
    (ends, submitted)
}

#[tokio::test(start_paused = true)]
async fn what_stands_for_a_secret_is_never_run() {
    let tools = || {
        let slow = |name: &str| {
            tool(name, &["password", "what"], |_, _| async {
                sleep(Duration::from_secs(3_600)).await;
                Ok(json!("done"))
            })
            .sensitive_arguments(["password"])
            .futures(true)
            .background(Background::Always)
        };
        [
            slow("read").effect(Effect::Read),
            slow("put").effect(Effect::Idempotent),
            slow("once"),
            vault(),
        ]
    };
    let model = playing([|| {
        calls([
            ("vault", json!({})),
            ("read", json!({"password": SECRET})),
            ("put", json!({"password": SECRET})),
            ("once", json!({"password": SECRET})),
            ("read", json!({"what": {"$task": "#1", "pointer": "/pin"}})),
            ("read", json!({"what": [{"$task": "#1"}, {"$task": "#2"}]})),
            ("read", json!({"what": REDACTED})),
            ("read", json!({"what": {"$task": "#7"}, "password": SECRET})),
        ])
    }]);
    let stage = Stage::set(model, tools(), |agent| agent).await;
    stage.agent.send("go").await.unwrap();
    sleep(Duration::from_secs(10)).await;
    let entries = stage.entries();
    check_kept(&entries);

    let (ends, submitted) = ends(&take_up(&entries, tools()));
    assert_eq!(submitted, ["t7"], "a model may write what it likes");
    assert!(
        !ends.iter().any(|(number, _)| number == "t8"),
        "it waits for t7, as before"
    );
    let end = |number: &str| {
        let end = ends.iter().find(|(known, _)| known == number);
        &end.unwrap_or_else(|| panic!("{number} has not ended: {ends:?}")).1
    };
    for number in ["t2", "t5", "t6"] {
        let TaskOutcome::Failed(error) = end(number) else {
            panic!("{number}: {:?}", end(number))
        };
        let message = error.model_message();
        assert!(
            message.contains("was not written down before the program was restarted; call"),
            "{message}"
        );
    }
    for (number, says) in [("t3", "find out what was done"), ("t4", "must not be done twice")] {
        let TaskOutcome::Unknown(why) = end(number) else {
            panic!("{number}: {:?}", end(number))
        };
        assert!(why.contains(says), "{why}");
    }
    stage.agent.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_taken_up_after_any_entry_never_runs_what_stands_for_a_secret() {
    let turns = vec![turn([
        ("vault", json!({"ms": 400})),
        ("log_in", json!({"user": "ada", "password": SECRET, "ms": 600})),
        (
            "use_it",
            json!({"what": {"$task": "#1", "pointer": "/token"}, "ms": 1_000}),
        ),
        ("log_in", json!({"user": "ada", "ms": 100})),
    ])];
    let stage = play(turns, vec!["go".to_owned()], |agent| agent).await;
    let entries = stage.entries();
    check_kept(&entries);
    let mut repeated = 0;
    for length in 1..=entries.len() {
        for action in take_up(&entries[..length], everything()) {
            if let AgentAction::Submit(spec) = action {
                let arguments = spec.call.arguments.to_string();
                assert!(!arguments.contains(REDACTED) && !spec.call.redacted, "{arguments}");
                repeated += 1;
            }
        }
    }
    assert!(repeated > 0, "what holds no secret is run again");
}

/// Has a session's model make these calls, and takes the session up in another process when it has come to rest or waits for them.
async fn take_over(
    tools: impl Fn() -> Vec<FunctionTool>,
    calls: Vec<(String, Value)>,
    next: ScriptedModel,
) -> (Stage, AsyncAgent, AsyncToolManager, Arc<MemoryJournal>) {
    let model = answering(move |_, asked| match asked {
        1 => ModelStream::calls(
            calls
                .iter()
                .enumerate()
                .map(|(at, (tool, arguments))| ToolCall::new(format!("c{at}"), tool.as_str(), arguments.clone())),
        ),
        _ => ModelStream::text("waiting"),
    });
    let before = Stage::set(model, tools(), |agent| agent).await;
    before.agent.send("go").await.unwrap();
    sleep(Duration::from_secs(10)).await;
    let journal = Arc::new(MemoryJournal::new());
    let entries = before.entries();
    check_kept(&entries);
    journal
        .append(&SessionId::new("s"), Seq::START, &entries)
        .await
        .unwrap();
    let manager = AsyncToolManager::builder()
        .tools(tools().into_iter().map(Into::into))
        .build()
        .unwrap();
    let builder = AsyncAgent::builder(next, manager.clone());
    let agent = builder
        .session("s")
        .journal(Arc::clone(&journal))
        .resume()
        .await
        .unwrap();
    (before, agent, manager, journal)
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_taken_up_goes_on_without_its_secrets_and_keeps_new_ones() {
    let tools = || vec![log_in(), vault(), use_it(), pay()];
    let made = turn([
        ("vault", json!({})),
        ("log_in", json!({"user": "ada", "password": SECRET, "ms": 3_600_000})),
        ("vault", json!({"ms": 5_000})),
        ("pay", json!({"card": SECRET, "amount": 5})),
    ]);
    let next = answering(|_, asked| match asked {
        1 => calls([
            ("log_in", json!({"user": "ada", "password": SECRET, "how": "echo"})),
            ("use_it", json!({"what": {"$task": "t1"}})),
            ("vault", json!({"ms": 5_000})),
        ]),
        _ => ModelStream::text("so be it"),
    });
    let (before, agent, _manager, journal) = take_over(tools, made, next.clone()).await;
    let asked = before.entries().into_iter().find_map(|entry| match entry {
        Entry::Asked {
            request: Some(request), ..
        } => Some(request),
        _ => None,
    });
    let InputRequest::Approval { arguments } = asked.unwrap() else {
        panic!()
    };
    assert_eq!(arguments, json!({"card": REDACTED, "amount": 5}));

    agent.run_until_idle().await.unwrap();
    let first = text_of(&next.requests()[0]);
    assert!(first.contains(REDACTED) && !holds_secret(&first), "{first}");
    assert_eq!(
        first.matches("a secret in its arguments was not written down").count(),
        2,
        "{first}"
    );
    let second = text_of(&next.requests()[1]);
    assert!(
        second.contains("the result of t1 (`vault`), which it needs, is a secret"),
        "{second}"
    );
    assert!(holds_secret(&second), "new ones are shown");
    agent.close().await.unwrap();
    check_kept(&journal.entries(&SessionId::new("s")));
}

#[tokio::test(start_paused = true)]
async fn a_tool_finds_out_about_its_call_without_the_secret_and_does_not_run_without_it() {
    let runs = Arc::new(Mutex::new(0));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let tools = || {
        let (runs, asked) = (Arc::clone(&runs), Arc::clone(&asked));
        let charge = tool("charge", &["card"], move |_, _| {
            *runs.lock().unwrap() += 1;
            std::future::pending()
        });
        let charge = charge.sensitive_arguments(["card"]).background(Background::Always);
        vec![charge.reconcile(move |lost: LostTask| {
            asked.lock().unwrap().push(lost.arguments().clone());
            std::future::ready(Ok::<_, String>(Reconciled::<Value>::NotStarted))
        })]
    };
    let model = answering(|_, _| ModelStream::text("I see"));
    let (_before, agent, _manager, journal) =
        take_over(tools, turn([("charge", json!({"card": SECRET}))]), model.clone()).await;
    agent.run_until_idle().await.unwrap();
    assert_eq!(*asked.lock().unwrap(), [json!({"card": REDACTED})]);
    assert_eq!(*runs.lock().unwrap(), 1, "before, and never again");
    let told = text_of(&model.requests()[0]);
    assert!(
        told.contains("not started: a secret in its arguments was not written down"),
        "{told}"
    );
    check_kept(&journal.entries(&SessionId::new("s")));
}

#[tokio::test(start_paused = true)]
async fn what_others_complete_goes_on_without_its_secret() {
    let tools = || {
        let order = tool("order", &["card"], |_, cx: ToolContext| async move {
            let value: Value = cx.defer().await;
            Ok(value)
        });
        vec![order.sensitive_arguments(["card"]).sensitive_result(true)]
    };
    let model = answering(|_, _| ModelStream::text("I see"));
    let (before, agent, manager, journal) =
        take_over(tools, turn([("order", json!({"card": SECRET}))]), model.clone()).await;
    let task = before.agent.tasks().await.unwrap()[0].task;
    manager.resolve(task, SECRET).unwrap();
    agent.run_until_idle().await.unwrap();
    assert!(text_of(&model.requests()[0]).contains("zq9K7"), "the model is told");
    check_kept(&journal.entries(&SessionId::new("s")));
}

#[tokio::test(start_paused = true)]
async fn a_future_of_a_secret_from_before_a_restart_says_so() {
    let turns = vec![turn([("vault", json!({}))])];
    let stage = play(turns, vec!["go".to_owned()], |agent| agent).await;
    let ledger = Ledger::fold(&stage.entries()).unwrap();
    let policy = AgentPolicy::new(stage.manager.registry());
    let mut machine = AgentMachine::new(SessionId::new("s"), None, Arc::from([]), policy, ledger);
    let now = Timestamp::from_millis(u64::from(u32::MAX) * 1_000);
    let _rest = machine.step(now, AgentInput::Recover { by: "p".to_owned() });
    let actions = machine.step(now, AgentInput::User("use it".to_owned()));
    let turn = actions.iter().find_map(|action| match action {
        AgentAction::StartTurn(turn, _) => Some(*turn),
        _ => None,
    });
    let call = ToolCall::new("c", "use_it", json!({"what": {"$task": "t1"}}));
    let event = |event| AgentInput::Turn(turn.unwrap(), event);
    let _held = machine.step(
        now,
        event(async_tool_runtime::agent::machine::TurnEvent::ToolCall(
            call,
            async_tool_runtime::TaskId::new(),
        )),
    );
    let done = TurnEnd::new(StopReason::ToolCalls);
    let (ends, submitted) = ends(&machine.step(now, event(async_tool_runtime::agent::machine::TurnEvent::Done(done))));
    assert_eq!(submitted, [""; 0]);
    let error = ends[0].1.error().unwrap();
    assert_eq!(
        error.model_message(),
        "not started: the result of t1 (`vault`), which it needs, is a secret that was not written down before the program was restarted; \
         call that tool again"
    );
}

#[tokio::test]
async fn a_manager_refuses_a_call_that_lacks_a_secret() {
    let manager = AsyncToolManager::builder()
        .tools(everything().map(Into::into))
        .build()
        .unwrap();
    let call = json!({"id": "c", "name": "log_in", "arguments": {"password": REDACTED}, "redacted": true});
    let call: ToolCall = serde_json::from_value(call).unwrap();
    let spec = async_tool_runtime::task::TaskSpec::new(SessionId::new("s"), call);
    let (_, error) = manager.submit_task(spec).unwrap_err().into_parts();
    assert_eq!((error.kind(), error.retryable()), (ToolErrorKind::Refused, false));
}

fn only_user_text(text: &'static str) -> impl Fn(&SessionId, &mut Entry) + Send + Sync {
    move |_, entry| {
        if let Entry::UserMessage { text: said, .. } = entry {
            text.clone_into(said);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_changes_what_is_written_and_nothing_else() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&seen);
    let hook = move |session: &SessionId, entry: &mut Entry| {
        assert_eq!(session.as_str(), "s");
        note.lock().unwrap().push(serde_json::to_string(entry).unwrap());
        match entry {
            Entry::UserMessage { text, .. } => text.clear(),
            Entry::Accepted { call, .. } => call.arguments = json!({"hidden": true}).into(),
            Entry::Settled { result } => {
                let result = Arc::make_mut(result);
                result.arguments = json!(null).into();
                result.outcome = TaskOutcome::Completed(json!("short"));
            }
            Entry::TurnEnded { text, end, .. } => {
                text.clear();
                end.provider = None;
            }
            Entry::Delivered { text, .. } => *text = text.replace("welcome", "hello"),
            _ => {}
        }
    };
    let turns = vec![turn([
        ("log_in", json!({"user": "ada", "password": SECRET, "ms": 800})),
        ("use_it", json!({"what": "x".repeat(300)})),
    ])];
    let stage = play(turns, vec!["go".to_owned()], |agent| agent.redact(hook)).await;
    let live = format!("{:?}", stage.agent.transcript().await.unwrap());
    assert!(
        live.contains("welcome") && live.contains("go") && holds_secret(&live),
        "{live}"
    );
    let entries = stage.entries();
    check_kept(&entries);
    assert!(
        !seen.lock().unwrap().iter().any(|entry| holds_secret(entry)),
        "the library goes first"
    );
    assert_eq!(seen.lock().unwrap().len(), entries.len(), "once for each entry");
    for entry in &entries {
        match entry {
            Entry::UserMessage { text, .. } => assert_eq!(text, REDACTED),
            Entry::Accepted { call, .. } => assert!(call.redacted),
            Entry::Settled { result } => {
                assert!(result.redacted && result.preview.is_none());
            }
            Entry::TurnEnded { text, end, .. } => {
                assert!(text.is_empty() || text == REDACTED);
                assert_eq!(end.provider, None);
            }
            Entry::Delivered { text, .. } => assert!(text.contains(r#""result":"short""#), "{text}"),
            _ => {}
        }
    }
    assert!(entries.iter().any(|entry| matches!(entry, Entry::Delivered { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_panics_or_changes_too_much_stops_the_session_and_writes_nothing() {
    type Hook = fn(&SessionId, &mut Entry);
    let hooks: [(Hook, &str); 6] = [
        (
            |_, entry| {
                if let Entry::UserMessage { text, .. } = entry {
                    panic!("{text}");
                }
            },
            "the redaction hook panicked (at an entry of the kind `user_message`)",
        ),
        (
            |_, entry| {
                if let Entry::UserMessage { at, .. } = entry {
                    *at = Timestamp::from_millis(0);
                    *entry = Entry::Closing { at: *at };
                }
            },
            "changed more than it may",
        ),
        (
            |_, entry| {
                if let Entry::Accepted { call, .. } = entry {
                    call.name = "other".into();
                }
            },
            "changed more than it may",
        ),
        (
            |_, entry| {
                if let Entry::Settled { result } = entry {
                    Arc::make_mut(result).outcome = TaskOutcome::Unknown("?".to_owned());
                }
            },
            "changed more than it may",
        ),
        (
            |_, entry| {
                if let Entry::Delivered { text, .. } = entry {
                    *text = text.replace("t1", "t2");
                }
            },
            "broke the frame of a delivery",
        ),
        (
            |_, entry| {
                if let Entry::Answered { answers, .. } = entry {
                    answers.clear();
                }
            },
            "changed more than it may",
        ),
    ];
    for (hook, expected) in hooks {
        let turns = [turn([("log_in", json!({"user": "ada", "ms": 5_000}))])];
        let model = answering(move |_, asked| match asked {
            1 => calls([("log_in", turns[0][0].1.clone())]),
            _ => ModelStream::text("done"),
        });
        let stage = Stage::set(model, everything(), |agent| agent.redact(hook)).await;
        let mut events = stage.agent.events();
        let _it_may_stop = stage.agent.send(SECRET).await;
        let _it_may_stop = stage.agent.run_until_idle().await;
        let Err(AgentError::Stopped(reason)) = stage.agent.send("more").await else {
            panic!("{expected}: it goes on")
        };
        assert!(reason.contains(expected) && !holds_secret(&reason), "{reason}");
        until(&mut events, |kind| matches!(kind, AgentEventKind::JournalFailed(_))).await;
        // What was written before it stands, and can be taken up.
        let entries = stage.entries();
        check_journal(&entries).unwrap();
        Ledger::fold(&entries).unwrap();
    }

    let manager = AsyncToolManager::builder().build().unwrap();
    let builder = AsyncAgent::builder(playing([]), manager).redact(|_: &SessionId, _: &mut Entry| panic!("no"));
    let refused = builder.start().await.unwrap_err();
    assert!(
        matches!(refused, StartError::Journal(AppendError::Unredacted { .. })),
        "{refused:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_written_is_known_again_without_its_secrets_and_snapshots_are_of_that() {
    // Every append is written, its answer is lost, and it is tried again.
    let journal = FailingJournal::new().snapshot_every(1).failing(|attempt| {
        if attempt.failed == attempt.done {
            Fault::AnswerLost
        } else {
            Fault::None
        }
    });
    let manager = AsyncToolManager::builder()
        .tools(everything().map(Into::into))
        .build()
        .unwrap();
    let model = playing([|| {
        calls([
            ("log_in", json!({"user": "ada", "password": SECRET, "how": "echo"})),
            ("vault", json!({"ms": 900})),
        ])
    }]);
    let agent = AsyncAgent::builder(model, manager)
        .journal(journal.clone())
        .session("s")
        .redact(only_user_text("hidden"))
        .start()
        .await
        .unwrap();
    agent.send("go").await.unwrap();
    agent.run_until_idle().await.unwrap();
    agent.close().await.unwrap();
    let entries = journal.entries();
    check_kept(&entries);
    assert!(matches!(entries.last(), Some(Entry::Closed { .. })));

    let snapshots = journal.snapshots();
    assert!(snapshots.len() >= 3, "{}", snapshots.len());
    for snapshot in &snapshots {
        let text = String::from_utf8_lossy(&snapshot.state);
        assert!(!holds_secret(&text), "{text}");
        assert!(!holds_pin(&serde_json::from_slice(&snapshot.state).unwrap()), "{text}");
        let length = usize::try_from(snapshot.seq.as_u64()).unwrap();
        let folded = Ledger::fold(&entries[..length]).unwrap();
        assert_eq!(
            Ledger::from_snapshot(snapshot),
            Some(folded),
            "it is what the entries say"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn errors_about_secret_arguments_are_told_and_not_written() {
    /// Opens a door.
    #[async_tool(effect = "read")]
    async fn open(#[arg(sensitive, max = 999)] pin: u32) -> u32 {
        pin
    }
    let model = playing([|| calls([("open", json!({"pin": PIN}))])]);
    let stage = Stage::set(model, [open::tool()], |agent| agent).await;
    stage.talk("go").await.unwrap();
    let heard = text_of(&stage.request(2));
    assert!(
        heard.contains(&PIN.to_string()),
        "the model is told what was wrong: {heard}"
    );
    let entries = stage.entries();
    check_kept(&entries);
    let error = entries.iter().find_map(|entry| match entry {
        Entry::Settled { result } => result.outcome.error().cloned(),
        _ => None,
    });
    let error = error.unwrap();
    assert_eq!(
        (error.kind(), error.message()),
        (ToolErrorKind::InvalidArguments, REDACTED)
    );
}

#[test]
fn a_secret_argument_must_be_there() {
    let tools = [log_in().sensitive_arguments(["pass_word"]).into()];
    let error = AsyncToolManager::builder().tools(tools).build().unwrap_err();
    let source = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
    assert!(
        source.contains(
            "`sensitive_arguments` must name arguments of the tool, and `pass_word` is none: write `password`"
        ),
        "{source}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_that_opened_the_session_stays_what_people_said() {
    // Text is text before anybody has marked it; that is what the hook is for.
    let turns = vec![turn([("log_in", json!({"user": "ada", "password": SECRET}))])];
    let stage = play(turns, vec![format!("log in with {SECRET}")], |agent| agent).await;
    let kept: Vec<_> = stage
        .entries()
        .into_iter()
        .filter(|entry| holds_secret(&written(std::slice::from_ref(entry))))
        .collect();
    assert!(matches!(kept.as_slice(), [Entry::UserMessage { .. }]), "{kept:?}");
    let shown = stage.agent.transcript().await.unwrap();
    assert!(
        shown
            .iter()
            .any(|message| matches!(&**message, Message::User { text } if holds_secret(text)))
    );
}
