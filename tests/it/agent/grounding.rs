//! Values that a model says and was not told.

use std::sync::Arc;

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, Message, ToolCall,
    agent::{Grounding, Ledger},
    journal::{Entry, MemoryJournal, check_journal},
    model::{ModelEvent, ModelRequest, ModelStream, TurnEnd},
    testing::ScriptedModel,
};
use serde_json::json;

use crate::stand::{answering, manager, timed};

/// A model that says something with its call, something while the call runs, and something when it has the result.
fn model(before: &'static str, meanwhile: &'static str, then: &'static str) -> ScriptedModel {
    answering(move |request, asked| {
        let knows = request.messages.iter().any(|message| match &**message {
            Message::Delivery { .. } => true,
            Message::Answers(answers) => answers
                .iter()
                .any(|answer| answer.to_model_json().get("status").is_none()),
            _ => false,
        });
        match asked {
            1 => speaks_and_calls(before),
            _ if knows => ModelStream::text(then),
            _ => ModelStream::text(meanwhile),
        }
    })
}

fn speaks_and_calls(text: &str) -> ModelStream {
    let arguments = json!({"ms": 5_000, "value": {"celsius": -13.7}, "city": "Oslo 5"});
    ModelStream::from_events([
        ModelEvent::Text(text.to_owned()),
        ModelEvent::ToolCall(ToolCall::new("c1", "work", arguments)),
        ModelEvent::Done(TurnEnd::default()),
    ])
}

/// Marks of each turn, the number of notes that the model got, and its last request.
async fn marks(model: ScriptedModel, grounding: Option<Grounding>) -> (Vec<Vec<String>>, usize, ModelRequest) {
    let journal = Arc::new(MemoryJournal::new());
    let mut builder = AsyncAgent::builder(model.clone(), manager([timed("work")]))
        .system("The station is number 880.")
        .journal(Arc::clone(&journal));
    if let Some(grounding) = grounding {
        builder = builder.grounding(grounding);
    }
    let agent = builder.start().await.unwrap();
    let mut events = agent.events();
    agent.send("How warm is it in Oslo, postal code 0150?").await.unwrap();
    agent.run_until_idle().await.unwrap();
    agent.close().await.unwrap();
    let entries = journal.entries(agent.session());
    check_journal(&entries).unwrap();
    let ledger = Ledger::fold(&entries).unwrap();
    let is_note = |message: &&Arc<Message>| matches!(***message, Message::Note { .. });
    let notes = ledger.transcript().messages().iter().filter(is_note).count();
    let mut marks = Vec::new();
    while let Some(event) = events.next().await {
        if let AgentEventKind::TurnEnded { ungrounded, .. } = event.kind {
            marks.push(ungrounded);
        }
    }
    let kept = entries.into_iter().filter_map(|entry| match entry {
        Entry::TurnEnded { ungrounded, .. } => Some(ungrounded),
        _ => None,
    });
    assert_eq!(kept.collect::<Vec<_>>(), marks, "the journal has what the events tell");
    (marks, notes, model.requests().pop().unwrap())
}

#[tokio::test(start_paused = true)]
async fn values_that_nothing_has_told_are_marked_before_the_call_and_while_it_runs() {
    let model = model(
        "Oslo (0150) has about 21.5 degrees; let me ask station 880.",
        "While t1 runs: it may be -4 °C or -20 °C, says /var/log/weather.txt, in city \"Oslo 5\".",
        "It is -13.7, and tomorrow 99.",
    );
    let (marks, notes, _) = marks(model, Some(Grounding::on())).await;
    let [before, meanwhile, then] = &marks[..] else {
        panic!("{marks:?}")
    };
    assert_eq!(before, &["21.5"]);
    assert_eq!(meanwhile, &["-20", "/var/log/weather.txt"]);
    assert!(then.is_empty(), "no task runs, so the model may know more: {then:?}");
    assert_eq!(notes, 0, "a mark changes nothing of the conversation");
}

#[tokio::test(start_paused = true)]
async fn without_the_check_nothing_is_marked() {
    let (marks, ..) = marks(model("It is 21.5.", "It is 21.5.", "It is 21.5."), None).await;
    assert!(marks.iter().all(Vec::is_empty), "{marks:?}");
}

#[tokio::test(start_paused = true)]
async fn a_model_is_asked_again_once_for_each_message() {
    let model = model("", "It is 21.5.", "It is -13.7.");
    let (marks, notes, last) = marks(model, Some(Grounding::on().ask_again())).await;
    // With its call, after the acknowledgement, after the note, and with the result.
    let made_up = vec!["21.5".to_owned()];
    assert_eq!(marks, [vec![], made_up.clone(), made_up, vec![]]);
    assert_eq!(notes, 1);
    let note = last.messages.iter().find_map(|message| match &**message {
        Message::Note { text } => Some(text.clone()),
        _ => None,
    });
    assert!(note.unwrap().contains("not told"));
}
