//! Sessions that another process resumes without their secrets.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Effect, FunctionTool, Journal, SessionId, TaskOutcome, ToolCall, ToolContext,
    ToolErrorKind,
    agent::{
        AgentPolicy, Ledger, REDACTED,
        machine::{AgentAction, AgentInput, AgentMachine},
    },
    journal::{Claim, Entry, MemoryJournal, Seq},
    model::{ModelStream, StopReason, TurnEnd},
    task::Timestamp,
    testing::ScriptedModel,
    tool::{Background, InputRequest, LostTask, Reconciled},
};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::vault::{SECRET, check_kept, everything, holds_secret, log_in, pay, play, tool, turn, use_it, vault};
use crate::stand::{Stage, answering, calls, playing, text_of};

/// Resumes a session whose process ended after `entries`.
fn resume_machine(entries: &[Entry], tools: impl IntoIterator<Item = FunctionTool>) -> Vec<AgentAction> {
    let manager = AsyncToolManager::builder()
        .tools(tools.into_iter().map(Into::into))
        .build()
        .unwrap();
    let policy = AgentPolicy::new(manager.registry());
    let ledger = Ledger::fold(entries).unwrap();
    let mut machine = AgentMachine::new(SessionId::new("s"), None, Arc::from([]), policy, ledger);
    machine.step(
        Timestamp::from_millis(u64::from(u32::MAX) * 1_000),
        AgentInput::Recover {
            by: "p".to_owned(),
            known: Vec::new(),
        },
    )
}

/// Outcomes of the tasks that ended in the step, by number, and the tools that were submitted.
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
async fn no_tool_runs_with_a_redacted_value() {
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

    let (ends, submitted) = ends(&resume_machine(&entries, tools()));
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
async fn a_session_resumed_after_any_entry_never_runs_a_tool_with_a_redacted_value() {
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
        for action in resume_machine(&entries[..length], everything()) {
            if let AgentAction::Submit(spec) = action {
                let arguments = spec.call.arguments.to_string();
                assert!(!arguments.contains(REDACTED) && !spec.call.redacted, "{arguments}");
                repeated += 1;
            }
        }
    }
    assert!(repeated > 0, "a call without a secret runs again");
}

/// Lets the model make these calls, and resumes the session in another process once it is at rest or waits for them.
async fn resume_elsewhere(
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
        .append(&SessionId::new("s"), &Claim::new(), Seq::START, &entries)
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
async fn a_resumed_session_goes_on_without_its_secrets_and_keeps_new_ones() {
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
    let (before, agent, _manager, journal) = resume_elsewhere(tools, made, next.clone()).await;
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
        resume_elsewhere(tools, turn([("charge", json!({"card": SECRET}))]), model.clone()).await;
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
async fn a_task_to_be_completed_from_outside_goes_on_without_its_secret() {
    let tools = || {
        let order = tool("order", &["card"], |_, cx: ToolContext| async move {
            let value: Value = cx.defer().await;
            Ok(value)
        });
        vec![order.sensitive_arguments(["card"]).sensitive_result(true)]
    };
    let model = answering(|_, _| ModelStream::text("I see"));
    let (before, agent, manager, journal) =
        resume_elsewhere(tools, turn([("order", json!({"card": SECRET}))]), model.clone()).await;
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
    let _rest = machine.step(
        now,
        AgentInput::Recover {
            by: "p".to_owned(),
            known: Vec::new(),
        },
    );
    let actions = machine.step(now, AgentInput::User("use it".into()));
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
