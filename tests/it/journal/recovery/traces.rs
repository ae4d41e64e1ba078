//! Traces over a restart.

use std::time::Duration;

use async_tool_runtime::{
    AsyncToolManager, Effect, FunctionTool, ToolError, ToolErrorKind,
    agent::Ledger,
    journal::{Entry, Seq},
    tool::Reconciled,
};
use serde_json::Value;

use super::process::{Seen, check, entries, kept, leave, listener, resume, stuck};
use crate::stand::{NotedTraces, Notes, tool_of};

/// Place of the first note with this beginning.
fn place(notes: &[String], of: &str) -> usize {
    let place = notes.iter().position(|note| note.starts_with(of));
    place.unwrap_or_else(|| panic!("{of}\n in {notes:#?}"))
}

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
    let place = |of: &str| place(&notes, of);
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

fn manager_with(tool: FunctionTool, traces: NotedTraces) -> AsyncToolManager {
    let builder = AsyncToolManager::builder().tool(tool).propagator(traces);
    builder.build().unwrap()
}

fn order() -> FunctionTool {
    tool_of("order", |_, cx| async move { Ok(cx.defer::<Value>().await) }).grace(Duration::ZERO)
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_its_completion_over_a_restart_has_a_span_in_the_trace_of_the_message() {
    for fails in [false, true] {
        let _listening = Notes::listen();
        let kept = kept();
        let (_dead, tasks) = leave(&kept, &manager_with(order(), NotedTraces::start()), &["order"]).await;
        Notes::taken();

        let manager = manager_with(order(), NotedTraces);
        let agent = resume(&kept, &manager, &listener()).await;
        let began = Notes::taken();
        let begins = place(&began, "execute_tool: begins otel.name=execute_tool order");
        assert_eq!(began[begins - 1], "continues user_message 1 {", "{began:#?}");

        match fails {
            true => manager.resolve_error(tasks[0], ToolError::new(ToolErrorKind::Unavailable, "sold out")),
            false => manager.resolve(tasks[0], "delivered"),
        }
        .unwrap();
        agent.run_until_idle().await.unwrap();
        let ended = Notes::taken();
        place(&ended, "deliver_results is linked with execute_tool 2");
        place(&ended, "chat is linked with execute_tool 2");
        let has_error = ended
            .iter()
            .any(|note| note.contains("execute_tool: has error.type=\"unavailable\""));
        assert_eq!(has_error, fails, "{ended:#?}");
        check(&kept);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_fate_is_found_out_after_a_restart_has_a_span_too() {
    let _listening = Notes::listen();
    let (kept, seen) = (kept(), Seen::default());
    let pay = |seen: &Seen| {
        let pay = stuck("pay", Effect::Once, seen);
        pay.reconcile(|_| async { Ok::<_, ToolError>(Reconciled::Completed("paid")) })
    };
    let (_dead, _) = leave(&kept, &manager_with(pay(&seen), NotedTraces::start()), &["pay"]).await;
    Notes::taken();
    let agent = resume(&kept, &manager_with(pay(&seen), NotedTraces), &listener()).await;
    agent.run_until_idle().await.unwrap();
    let notes = Notes::taken();
    let begins = place(&notes, "execute_tool: begins otel.name=execute_tool pay");
    assert_eq!(notes[begins - 1], "continues user_message 1 {", "{notes:#?}");
    place(&notes, "chat is linked with execute_tool 2");
    check(&kept);
}
