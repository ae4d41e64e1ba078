//! The output of the program.

use std::{future::poll_fn, sync::Arc};

use async_tool_runtime::{
    AgentEventKind, AsyncTaskResult, Message, SessionId, TaskNo, TaskOutcome,
    agent::{AgentEventStream, AgentTask, Resumption},
    context::AnswerContent,
    future::BoxStream,
    journal::ReadError,
};
use shared::console::say;

use crate::world::World;

/// Collects a stream.
pub(crate) async fn all<T>(mut stream: BoxStream<'_, Result<T, ReadError>>) -> Result<Vec<T>, ReadError> {
    let mut items = Vec::new();
    while let Some(item) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
        items.push(item?);
    }
    Ok(items)
}

/// Prints the fate of the tasks of the previous process.
pub(crate) fn resumption(session: &SessionId, resumption: &Resumption, tasks: &[AgentTask]) {
    say(format_args!(
        "Session `{session}` is resumed: its previous process has ended."
    ));
    let name = |number: &TaskNo| {
        let task = tasks.iter().find(|task| task.number == *number);
        format!("{number} {}", task.map_or("?", |task| &task.call.name))
    };
    let lines = [
        (&resumption.again, "runs again, with the same idempotency key"),
        (&resumption.reconciled, "the tool asks whether it was done"),
        (&resumption.waiting, "still waits for its result from outside"),
        (&resumption.unknown, "has an unknown outcome; it does not run again"),
        (&resumption.ended, "ended with the process"),
        (&resumption.undelivered, "had ended; its result is delivered now"),
    ];
    for (numbers, fate) in lines {
        for number in numbers {
            say(format_args!("  {:<16} {fate}", name(number)));
        }
    }
    if resumption.repeats_turn {
        say(format_args!("  the turn of the model was incomplete, and is repeated"));
    }
    say(format_args!(""));
}

/// Prints events as they come.
pub(crate) async fn narrate(mut events: AgentEventStream) {
    while let Some(event) = events.next().await {
        match event.kind {
            AgentEventKind::Called { number, call, .. } => {
                say(format_args!("{number} {} {}", call.name, call.arguments))
            }
            AgentEventKind::Deferred { number, .. } => {
                say(format_args!("{number} is deferred: its result comes from outside"))
            }
            AgentEventKind::Settled { number, result } => {
                say(format_args!("{number} {} is {}", result.tool, result.status()))
            }
            AgentEventKind::TurnEnded { text, .. } if !text.is_empty() => say(format_args!("clerk: {text}")),
            _ => {}
        }
    }
}

/// Prints the journal and the effects of the errands in one table.
pub(crate) fn balance(tasks: &[AgentTask], transcript: &[Arc<Message>], world: &World) -> std::io::Result<()> {
    say(format_args!(
        "\n{:<4} {:<12} {:<10} {:>18}   shown to the model",
        "task", "errand", "ended as", "done"
    ));
    for task in tasks {
        let key = task.task.to_string();
        let done = match &*task.call.name {
            "weigh" => "has no effect".to_owned(),
            "store" => if world.holds(&key) { "once" } else { "never" }.to_owned(),
            tool => {
                let book = match tool {
                    "pay" => "bank",
                    "send_letter" => "post",
                    _ => "shop",
                };
                match world.find(book, &key)?.len() {
                    0 => "never".to_owned(),
                    1 => "once".to_owned(),
                    times => format!("{times} times"),
                }
            }
        };
        let results = told(task.number, transcript);
        let ended = match results.first().map(|result| &result.outcome) {
            Some(TaskOutcome::Unknown(_)) => "unknown".to_owned(),
            _ => task.status.to_string(),
        };
        let told = match results.len() {
            0 => "never",
            1 => "once",
            _ => "more than once",
        };
        let (number, tool) = (task.number.to_string(), &task.call.name);
        say(format_args!("{number:<4} {tool:<12} {ended:<10} {done:>18}   {told}"));
    }
    Ok(())
}

/// Results of a task that the model was shown; there should be exactly one.
fn told(number: TaskNo, transcript: &[Arc<Message>]) -> Vec<&AsyncTaskResult> {
    let results = transcript.iter().flat_map(|message| match &**message {
        Message::Delivery { results, .. } => results.iter().map(|result| &**result).collect(),
        Message::Answers(answers) => {
            let results = answers.iter().filter_map(|answer| match &answer.content {
                AnswerContent::Result(result) => Some(&**result),
                _ => None,
            });
            results.collect()
        }
        _ => Vec::new(),
    });
    results.filter(|result| result.number == Some(number)).collect()
}
