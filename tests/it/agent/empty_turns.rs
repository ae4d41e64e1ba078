//! Turns of a model that come back empty.

use std::sync::atomic::{AtomicBool, Ordering};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, FunctionTool, Message, ToolError, ToolErrorKind,
    agent::{
        Ledger, RunLimits,
        custom::{Agent, TurnContext, TurnInput, TurnReply},
    },
    journal::{Entry, Seq},
    model::{ModelError, ModelEvent, ModelStream, StopReason, TurnEnd},
    tool::Background,
};
use serde_json::json;

use crate::stand::{Stage, answering, calls, kind, manager, quick, start_with, text_of, with_slots};

fn ends(text: &str, stop: StopReason) -> ModelStream {
    ModelStream::from_events([ModelEvent::Text(text.to_owned()), ModelEvent::Done(TurnEnd::new(stop))])
}

fn call() -> ModelStream {
    calls([("quick", json!({}))])
}

fn silence() -> ModelStream {
    ends("", StopReason::EndTurn)
}

/// Turns that say nothing after results, or announce calls and make none.
fn empty_turns() -> Vec<fn() -> ModelStream> {
    vec![
        silence,
        || ends(" \n", StopReason::EndTurn),
        || ModelStream::from_events([ModelEvent::Done(TurnEnd::default())]),
        || ends("", StopReason::ToolCalls),
        || ends("Let me look.", StopReason::ToolCalls),
        || ends("", StopReason::MaxTokens),
        // Only blocks of the provider, such as its thoughts.
        || {
            let end = TurnEnd::new(StopReason::EndTurn).with_provider(json!([{"type": "thinking"}]));
            ModelStream::from_events([ModelEvent::Done(end)])
        },
    ]
}

fn tools() -> [(&'static str, FunctionTool); 2] {
    [("at once", quick()), ("late", quick().background(Background::Always))]
}

#[tokio::test(start_paused = true)]
async fn an_empty_turn_is_asked_once_more() {
    for empty in empty_turns() {
        for (when, tool) in tools() {
            let was_silent = AtomicBool::new(false);
            let model = answering(move |request, _| {
                let has_result = text_of(request).contains("\"done\"");
                match request.messages.last().map(|message| &**message) {
                    Some(Message::User { .. }) => call(),
                    _ if !has_result => ModelStream::text("It runs."),
                    _ if !was_silent.swap(true, Ordering::SeqCst) => empty(),
                    _ => ModelStream::text("It is done."),
                }
            });
            let mut stage = Stage::set(model, [tool], |agent| agent).await;
            let summary = stage.agent.run_to_completion("go").await.unwrap();
            assert_eq!((&*summary.text, summary.is_empty), ("It is done.", false), "{when}");
            stage.check();
            stage
                .until(|kind| {
                    matches!(kind, AgentEventKind::ModelFailed { error, retry_at: Some(_), .. } if *error == ModelError::empty())
                })
                .await;
            let asked = stage.asked();
            assert_eq!(
                format!("{:?}", stage.request(asked - 1).messages),
                format!("{:?}", stage.request(asked).messages),
                "{when}: the same is asked again"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_that_stays_silent_is_reported() {
    for empty in empty_turns() {
        let model = answering(move |_, asked| match asked {
            1 | 4 => call(),
            2 | 3 => empty(),
            _ => ModelStream::text("It is done."),
        });
        let mut stage = Stage::set(model, [quick()], |agent| agent).await;
        let summary = stage.agent.run_to_completion("go").await.unwrap();
        assert!(summary.is_empty);
        assert_eq!(stage.asked(), 3, "once more, and not for ever");
        stage
            .until(|kind| matches!(kind, AgentEventKind::TurnEmpty { .. }))
            .await;
        stage.check();

        let summary = stage.agent.run_to_completion("and now?").await.unwrap();
        assert_eq!(
            (&*summary.text, summary.is_empty),
            ("It is done.", false),
            "a run of its own"
        );
        stage.check();
    }
}

#[tokio::test(start_paused = true)]
async fn a_resumed_session_still_says_that_the_last_run_was_empty() {
    let model = answering(|_, asked| if asked == 1 { call() } else { silence() });
    let stage = Stage::set(model, [quick()], |agent| agent).await;
    stage.agent.run_to_completion("go").await.unwrap();
    let entries = stage.entries();
    let failed = entries.iter().filter(|entry| matches!(entry, Entry::TurnFailed { .. }));
    assert_eq!(failed.count(), 1);
    let ledger = Ledger::fold(&entries).unwrap();
    let snapshot = ledger.to_snapshot(Seq::new(entries.len() as u64)).unwrap();
    assert_eq!(Ledger::from_snapshot(&snapshot), Some(ledger));
}

#[tokio::test(start_paused = true)]
async fn silence_is_an_answer_where_no_result_was_given() {
    // To a message, to an acknowledgement, and as a refusal.
    for (turns, asked, is_empty) in [
        ([silence as fn() -> ModelStream, silence], 1, false),
        ([call, || ends("", StopReason::Refused)], 2, true),
    ] {
        let model = answering(move |_, asked| turns.get(asked - 1).map_or_else(silence, |turn| turn()));
        let stage = Stage::set(model, [quick()], |agent| agent).await;
        let summary = stage.agent.run_to_completion("go").await.unwrap();
        assert_eq!((stage.asked(), summary.is_empty), (asked, is_empty));
    }
}

#[tokio::test(start_paused = true)]
async fn at_the_limit_of_model_calls_an_empty_turn_stands() {
    let model = answering(|_, asked| if asked == 1 { call() } else { silence() });
    let stage = Stage::set(model, [quick()], |agent| {
        agent.limits(RunLimits::default().with_turns(2))
    })
    .await;
    assert!(stage.agent.run_to_completion("go").await.unwrap().is_empty);
    assert_eq!(stage.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_custom_agent_may_say_nothing() {
    struct Quiet;

    impl Agent for Quiet {
        type Error = ModelError;

        async fn turn(&mut self, input: TurnInput, cx: TurnContext) -> Result<TurnReply, ModelError> {
            if !input.user_text().is_empty() {
                cx.call("quick", json!({}))?;
            }
            Ok(TurnReply::default())
        }
    }
    let agent = AsyncAgent::wrap(Quiet, manager([quick()])).start().await.unwrap();
    let summary = agent.run_to_completion("go").await.unwrap();
    assert_eq!((summary.is_empty, summary.totals.turns), (false, 2));
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_a_tool_fails_if_it_ends_without_an_answer() {
    let model = answering(|_, asked| if asked == 1 { call() } else { silence() });
    let helper = AsyncAgent::as_tool("helper", "Helps.", move |manager| {
        AsyncAgent::builder(model.clone(), manager)
    });
    let manager = with_slots(10, [helper]);
    let result = start_with(&manager, "helper", json!({"message": "go"})).outcome().await;
    assert_eq!(kind(&result), Some(ToolErrorKind::Failed));
    let told = result.outcome.error().map(ToolError::model_message);
    assert_eq!(told, Some("the agent ended without an answer"));
}
