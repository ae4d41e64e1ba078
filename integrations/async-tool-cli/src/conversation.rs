//! Text form of a session, as a conversation.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use async_tool_runtime::{
    TaskNo, TaskOutcome,
    content::shown,
    journal::{CallAnswer, Entry, Withdrawal},
    task::Timestamp,
    tool::InputRequest,
};

use crate::{plain::Short, tasks::Tasks};

/// Longest text without `--all`, in characters.
const SHOWN: usize = 200;

/// Writer of a session: its entries in order, with times, and a table of its tasks.
pub(crate) struct Conversation<'a> {
    entries: &'a [Entry],
    limit: usize,
}

impl<'a> Conversation<'a> {
    pub(crate) fn new(entries: &'a [Entry], shows_all: bool) -> Self {
        let limit = if shows_all { usize::MAX } else { SHOWN };
        Self { entries, limit }
    }

    pub(crate) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let mut began = None;
        for (place, entry) in self.entries.iter().enumerate() {
            let at = entry.at();
            let since = since(*began.get_or_insert(at), at);
            let (who, what) = self.line(entry);
            let style = style(who);
            let dim = Style::new().dimmed();
            writeln!(
                to,
                "{dim}{:>5}  {since:>12}{dim:#}  {style}{who:<9}{style:#}  {what}",
                place + 1
            )?;
        }
        Tasks::write(self.entries, self.limit, to)
    }

    fn short(&self, text: &str) -> String {
        Short::new(text, self.limit).to_string()
    }

    /// Actor and action of an entry.
    fn line(&self, entry: &Entry) -> (&'static str, String) {
        match entry {
            Entry::Opened { .. } => ("session", "opened".to_owned()),
            Entry::Resumed { .. } => ("session", "resumed after its process had ended".to_owned()),
            Entry::UserMessage { text, media, .. } => ("user", self.short(&shown(text, media))),
            Entry::TurnStarted { turn, .. } => ("model", format!("{turn} begins")),
            Entry::Accepted {
                number,
                call,
                awaits,
                repeats,
                ..
            } => {
                let mut line = format!(
                    "{number} = {}({})",
                    self.short(&call.name),
                    self.short(&call.arguments.to_string())
                );
                if !awaits.is_empty() {
                    let sources: Vec<_> = awaits.iter().map(|awaited| awaited.task).collect();
                    line.push_str(&format!(", after {}", list(&sources)));
                }
                if let Some(of) = repeats {
                    line.push_str(&format!(", repeats {of}"));
                }
                ("call", line)
            }
            Entry::TurnEnded { text, calls, cuts, .. } => ("model", self.said(text, calls, *cuts)),
            Entry::TurnInterrupted {
                text,
                calls,
                cuts,
                cause,
                ..
            } => (
                "model",
                format!("interrupted by {cause}: {}", self.said(text, calls, *cuts)),
            ),
            Entry::Halted { .. } => ("host", "halts the agent, until a message or a result comes".to_owned()),
            Entry::TurnWithdrawn { turn, cause, .. } => {
                let cause = match cause {
                    Withdrawal::UserMessage => "a user message",
                    _ => "a result",
                };
                ("model", format!("{turn} was broken off for {cause}, before a word"))
            }
            Entry::TurnFailed { turn, error, .. } => ("failure", format!("{turn}: {}", self.short(error))),
            Entry::Settled { result } => {
                let number = result
                    .number
                    .map_or_else(|| result.task.to_string(), |number| number.to_string());
                let elapsed = result.timing.elapsed();
                (
                    "result",
                    format!("{number} {} after {elapsed:?}", self.outcome(&result.outcome)),
                )
            }
            Entry::Answered { answers, .. } => {
                let answers = answers.iter().map(|given| match given {
                    CallAnswer::Ack(number, status) => format!("{number} acknowledged ({status})"),
                    CallAnswer::Asking(number, _) => format!("{number} acknowledged (input_required)"),
                    CallAnswer::Result(number) => format!("{number} with its result"),
                    CallAnswer::Report { number, content, .. } => {
                        format!("{number}: {}", self.short(&content.to_string()))
                    }
                    _ => "an answer that this version doesn't know".to_owned(),
                });
                ("answer", answers.collect::<Vec<_>>().join(", "))
            }
            Entry::Replaced { tasks, .. } => ("delivery", format!("{} in place of acknowledgements", list(tasks))),
            Entry::Delivered { tasks, text, .. } => ("delivery", format!("{}: {}", list(tasks), self.short(text))),
            Entry::Dropped { tasks, reason, .. } => ("dropped", format!("{}: {}", list(tasks), self.short(reason))),
            Entry::CancelRequested { task, reason, .. } => ("cancel", format!("{task}: {}", self.short(reason))),
            Entry::DeliverySet { task, policy, .. } => ("host", format!("delivery of {task} set to {policy:?}")),
            Entry::Grouped { group, tasks, join, .. } => (
                "host",
                format!("group {} of {}, {join:?}", self.short(group), list(tasks)),
            ),
            Entry::Pruned { pruned, .. } => (
                "session",
                format!(
                    "pruned: {} messages removed, results up to message {} collapsed to one line, {} messages cut",
                    pruned.dropped,
                    pruned.collapsed,
                    pruned.cuts.len()
                ),
            ),
            Entry::Resubmitted { task, attempt, .. } => ("restart", format!("{task} runs again, attempt {attempt}")),
            Entry::Deferred { task, until, at } => {
                let limit = until.map(|until| format!(", for {:?} at most", until.since(*at)));
                let limit = limit.unwrap_or_default();
                ("tool", format!("{task} waits for an external completion{limit}"))
            }
            Entry::Asked { task, request, .. } => (
                "tool",
                match request {
                    Some(InputRequest::Approval { .. }) => format!("{task} needs consent"),
                    Some(InputRequest::Input { prompt, .. }) => format!("{task} asks: {}", self.short(prompt)),
                    Some(_) => format!("{task} asks for something"),
                    None => format!("{task} withdraws its request"),
                },
            ),
            Entry::Checkpointed { task, checkpoint, .. } => (
                "tool",
                format!("{task} saves a checkpoint: {}", self.short(&checkpoint.to_string())),
            ),
            Entry::Draining { .. } => ("session", "accepts no more messages, and drains".to_owned()),
            Entry::Detached { tasks, .. } => ("session", format!("{} are detached", list(tasks))),
            Entry::Closing { .. } => ("session", "closing".to_owned()),
            Entry::Closed { .. } => ("session", "closed".to_owned()),
            _ => ("?", "an entry that this version doesn't know".to_owned()),
        }
    }

    fn said(&self, text: &str, calls: &[TaskNo], cuts: u32) -> String {
        let mut said = self.short(text);
        if said.is_empty() {
            said.push_str(if calls.is_empty() { "says nothing" } else { "" });
        }
        if !calls.is_empty() {
            let space = if said.is_empty() { "" } else { " " };
            said.push_str(&format!("{space}[calls {}]", list(calls)));
        }
        if cuts > 0 {
            said.push_str(&format!(" [{cuts} invented results were removed]"));
        }
        said
    }

    fn outcome(&self, outcome: &TaskOutcome) -> String {
        match outcome {
            TaskOutcome::Completed(value) => format!("= {}", self.short(&value.to_string())),
            TaskOutcome::Failed(error) => format!("failed ({}): {}", error.kind(), self.short(error.message())),
            TaskOutcome::Cancelled(reason) => format!("was cancelled: {}", self.short(reason)),
            TaskOutcome::Unknown(why) => format!("ended with an unknown outcome: {}", self.short(why)),
            _ => "ended".to_owned(),
        }
    }
}

fn style(who: &str) -> Style {
    let colour = match who {
        "user" => AnsiColor::Green,
        "model" => AnsiColor::Blue,
        "call" | "result" | "answer" | "delivery" | "tool" => AnsiColor::Cyan,
        "failure" | "dropped" | "cancel" => AnsiColor::Red,
        "restart" => AnsiColor::Yellow,
        _ => return Style::new().bold(),
    };
    Style::new().bold().fg_color(Some(colour.into()))
}

pub(crate) fn list(tasks: &[TaskNo]) -> String {
    let tasks: Vec<_> = tasks.iter().map(ToString::to_string).collect();
    tasks.join(" ")
}

/// Time since the beginning of the session.
fn since(began: Timestamp, at: Timestamp) -> String {
    let millis = at.since(began).as_millis();
    format!("{}.{:03} s", millis / 1_000, millis % 1_000)
}
