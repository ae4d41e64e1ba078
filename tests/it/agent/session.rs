//! The agent with its manager and journal.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, FunctionTool, Journal, Message, Model, RulePlanner, SessionId,
    TaskNo, TaskStatus, ToolCall, ToolDefinition,
    agent::{AckPolicy, AgentError, AgentState, Ledger, RunError, StartError},
    context::AnswerContent,
    journal::{Claim, Entry, MemoryJournal, Seq},
    model::{Capabilities, ModelError, ModelRequest, ModelStream},
    schema::Dialect,
    testing::{Gates, ScriptedModel},
};
use serde_json::json;

use crate::stand::{Attempt, FailingJournal, Fault, HeldModel, answering, gate_calls, manager, said, say, until};

fn call(name: &str) -> ModelStream {
    ModelStream::calls([ToolCall::new("call_1", "gate", json!({"name": name}))])
}

#[tokio::test(start_paused = true)]
async fn a_call_that_can_not_run_is_answered_with_an_error_and_the_session_goes_on() {
    let model = ScriptedModel::new()
        .turn(|_| {
            ModelStream::calls([
                ToolCall::new("1", "gaet", json!({"name": "a"})),
                ToolCall::new("2", "gate", json!({"nam": "a"})),
                ToolCall::new("3", "gate", json!("{\"name\": ")),
            ])
        })
        .turn(|request| {
            let Some(Message::Answers(answers)) = request.messages.last().map(|message| &**message) else {
                panic!("the answers come last")
            };
            let kinds: Vec<_> = answers
                .iter()
                .map(|answer| {
                    assert!(answer.is_error());
                    answer.to_model_json()["error"]["kind"].clone()
                })
                .collect();
            assert_eq!(kinds, ["unknown_tool", "invalid_arguments", "invalid_arguments"]);
            ModelStream::text("sorry")
        })
        .text("still here");
    let agent = AsyncAgent::builder(model.clone(), manager([Gates::new().tool()]))
        .start()
        .await
        .unwrap();
    agent.send("go").await.unwrap();
    agent.run_until_idle().await.unwrap();
    agent.send("are you there?").await.unwrap();
    agent.run_until_idle().await.unwrap();
    model.verify();
}

#[tokio::test(start_paused = true)]
async fn the_host_can_cancel_one_task_and_the_model_is_told() {
    let gates = Gates::new();
    let model = ScriptedModel::new()
        .turn(|_| call("a"))
        .text("waiting")
        .turn(|request| {
            let Some(Message::Delivery { text, .. }) = request.messages.last().map(|message| &**message) else {
                panic!("the delivery comes last")
            };
            assert!(text.contains(r#""status":"cancelled""#), "{text}");
            assert!(text.contains("Your call t1 got cancelled"), "it is named: {text}");
            ModelStream::text("as you wish")
        });
    let agent = AsyncAgent::builder(model.clone(), manager([gates.tool()]))
        .start()
        .await
        .unwrap();
    let mut events = agent.events();
    agent.send("go").await.unwrap();
    until(&mut events, |kind| matches!(kind, AgentEventKind::Acknowledged { .. })).await;
    let tasks = agent.tasks().await.unwrap();
    assert_eq!(tasks.len(), 1);
    assert_eq!(tasks[0].status, TaskStatus::Running);
    assert_eq!(
        agent.cancel(tasks[0].number, "not needed").await,
        Ok(TaskStatus::Running)
    );
    assert_eq!(
        agent.cancel(TaskNo::new(9), "no").await,
        Err(AgentError::UnknownTask(TaskNo::new(9)))
    );
    agent.run_until_idle().await.unwrap();
    model.verify();
}

#[tokio::test(start_paused = true)]
async fn deferred_acknowledgements_make_the_fewest_model_calls() {
    let gates = Gates::new();
    let model = ScriptedModel::new().turn(|_| call("a")).turn(|request| {
        // The model has not seen the acknowledgement: it finds the result in its place.
        let Some(Message::Answers(answers)) = request.messages.last().map(|message| &**message) else {
            panic!("{request:?}")
        };
        assert!(matches!(answers[0].content, AnswerContent::Result(_)));
        ModelStream::text("done")
    });
    let agent = AsyncAgent::builder(model.clone(), manager([gates.tool()]))
        .ack_policy(AckPolicy::Deferred)
        .start()
        .await
        .unwrap();
    let mut events = agent.events();
    agent.send("go").await.unwrap();
    until(&mut events, |kind| matches!(kind, AgentEventKind::Acknowledged { .. })).await;
    assert_eq!(agent.state(), AgentState::Waiting);
    gates.open("a", json!(1));
    agent.run_until_idle().await.unwrap();
    model.verify();
}

#[tokio::test(start_paused = true)]
async fn closing_stops_tasks_and_records_what_the_model_was_not_told() {
    let gates = Gates::new();
    let journal = Arc::new(MemoryJournal::new());
    let model = ScriptedModel::new().turn(|_| call("a")).text("waiting");
    let manager = manager([gates.tool()]);
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
        |kind| matches!(kind, AgentEventKind::TurnEnded { text, .. } if text == "waiting"),
    )
    .await;
    agent.close().await.unwrap();
    assert_eq!(agent.state(), AgentState::Closed);
    assert_eq!(agent.send("hello?").await, Err(AgentError::Closed));
    assert_eq!(
        agent.transcript().await.unwrap().len(),
        4,
        "the conversation can still be read"
    );

    let entries = journal.entries(&SessionId::new("s"));
    let [
        ..,
        Entry::Settled { result },
        Entry::Dropped { reason, .. },
        Entry::Closed { .. },
    ] = &entries[..]
    else {
        panic!("{entries:#?}")
    };
    assert_eq!(result.status(), TaskStatus::Cancelled);
    assert_eq!(reason, "the session was closed");
    assert!(Ledger::fold(&entries).is_ok());
    model.verify();
}

#[tokio::test(start_paused = true)]
async fn nothing_outlives_the_last_handle() {
    let gates = Gates::new();
    let manager = manager([gates.tool()]);
    let model = ScriptedModel::new().turn(|_| call("a")).text("waiting");
    let agent = AsyncAgent::builder(model, manager.clone())
        .session("s")
        .start()
        .await
        .unwrap();
    let mut events = agent.events();
    agent.send("go").await.unwrap();
    until(&mut events, |kind| matches!(kind, AgentEventKind::Acknowledged { .. })).await;
    let task = manager.task(agent.tasks().await.unwrap()[0].task).unwrap();
    drop(agent);
    assert_eq!(task.outcome().await.status(), TaskStatus::Cancelled);
    until(&mut events, |kind| matches!(kind, AgentEventKind::Closed)).await;
}

#[tokio::test]
async fn a_session_has_one_agent() {
    let manager = manager([Gates::new().tool()]);
    let start = || {
        AsyncAgent::builder(RulePlanner::new(), manager.clone())
            .session("s")
            .start()
    };
    let first = start().await.unwrap();
    let error = start().await.unwrap_err();
    assert!(matches!(error, StartError::SessionTaken { .. }), "{error}");
    first.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn many_agents_share_a_manager_and_each_gets_its_own_results() {
    let gates = Gates::new();
    let manager = manager([gates.tool()]);
    let mut agents = Vec::new();
    for number in 0..50 {
        let agent = AsyncAgent::builder(RulePlanner::new(), manager.clone())
            .session(format!("s{number}"))
            .start()
            .await
            .unwrap();
        agent.send(format!("gate name=g{number}")).await.unwrap();
        agents.push(agent);
    }
    for number in (0..50).rev() {
        gates.open(&format!("g{number}"), json!(format!("for {number}")));
    }
    for (number, agent) in agents.iter().enumerate() {
        agent.run_until_idle().await.unwrap();
        let transcript = format!("{:?}", agent.transcript().await.unwrap());
        assert!(transcript.contains(&format!("for {number}")), "{transcript}");
        assert_eq!(
            transcript.matches("gate is done").count() + transcript.matches("gate completed").count(),
            1
        );
    }
}

/// Gives the first appends after the one that opens the session this fault.
fn first(appends: usize, fault: Fault) -> impl Fn(Attempt) -> Fault {
    move |attempt| match attempt.after != Seq::START && attempt.failed < appends {
        true => fault,
        false => Fault::None,
    }
}

async fn talk(journal: FailingJournal) -> (AsyncAgent, Result<(), AgentError>) {
    let model = ScriptedModel::new().text("hello");
    let agent = AsyncAgent::builder(model, manager([Gates::new().tool()]))
        .journal(journal)
        .session("s")
        .start()
        .await
        .unwrap();
    let sent = agent.send("hi").await;
    (agent, sent)
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_fails_in_passing_is_tried_again() {
    let journal = FailingJournal::new().failing(first(2, Fault::Unavailable));
    let (agent, sent) = talk(journal.clone()).await;
    sent.unwrap();
    agent.run_until_idle().await.unwrap();
    let entries = journal.entries();
    assert!(Ledger::fold(&entries).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_wrote_and_lost_its_answer_has_every_entry_once() {
    let journal = FailingJournal::new().failing(first(1, Fault::AnswerLost));
    let (agent, sent) = talk(journal.clone()).await;
    sent.unwrap();
    agent.run_until_idle().await.unwrap();
    let entries = journal.entries();
    let messages = entries
        .iter()
        .filter(|entry| matches!(entry, Entry::UserMessage { .. }));
    assert_eq!(messages.count(), 1);
    assert!(Ledger::fold(&entries).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_is_lost_stops_the_session_loudly_and_leaves_it_readable() {
    let (agent, sent) = talk(FailingJournal::new().failing(first(usize::MAX, Fault::Unavailable))).await;
    let reason = "the journal can't be written to: disk full".to_owned();
    assert_eq!(sent, Err(AgentError::Stopped(reason.clone())));
    assert_eq!(agent.run_until_idle().await, Err(RunError::Stopped(reason.clone())));
    assert!(agent.transcript().await.is_ok());
    assert_eq!(agent.close().await, Err(AgentError::Stopped(reason)));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_another_process_writes_to_is_left_to_it() {
    let journal = FailingJournal::new();
    let session = SessionId::new("s");
    let model = ScriptedModel::new().text("never asked");
    let agent = AsyncAgent::builder(model.clone(), manager([Gates::new().tool()]))
        .journal(journal.clone())
        .session("s")
        .start()
        .await
        .unwrap();
    let foreign = Entry::UserMessage {
        text: "from another process".to_owned(),
        media: Vec::new(),
        traceparent: None,
        at: async_tool_runtime::task::Timestamp::from_millis(1),
    };
    journal.kept().expire(&session);
    let (kept, claim) = (journal.kept(), Claim::new());
    kept.append(&session, &claim, Seq::new(1), &[foreign]).await.unwrap();
    let error = agent.send("mine").await.unwrap_err();
    assert!(matches!(error, AgentError::Stopped(_)), "{error}");
    assert!(
        model.requests().is_empty(),
        "nothing is done behind an append that failed"
    );
    assert_eq!(journal.entries().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_panics_fails_its_turn_and_not_the_session() {
    // A `ScriptedModel` catches the panics of its turns.
    struct Broken;
    impl async_tool_runtime::Model for Broken {
        fn generate(&self, _: async_tool_runtime::model::ModelRequest) -> ModelStream {
            panic!("an adapter with a bug")
        }
    }
    let agent = AsyncAgent::builder(Broken, manager([Gates::new().tool()]))
        .start()
        .await
        .unwrap();
    agent.send("go").await.unwrap();
    assert!(matches!(agent.run_until_idle().await, Err(RunError::Model(_))));
    assert_eq!(
        tokio::time::timeout(Duration::from_secs(1), agent.close()).await,
        Ok(Ok(()))
    );
}

#[tokio::test(start_paused = true)]
async fn the_planner_reports_results_that_come_in_time_and_late() {
    let gates = Gates::new();
    let agent = AsyncAgent::builder(RulePlanner::new(), manager([gates.tool()]));
    let agent = agent.start().await.unwrap();
    let mut events = agent.events();
    agent.send("gate name=a; gate name=b").await.unwrap();
    gates.open("b", json!("milk"));
    let is_told = |kind: &AgentEventKind| matches!(kind, AgentEventKind::TurnEnded { text, .. } if text.contains("t1 gate goes on") && text.contains("t2 gate is done: milk"));
    until(&mut events, is_told).await;
    gates.open("a", json!("tea"));
    agent.run_until_idle().await.unwrap();
    let transcript = agent.transcript().await.unwrap();
    let last = transcript.last().map(|message| &**message);
    assert!(
        matches!(last, Some(Message::Assistant { text, .. }) if text == "t1 gate completed: tea"),
        "{last:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_events_of_an_agent_end_with_its_session() {
    let agent = AsyncAgent::builder(RulePlanner::new(), manager([Gates::new().tool()]))
        .start()
        .await
        .unwrap();
    let mut events = agent.events();
    agent.close().await.unwrap();
    let reader = async { while events.next().await.is_some() {} };
    let ended = tokio::time::timeout(Duration::from_secs(1), reader).await;
    assert!(ended.is_ok(), "also while a handle is left");
}

#[tokio::test(start_paused = true)]
async fn an_agent_does_not_come_to_rest_while_a_result_is_about_to_wake_it() {
    let gates = Gates::new();
    let model = ScriptedModel::new()
        .turn(|_| call("a"))
        .turn(|_| ModelStream::failed(async_tool_runtime::model::ModelError::permanent("no credit")))
        .text("there it is");
    let agent = AsyncAgent::builder(model.clone(), manager([gates.tool()]))
        .start()
        .await
        .unwrap();
    let mut events = agent.events();
    agent.send("go").await.unwrap();
    until(&mut events, |kind| matches!(kind, AgentEventKind::TurnFailed { .. })).await;
    gates.open("a", json!(1));
    agent.run_until_idle().await.unwrap();
    model.verify();
}

#[tokio::test]
async fn a_model_that_never_waits_leaves_the_thread_to_others() {
    let obsessed = answering(|_, asked| ModelStream::calls([ToolCall::new(asked.to_string(), "nothing", json!({}))]));
    let agent = AsyncAgent::builder(obsessed, manager([Gates::new().tool()]))
        .start()
        .await
        .unwrap();
    agent.send("go").await.unwrap();
    // On this one thread, the agent must let the test go on to close it.
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
    agent.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_session_that_has_stopped_says_so_everywhere() {
    let gates = Gates::new();
    let journal = FailingJournal::new();
    let manager = manager([gates.tool()]);
    let model = ScriptedModel::new().turn(|_| call("a")).text("waiting");
    let agent = AsyncAgent::builder(model, manager.clone())
        .journal(journal.clone())
        .start()
        .await
        .unwrap();
    let mut events = agent.events();
    agent.send("go").await.unwrap();
    until(
        &mut events,
        |kind| matches!(kind, AgentEventKind::TurnEnded { text, .. } if text == "waiting"),
    )
    .await;
    journal.set(Fault::Unavailable);
    let error = agent.cancel(TaskNo::new(1), "no").await.unwrap_err();
    assert!(
        matches!(error, AgentError::Stopped(_)),
        "no action happens before its entry is written: {error}"
    );
    assert_eq!(agent.state(), AgentState::Closed);
    until(&mut events, |kind| matches!(kind, AgentEventKind::JournalFailed { .. })).await;
    let task = agent.tasks().await.unwrap().remove(0);
    assert_eq!(task.status, TaskStatus::Running, "its tool is being stopped");
    manager.task(task.task).unwrap().outcome().await;
    assert_eq!(agent.tasks().await.unwrap()[0].status, TaskStatus::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_conversation_that_is_too_long_for_the_model_is_cut_down_and_asked_again() {
    let words = "word ".repeat(200);
    let mut model = ScriptedModel::new();
    for _ in 0..12 {
        let words = words.clone();
        model = model.turn(move |_| ModelStream::text(words));
    }
    let lengths = Arc::new(std::sync::Mutex::new(Vec::new()));
    for answer in [Err(ModelError::too_long("at most 1,000 tokens")), Ok("shorter now")] {
        let lengths = Arc::clone(&lengths);
        model = model.turn(move |request| {
            lengths.lock().unwrap().push(request.messages.len());
            answer.map_or_else(ModelStream::failed, ModelStream::text)
        });
    }
    let model = model.otherwise(|_| ModelStream::failed(ModelError::too_long("at most 10 tokens")));
    let agent = AsyncAgent::builder(model.clone(), manager([Gates::new().tool()]))
        .start()
        .await
        .unwrap();
    for said in 0..13 {
        agent.send(format!("message {said}")).await.unwrap();
        agent.run_until_idle().await.unwrap();
    }
    agent.send("and now?").await.unwrap();
    let error = agent.run_until_idle().await.unwrap_err();
    assert_eq!(
        error,
        RunError::Model(ModelError::too_long("at most 10 tokens")),
        "when nothing can be shown shorter"
    );
    assert!(model.requests().len() < 40, "{} requests", model.requests().len());
    model.verify();
    let lengths = lengths.lock().unwrap().clone();
    assert_eq!(lengths[0], 25);
    assert!(lengths[1] < 16, "{lengths:?}");
    assert_eq!(
        agent.transcript().await.unwrap().len(),
        27,
        "the conversation itself is kept"
    );
}

#[tokio::test(start_paused = true)]
async fn an_agent_does_not_start_with_a_tool_that_its_models_provider_has_no_words_for() {
    // The only model with capabilities of its own.
    #[derive(Clone)]
    struct Strict;
    impl Model for Strict {
        fn generate(&self, _: ModelRequest) -> ModelStream {
            ModelStream::text("never")
        }

        fn capabilities(&self) -> Capabilities {
            Capabilities::default().with_dialect(Dialect::OpenAiStrict)
        }
    }
    let schema = json!({
        "type": "object",
        "properties": {"sizes": {"type": "object", "additionalProperties": {"type": "integer"}}},
    });
    let tool = FunctionTool::from_parts(ToolDefinition::new("pack", "Packs.", schema), |_| {
        Err(async_tool_runtime::ToolError::failed("never called"))
    });
    let manager = AsyncToolManager::builder().tool(tool).build().unwrap();
    let StartError::Schema { tool, error } = AsyncAgent::builder(Strict, manager).start().await.unwrap_err() else {
        panic!("the schema is refused")
    };
    assert_eq!((&*tool, error.path()), ("pack", "#/properties/sizes"));
    assert!(!error.hint().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_second_message_does_not_start_a_turn_beside_the_first() {
    let model = HeldModel::default();
    let (first, second) = (model.turn(), model.turn());
    let agent = AsyncAgent::builder(model.clone(), manager([Gates::new().tool()]))
        .start()
        .await
        .unwrap();
    agent.send("one").await.unwrap();
    let (two, three) = tokio::join!(agent.send("two"), agent.send("three"));
    two.unwrap();
    three.unwrap();
    say(&first, "to one");
    say(&second, "to two and three");
    agent.run_until_idle().await.unwrap();
    assert_eq!(model.most(), 1);
    let requests = model.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].last_user_text(), Some("three"));
}

#[tokio::test(start_paused = true)]
async fn a_model_turn_takes_no_slot_of_the_tools() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .concurrency(1)
        .build()
        .unwrap();
    let model = ScriptedModel::new()
        .turn(|_| gate_calls(&["a"]))
        .text("waiting")
        .text("still here");
    let agent = AsyncAgent::builder(model.clone(), manager).start().await.unwrap();
    let mut events = agent.events();
    agent.send("go").await.unwrap();
    said(&mut events, "waiting").await;
    gates.arrived("a", 1).await;
    agent.send("are you there?").await.unwrap();
    said(&mut events, "still here").await;
    model.verify();
}
