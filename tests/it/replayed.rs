//! Sessions of whole agents, played against the machine again from their journals alone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    AckPolicy, AgentPolicy, AsyncAgent, AsyncToolManager, Entry, MemoryJournal, ModelStream, SessionId, SessionReplay,
    TaskOutcome, ToolCall, ToolRegistry, async_tool,
    testing::{Explore, Faults, ScriptedModel, Sim},
    tools,
};
use serde_json::json;

use crate::explored::{office, office_tools};

/// What the agent had that wrote the journal.
fn replay(sim: &Sim, ack: AckPolicy) -> SessionReplay {
    let session = sim.journal().session_ids()[0].clone();
    let mut policy = AgentPolicy::new(&ToolRegistry::new(office_tools()).unwrap());
    policy.ack = ack;
    SessionReplay::new(session, policy)
}

#[test]
fn every_session_of_an_office_is_written_again_to_the_letter() {
    let (entries, turns) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let explore = Explore::new().seeds(0..400).faults(Faults::some());
    explore.run(async |sim| {
        office(sim.clone()).await;
        let journal = sim.journal();
        let written = journal.entries(&journal.session_ids()[0]);
        // Which of the two it was is drawn.
        let played = replay(&sim, AckPolicy::Eager).check(&written);
        let played = played.or_else(|_| replay(&sim, AckPolicy::Deferred).check(&written));
        let played = played.unwrap_or_else(|divergence| panic!("{divergence}"));
        entries.fetch_add(played.entries(), Ordering::Relaxed);
        turns.fetch_add(played.turns(), Ordering::Relaxed);
    });
    println!("{entries:?} entries, {turns:?} turns");
}

#[test]
fn a_result_that_is_changed_after_it_was_told_is_found() {
    let changed = AtomicUsize::new(0);
    Explore::new().seeds(0..100).run(async |sim| {
        office(sim.clone()).await;
        let journal = sim.journal();
        let mut written = journal.entries(&journal.session_ids()[0]);
        let delivered = written.iter().find_map(|entry| match entry {
            Entry::Delivered { tasks, .. } => tasks.first().copied(),
            _ => None,
        });
        let Some(delivered) = delivered else { return };
        for entry in &mut written {
            if let Entry::Settled { result } = entry
                && result.number == Some(delivered)
            {
                let mut other = (**result).clone();
                other.outcome = TaskOutcome::Completed(json!("not what it was"));
                *result = other.into();
            }
        }
        for ack in [AckPolicy::Eager, AckPolicy::Deferred] {
            replay(&sim, ack)
                .check(&written)
                .expect_err("the delivery says something else");
        }
        changed.fetch_add(1, Ordering::Relaxed);
    });
    assert!(changed.into_inner() > 30);
}

#[test]
fn most_sessions_are_written_again_by_who_knows_only_the_journal() {
    let (all, played) = (AtomicUsize::new(0), AtomicUsize::new(0));
    Explore::new().seeds(0..200).run(async |sim| {
        office(sim.clone()).await;
        let session = sim.journal().session_ids()[0].clone();
        let written = sim.journal().entries(&session);
        let is_played = SessionReplay::guessed(session, &written).check(&written);
        if let Err(divergence) = &is_played {
            println!("seed {}: {divergence}", sim.seed());
        }
        all.fetch_add(1, Ordering::Relaxed);
        played.fetch_add(usize::from(is_played.is_ok()), Ordering::Relaxed);
    });
    let (all, played) = (all.into_inner(), played.into_inner());
    println!("{played} of {all}");
    assert!(played * 20 > all * 19, "{played} of {all}");
}

/// Takes a password, and a while.
#[async_tool(effect = "read", background = "always")]
async fn log_in(#[arg(sensitive)] password: String) -> String {
    tokio::time::sleep(Duration::from_secs(1)).await;
    format!("{} letters", password.len())
}

#[tokio::test(start_paused = true)]
async fn a_session_of_which_secrets_were_kept_is_written_again_with_what_stands_in_their_place() {
    let journal = Arc::new(MemoryJournal::new());
    let manager = AsyncToolManager::builder().tools(tools![log_in]).build().unwrap();
    let model = ScriptedModel::new()
        .turn(|_| ModelStream::calls([ToolCall::new("1", "log_in", json!({"password": "zq9K7wv8J4"}))]))
        .text("I try")
        .text("it went well");
    let agent = AsyncAgent::builder(model, manager)
        .journal(Arc::clone(&journal))
        .session("s");
    let agent = agent.start().await.unwrap();
    agent.send("log in").await.unwrap();
    agent.run_until_idle().await.unwrap();
    agent.close().await.unwrap();

    let session = SessionId::new("s");
    let written = journal.entries(&session);
    assert!(
        written
            .iter()
            .any(|entry| matches!(entry, Entry::Accepted { call, .. } if call.redacted))
    );
    assert!(written.iter().any(|entry| matches!(entry, Entry::Delivered { .. })));
    let policy = AgentPolicy::new(&ToolRegistry::new(tools![log_in]).unwrap());
    let replay = SessionReplay::new(session, policy);
    let played = replay
        .check(&written)
        .unwrap_or_else(|divergence| panic!("{divergence}"));
    assert_eq!(played.entries(), written.len());
}
