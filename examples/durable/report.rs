//! What is printed.

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

/// Everything in a stream.
pub(crate) async fn all<T>(mut stream: BoxStream<'_, Result<T, ReadError>>) -> Result<Vec<T>, ReadError> {
    let mut items = Vec::new();
    while let Some(item) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
        items.push(item?);
    }
    Ok(items)
}

/// What became of the tasks of the process before.
pub(crate) fn resumption(session: &SessionId, resumption: &Resumption, tasks: &[AgentTask]) {
    say(format_args!(
        "Session `{session}` is taken up again: the process that had it has ended."
    ));
    let name = |number: &TaskNo| {
        let task = tasks.iter().find(|task| task.number == *number);
        format!("{number} {}", task.map_or("?", |task| &task.call.name))
    };
    let lines = [
        (&resumption.again, "run again, under the same key"),
        (&resumption.reconciled, "the tool finds out what became of it"),
        (&resumption.waiting, "goes on waiting for the world"),
        (&resumption.unknown, "nobody can know; it is not run again"),
        (&resumption.ended, "ended with the process"),
        (&resumption.undelivered, "had ended, and is told now"),
    ];
    for (numbers, fate) in lines {
        for number in numbers {
            say(format_args!("  {:<16} {fate}", name(number)));
        }
    }
    if resumption.repeats_turn {
        say(format_args!("  the model was speaking, and is asked again"));
    }
    say(format_args!(""));
}

/// What happens, as it happens.
pub(crate) async fn narrate(mut events: AgentEventStream) {
    while let Some(event) = events.next().await {
        match event.kind {
            AgentEventKind::Called { number, call, .. } => {
                say(format_args!("{number} {} {}", call.name, call.arguments))
            }
            AgentEventKind::Deferred(number) => say(format_args!("{number} is left to the world")),
            AgentEventKind::Settled(number, result) => {
                say(format_args!("{number} {} is {}", result.tool, result.status()))
            }
            AgentEventKind::TurnEnded { text, .. } if !text.is_empty() => say(format_args!("clerk: {text}")),
            _ => {}
        }
    }
}

/// The journal and the world, side by side.
pub(crate) fn balance(tasks: &[AgentTask], transcript: &[Arc<Message>], world: &World) -> std::io::Result<()> {
    say(format_args!(
        "\n{:<4} {:<12} {:<10} {:>18}   told",
        "task", "errand", "ended as", "done in the world"
    ));
    for task in tasks {
        let key = task.task.to_string();
        let done = match &*task.call.name {
            "weigh" => "changes nothing".to_owned(),
            "store" => if world.holds(&key) { "once" } else { "not" }.to_owned(),
            tool => {
                let book = match tool {
                    "pay" => "bank",
                    "send_letter" => "post",
                    _ => "shop",
                };
                match world.find(book, &key)?.len() {
                    0 => "not".to_owned(),
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
            0 => "not",
            1 => "once",
            _ => "more than once",
        };
        let (number, tool) = (task.number.to_string(), &task.call.name);
        say(format_args!("{number:<4} {tool:<12} {ended:<10} {done:>18}   {told}"));
    }
    Ok(())
}

/// The results of a task that the model was told, which should be one.
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
