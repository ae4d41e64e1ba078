//! Traces over a restart.

use async_tool_runtime::{
    AsyncToolManager, Effect,
    agent::Ledger,
    journal::{Entry, Seq},
};

use super::process::{Seen, check, entries, kept, leave, listener, resume, stuck};
use crate::stand::{NotedTraces, Notes};

#[tokio::test(start_paused = true)]
async fn a_call_that_runs_again_and_the_turn_that_is_told_its_result_are_in_the_trace_of_the_message() {
    let _listening = Notes::listen();
    let (kept, seen) = (kept(), Seen::default());
    let manager = |traces| {
        let tool = stuck("look", Effect::Read, &seen);
        AsyncToolManager::builder()
            .tool(tool)
            .propagator(traces)
            .build()
            .unwrap()
    };
    let (_dead, _) = leave(&kept, &manager(NotedTraces::start()), &["look"]).await;
    Notes::taken();

    let agent = resume(&kept, &manager(NotedTraces), &listener()).await;
    agent.run_until_idle().await.unwrap();
    let notes = Notes::taken();
    let place = |of: &str| {
        let place = notes.iter().position(|note| note.starts_with(of));
        place.unwrap_or_else(|| panic!("{of}\n in {notes:#?}"))
    };
    // The first process had the first call's span.
    assert!(
        notes[place("execute_tool: begins") - 1] == "continues user_message 1 {",
        "{notes:#?}"
    );
    assert!(
        notes[place("invoke_agent: begins") - 1] == "continues user_message 1 {",
        "{notes:#?}"
    );
    place("deliver_results is linked with execute_tool 2");
    place("chat is linked with execute_tool 2");
    check(&kept);

    // A snapshot has all that the entries have.
    let entries = entries(&kept);
    let settled = entries.iter().find_map(|entry| match entry {
        Entry::Settled { result } => result.traceparent.clone(),
        _ => None,
    });
    assert_eq!(settled.as_deref(), Some("execute_tool 2"));
    for end in 1..=entries.len() {
        let ledger = Ledger::fold(&entries[..end]).unwrap();
        let snapshot = ledger.to_snapshot(Seq::new(end as u64)).unwrap();
        assert_eq!(Ledger::from_snapshot(&snapshot), Some(ledger));
    }
}
