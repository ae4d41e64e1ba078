//! A model with the memory's tools.

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, CancellationToken, Effect, TaskOutcome, Tool as _, ToolCall,
    agent::{AckPolicy, StartError},
    model::ModelRequest,
    schema::Dialect,
    task::TaskSpec,
    testing::{ScriptedModel, ScriptedTurn, check_journal},
    tool::Background,
};
use async_tool_sqlite::{Memory, SqliteJournal};
use futures_util::StreamExt as _;
use serde_json::json;

use crate::fixture::{Place, read, session};

async fn agent(
    journal: &SqliteJournal,
    memory: &Memory,
    model: &ScriptedModel,
    session: &str,
    ack: AckPolicy,
) -> Result<AsyncAgent, StartError> {
    let manager = AsyncToolManager::builder().tools(memory.tools()).build().unwrap();
    let agent = AsyncAgent::builder(model.clone(), manager)
        .session(session)
        .ack_policy(ack);
    agent.journal(journal.clone()).start().await
}

async fn texts(memory: &Memory) -> Vec<String> {
    memory.notes().map(|note| note.unwrap().text).collect().await
}

/// All messages of a request, as text.
fn shown(request: &ModelRequest) -> String {
    format!("{:?}", request.messages)
}

#[tokio::test]
async fn what_is_remembered_in_one_session_is_recalled_in_another_after_the_journal_was_opened_again() {
    let place = Place::new();
    let journal = place.open();
    let memory = journal.memory("user 7");
    let model = ScriptedModel::new()
        .turn(|_| {
            let note = json!({"text": "The user's dog is called Rex.", "tags": ["pet"]});
            ScriptedTurn::new().call("1", "remember", note).done()
        })
        .text("A fine name!");
    let first = agent(&journal, &memory, &model, "first", AckPolicy::Eager)
        .await
        .unwrap();
    first.send("My dog is called Rex.").await.unwrap();
    first.run_until_idle().await.unwrap();
    // Two turns, as after any call: the result of `remember` wakes no model.
    model.verify();
    first.close().await.unwrap();
    drop(first);
    drop(memory);
    check_journal(&read(&journal, "first").await).unwrap();
    journal.close().await;

    let journal = place.open();
    let memory = journal.memory("user 7");
    let model = ScriptedModel::new()
        .turn(|_| {
            ScriptedTurn::new()
                .call("1", "recall", json!({"query": "name of the pet"}))
                .done()
        })
        .turn(|request| {
            let shown = shown(request);
            assert!(shown.contains("The user's dog is called Rex."), "{shown}");
            assert!(shown.contains("n1"), "{shown}");
            ScriptedTurn::new().call("2", "forget", json!({"note": "n1"})).done()
        })
        .text("He is called Rex.");
    let second = agent(&journal, &memory, &model, "second", AckPolicy::Eager)
        .await
        .unwrap();
    second.send("What is my dog called?").await.unwrap();
    second.run_until_idle().await.unwrap();
    model.verify();
    assert_eq!(texts(&memory).await, [""; 0]);
    second.close().await.unwrap();
    check_journal(&read(&journal, "second").await).unwrap();
}

#[tokio::test]
async fn a_note_costs_no_model_call() {
    let place = Place::new();
    let journal = place.open();
    let memory = journal.memory("user 7");
    let model = ScriptedModel::new().turn(|_| {
        let turn = ScriptedTurn::new().text("A fine name! I'll remember it.");
        let turn = turn.call("1", "remember", json!({"text": "The dog is called Rex.", "tags": []}));
        turn.call("2", "remember", json!({"text": "The cat is called Tom."}))
            .done()
    });
    let agent = agent(&journal, &memory, &model, "first", AckPolicy::Deferred)
        .await
        .unwrap();
    agent.send("My dog is called Rex, my cat Tom.").await.unwrap();
    agent.run_until_idle().await.unwrap();
    assert_eq!(
        texts(&memory).await,
        ["The dog is called Rex.", "The cat is called Tom."]
    );
    assert_eq!(model.requests().len(), 1);
    model.verify();
}

#[tokio::test]
async fn a_note_that_is_refused_is_explained_to_the_model_with_its_next_turn() {
    let place = Place::new();
    let journal = place.open();
    let memory = journal.memory("user 7").max_notes(0);
    let model = ScriptedModel::new()
        .turn(|_| {
            ScriptedTurn::new()
                .call("1", "remember", json!({"text": "too much"}))
                .done()
        })
        .turn(|request| {
            let shown = shown(request);
            assert!(shown.contains("the memory is full: it has 0 notes"), "{shown}");
            ScriptedTurn::new().call("2", "forget", json!({"note": "seven"})).done()
        })
        .turn(|request| {
            let shown = shown(request);
            assert!(shown.contains("such as n12"), "{shown}");
            ScriptedTurn::new().text("I can't.").done()
        });
    let agent = agent(&journal, &memory, &model, "first", AckPolicy::Deferred)
        .await
        .unwrap();
    agent.send("Remember this.").await.unwrap();
    agent.run_until_idle().await.unwrap();
    assert_eq!(model.requests().len(), 1, "it wakes no model");
    agent.send("Did you?").await.unwrap();
    agent.run_until_idle().await.unwrap();
    model.verify();
}

#[tokio::test]
async fn a_call_that_is_carried_out_twice_writes_one_note() {
    let place = Place::new();
    let journal = place.open();
    let memory = journal.memory("user 7");
    let manager = AsyncToolManager::builder().tools(memory.tools()).build().unwrap();
    let executor = manager.executor();
    let call = ToolCall::new("1", "remember", json!({"text": "once"}));
    let task = TaskSpec::new(session("first"), call.clone());
    let remember = async |task: &TaskSpec| {
        let outcome = executor
            .execute(task, 0, CancellationToken::new())
            .await
            .unwrap()
            .outcome;
        assert!(
            matches!(&outcome, TaskOutcome::Completed(note) if note["note"] == "n1"),
            "{outcome:?}"
        );
    };
    remember(&task).await;
    // The state after a crash: the note was written, but its result was lost. It was forgotten in between, and must not
    // come back.
    remember(&task).await;
    assert_eq!(texts(&memory).await, ["once"]);
    memory.forget("n1".parse().unwrap()).await.unwrap();
    remember(&task).await;
    assert_eq!(texts(&memory).await, [""; 0]);
}

#[tokio::test]
async fn one_manager_serves_sessions_with_scopes_of_their_own() {
    let place = Place::new();
    let journal = place.open();
    let memory = journal.memory("unknown").with_session_scope(|session| {
        let user = session.as_str().split('/').next().unwrap_or_default();
        user.to_owned()
    });
    let manager = AsyncToolManager::builder().tools(memory.tools()).build().unwrap();
    for session in ["ada/1", "bob/1"] {
        let note = json!({"text": format!("noted in {session}")});
        let model = ScriptedModel::new()
            .turn(move |_| ScriptedTurn::new().call("1", "remember", note).done())
            .text("Noted.");
        let agent = AsyncAgent::builder(model.clone(), manager.clone()).session(session);
        let agent = agent.start().await.unwrap();
        agent.send("Remember this.").await.unwrap();
        agent.run_until_idle().await.unwrap();
        model.verify();
    }
    assert_eq!(texts(&journal.memory("ada")).await, ["noted in ada/1"]);
    assert_eq!(texts(&journal.memory("bob")).await, ["noted in bob/1"]);
    assert_eq!(texts(&journal.memory("unknown")).await, [""; 0]);
}

#[tokio::test]
async fn the_tools_have_schemas_in_all_dialects_and_may_have_other_names() {
    let place = Place::new();
    let memory = place.open().memory("user 7");
    for tool in memory.tools() {
        for dialect in Dialect::ALL {
            let schema = tool.definition().for_dialect(*dialect).unwrap();
            assert!(schema.is_object(), "{dialect:?}: {schema}");
        }
        assert!(!tool.definition().description.contains("task id"));
    }
    let remember = memory.remember_tool().name("keep_in_mind");
    assert_eq!(&*remember.definition().name, "keep_in_mind");
    let options = remember.options();
    assert_eq!(
        (options.effect, options.background),
        (Effect::Idempotent, Background::Always)
    );
    let recall = memory.recall_tool();
    let options = recall.options();
    assert_eq!((options.effect, options.background), (Effect::Read, Background::Never));
}
