//! Tells a person what an agent does, line by line.

use async_tool_runtime::{AgentEvent, AgentEventKind, AsyncTaskResult, TaskNo, TaskOutcome, task::Timestamp};

/// Turns events into lines with the time since the first event.
#[derive(Debug, Default)]
pub struct Story {
    began: Option<Timestamp>,
}

impl Story {
    /// The lines for an event; empty for those that a person need not see, such as the start of a turn.
    pub fn tell(&mut self, event: &AgentEvent) -> Vec<String> {
        let began = *self.began.get_or_insert(event.at);
        let seconds = event.at.since(began).as_secs_f64();
        let (who, what) = describe(&event.kind);
        what.lines()
            .map(|line| format!("{seconds:>7.2} s  {who:<5} {}", harmless(line)))
            .collect()
    }
}

/// Who did something, and what.
fn describe(kind: &AgentEventKind) -> (&'static str, String) {
    match kind {
        AgentEventKind::UserMessage(text) => ("user", text.clone()),
        AgentEventKind::TurnEnded { text, .. } | AgentEventKind::TurnInterrupted { text, .. } => {
            ("agent", text.clone())
        }
        AgentEventKind::TurnFailed { error, .. } => ("model", format!("the turn failed: {error}")),
        AgentEventKind::Called { number, call, .. } => ("call", format!("{number} = {} {}", call.name, call.arguments)),
        AgentEventKind::Acknowledged(number) => ("ack", format!("{number} goes on in the background")),
        AgentEventKind::Answered(number) => ("reply", format!("{number} answered with its result, within the turn")),
        AgentEventKind::Settled(number, result) => ("task", settled(*number, result)),
        AgentEventKind::Delivered(tasks) => ("inbox", format!("{} put before the model", list(tasks))),
        AgentEventKind::Dropped(tasks, reason) => ("inbox", format!("{} dropped: {reason}", list(tasks))),
        AgentEventKind::CancelRequested(number, reason) => ("host", format!("{number} told to stop: {reason}")),
        AgentEventKind::Closed => ("host", "the session is closed".to_owned()),
        AgentEventKind::JournalFailed(reason) => ("host", format!("the journal can't be written: {reason}")),
        AgentEventKind::Defect(what) => ("host", format!("a defect of the library: {what}")),
        AgentEventKind::Missed(events) => ("host", format!("{events} events were missed")),
        // `TurnEnded` has all of the text.
        _ => ("", String::new()),
    }
}

fn settled(number: TaskNo, result: &AsyncTaskResult) -> String {
    let how = match &result.outcome {
        TaskOutcome::Completed(_) => "completed".to_owned(),
        TaskOutcome::Failed(error) => format!("failed: {error}"),
        TaskOutcome::Cancelled(reason) => format!("cancelled: {reason}"),
        other => other.status().to_string(),
    };
    let seconds = result.timing.running().as_secs_f64();
    format!("{number} {} ran {seconds:.2} s and {how}", result.tool)
}

/// Names of files can hold the codes that move a terminal's cursor.
fn harmless(line: &str) -> String {
    line.replace(char::is_control, "\u{fffd}")
}

fn list(tasks: &[TaskNo]) -> String {
    let names: Vec<String> = tasks.iter().map(TaskNo::to_string).collect();
    names.join(", ")
}
