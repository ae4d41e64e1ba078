//! Tasks that wait for people: their status, their acknowledgement, and the list of their questions.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, FunctionTool, SessionId, TaskStatus, ToolCall,
    agent::{AgentQuestion, Ledger},
    journal::{CallAnswer, Entry, MemoryJournal, Seq},
    model::ModelStream,
    policy::Approval,
    testing::{ScriptedModel, check_journal},
    tool::InputRequest,
};
use serde_json::{Value, json};

use crate::stand::{answering, answers, secs, tool_of, until, with_slots};

fn fire(grace: Duration) -> FunctionTool {
    let fire = tool_of("fire", |_, _| async { Ok(json!("fired")) }).grace(grace);
    fire.approval(Approval::Always)
}

fn asks() -> FunctionTool {
    tool_of("ask", |_, cx| async move {
        let seat: u32 = cx.request("Which seat?").await?;
        Ok(json!(seat))
    })
}

/// A tool that calls `below`, and waits for it.
fn above(name: &'static str, below: &'static str) -> FunctionTool {
    tool_of(name, move |_, cx| async move {
        cx.call_tool::<Value>(below, json!({"at": "dawn"})).await
    })
}

/// A model that calls one tool, looks at the list of tasks, and says what the answers were.
fn caller(tool: &'static str) -> ScriptedModel {
    ScriptedModel::new()
        .turn(move |_| {
            let arguments = match tool {
                "clerk" | "there" => json!({"message": "to work"}),
                _ => json!({"at": "noon"}),
            };
            ModelStream::calls([ToolCall::new("c1", tool, arguments)])
        })
        .turn(|_| ModelStream::calls([ToolCall::new("c2", "task", json!({"action": "list"}))]))
        .otherwise(|_| ModelStream::text("please look"))
}

/// A model that fires at dusk.
fn firing() -> ScriptedModel {
    answering(|request, _| match request.messages.len() > 1 {
        true => ModelStream::text("done"),
        false => ModelStream::calls([ToolCall::new("1", "fire", json!({"at": "dusk"}))]),
    })
}

fn tools() -> Vec<FunctionTool> {
    vec![
        fire(Duration::ZERO),
        asks(),
        above("above_fire", "fire"),
        above("above_ask", "ask"),
    ]
}

fn answer(manager: &AsyncToolManager, question: &AgentQuestion) {
    match &question.request {
        InputRequest::Approval { .. } => manager.approve(question.asking).unwrap(),
        _ => manager.answer(question.asking, 7).unwrap(),
    }
}

/// Name of the case; the tool that the model calls; the path of tools to the question; the arguments of a call that needs consent.
type Case = (
    &'static str,
    &'static str,
    &'static [&'static str],
    Option<&'static str>,
);

const CASES: [Case; 7] = [
    ("consent without grace", "fire", &["fire"], Some("noon")),
    ("an answer", "ask", &["ask"], None),
    (
        "consent to a child",
        "above_fire",
        &["above_fire", "fire"],
        Some("dawn"),
    ),
    ("an answer to a child", "above_ask", &["above_ask", "ask"], None),
    ("consent in a sub-agent", "clerk", &["clerk", "fire"], Some("dusk")),
    ("consent to a slow tool", "slow", &["slow"], Some("noon")),
    ("consent on another manager", "there", &["there", "fire"], Some("dusk")),
];

fn manager_of(case: Case) -> AsyncToolManager {
    let mut all = tools();
    let others = with_slots(2, tools());
    all.push(AsyncAgent::as_tool("clerk", "A clerk.", |manager| {
        AsyncAgent::builder(firing(), manager)
    }));
    let slow = tool_of("slow", |_, _| async { Ok(json!("ran")) }).grace(secs(1));
    all.push(slow.approval(Approval::Always));
    if case.1 == "there" {
        all.push(AsyncAgent::builder(firing(), others).as_tool("there", "Elsewhere."));
    }
    with_slots(2, all)
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_for_people_is_input_required_to_everybody_and_the_model_is_told_what_is_asked() {
    for case in CASES {
        let (name, tool, path, consent_to) = case;
        let manager = manager_of(case);
        let model = caller(tool);
        let journal = Arc::new(MemoryJournal::new());
        let agent = AsyncAgent::builder(model.clone(), manager.clone())
            .journal(journal.clone())
            .session("s")
            .start()
            .await
            .unwrap();
        let mut events = agent.events();
        agent.send("go").await.unwrap();
        until(
            &mut events,
            |kind| matches!(kind, AgentEventKind::TurnEnded { text, .. } if text == "please look"),
        )
        .await;

        // The model: acknowledgement and list.
        let requests = model.requests();
        let told = answers(&requests[1]);
        let ack = &told[0];
        assert_eq!(ack["status"], "input_required", "{name}");
        let asker = *path.last().unwrap();
        match consent_to {
            Some(at) => assert_eq!(
                ack["asks"],
                json!({"consent_to": asker, "arguments": {"at": at}}),
                "{name}"
            ),
            None => assert_eq!(ack["asks"], json!({"tool": asker, "question": "Which seat?"}), "{name}"),
        }
        let list = &answers(&requests[2])[0];
        assert_eq!(list["tasks"][0]["status"], "input_required", "{name}");

        // The host: the task, its handle, and the list of questions.
        let task = agent.tasks().await.unwrap().remove(0);
        let questions = agent.questions().await.unwrap();
        let [question] = &*questions else {
            panic!("{name}: {questions:?}")
        };
        assert_eq!(task.status, TaskStatus::InputRequired, "{name}");
        assert_eq!(
            manager.task(task.task).unwrap().status(),
            TaskStatus::InputRequired,
            "{name}"
        );
        assert_eq!(task.request.as_ref(), Some(&question.request), "{name}");
        assert_eq!(task.asking, Some(question.asking), "{name}");
        assert_eq!(question.number, task.number, "{name}");
        assert_eq!(&*question.tool, asker, "{name}");
        let tools: Vec<&str> = question.path.iter().map(|task| &*task.tool).collect();
        assert_eq!(tools, path, "{name}");
        match (&question.request, consent_to) {
            (InputRequest::Approval { arguments }, Some(at)) => assert_eq!(arguments["at"], at, "{name}"),
            (InputRequest::Input { schema, .. }, None) => assert_eq!(schema["type"], "integer", "{name}"),
            other => panic!("{name}: {other:?}"),
        }

        // The journal, and what is folded from it or kept as a snapshot.
        let entries = journal.entries(&SessionId::new("s"));
        let is_said = entries.iter().any(|entry| {
            matches!(entry, Entry::Answered { answers, .. } if matches!(&answers[..], [CallAnswer::Asking(_, asked)] if &*asked.tool == asker))
        });
        assert!(is_said, "{name}: {entries:?}");
        let ledger = Ledger::fold(&entries).unwrap();
        let snapshot = ledger.to_snapshot(Seq::new(entries.len() as u64)).unwrap();
        assert_eq!(Ledger::from_snapshot(&snapshot), Some(ledger), "{name}");

        answer(&manager, question);
        agent.run_until_idle().await.unwrap();
        let task = agent.tasks().await.unwrap().remove(0);
        assert_eq!(task.status, TaskStatus::Completed, "{name}");
        assert_eq!((task.request, task.asking), (None, None), "{name}");
        assert!(agent.questions().await.unwrap().is_empty(), "{name}");
        agent.close().await.unwrap();
        check_journal(&journal.entries(&SessionId::new("s"))).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_questions_of_a_resumed_session_can_be_answered_at_once() {
    for case in CASES {
        let (name, tool, path, _) = case;
        let journal = Arc::new(MemoryJournal::new());
        let builder = |manager: &AsyncToolManager, model: ScriptedModel| {
            let agent = AsyncAgent::builder(model, manager.clone());
            agent.journal(journal.clone()).session("s")
        };
        let manager = manager_of(case);
        let agent = builder(&manager, caller(tool)).start().await.unwrap();
        agent.send("go").await.unwrap();
        agent.run_until_parked().await.unwrap();
        agent.leave().await.unwrap();
        drop((agent, manager));

        let manager = manager_of(case);
        let listener = ScriptedModel::new().otherwise(|_| ModelStream::text("I see"));
        let agent = builder(&manager, listener).resume().await.unwrap();
        let questions = agent.questions().await.unwrap();
        if path.len() > 1 {
            // The function above is gone, and with it the question.
            agent.close().await.unwrap();
            continue;
        }
        let [question] = &*questions else {
            panic!("{name}: {questions:?}")
        };
        let task = agent.tasks().await.unwrap().remove(0);
        assert_eq!(
            (task.status, task.asking),
            (TaskStatus::InputRequired, Some(task.task)),
            "{name}"
        );
        match question.is_gone {
            false => answer(&manager, question),
            true => manager.resolve(question.asking, "seat 7").unwrap(),
        }
        assert_eq!(question.is_gone, tool == "ask", "{name}");
        agent.run_until_idle().await.unwrap();
        agent.close().await.unwrap();
    }
}
