//! The events of an agent as lines of text.

use async_tool_runtime::{AgentEvent, AgentEventKind, AsyncTaskResult, TaskNo, TaskOutcome, task::Timestamp};

/// Turns events into lines of text, each with the time since the first event.
#[derive(Debug, Default)]
pub struct Story {
    began: Option<Timestamp>,
    has_own_messages: bool,
}

impl Story {
    /// Column at which the text of a line begins.
    pub const INDENT: usize = 17;

    /// A story for the user who types the messages: the terminal has shown them already.
    #[must_use]
    pub fn for_the_typist() -> Self {
        Self {
            has_own_messages: true,
            ..Self::default()
        }
    }

    /// Lines for an event; none for events of no interest to a person, such as the start of a turn.
    pub fn tell(&mut self, event: &AgentEvent) -> Vec<String> {
        let began = *self.began.get_or_insert(event.at);
        if self.has_own_messages && matches!(event.kind, AgentEventKind::UserMessage { .. }) {
            return Vec::new();
        }
        let seconds = event.at.since(began).as_secs_f64();
        let (who, what) = describe(&event.kind);
        what.lines()
            .map(|line| format!("{seconds:>7.2} s  {who:<5} {}", harmless(line)))
            .collect()
    }
}

/// Actor and action of an event.
fn describe(kind: &AgentEventKind) -> (&'static str, String) {
    match kind {
        AgentEventKind::UserMessage { text, .. } => ("user", text.clone()),
        AgentEventKind::TurnEnded { text, .. } => ("agent", text.clone()),
        AgentEventKind::TurnInterrupted { text, .. } => ("agent", format!("{text} […]")),
        AgentEventKind::Halted => (
            "host",
            "the agent is stopped until a message or a result comes".to_owned(),
        ),
        AgentEventKind::TurnFailed { error, .. } => ("model", format!("the turn failed: {error}")),
        AgentEventKind::TurnEmpty { .. } => ("model", "it said nothing, also when asked once more".to_owned()),
        AgentEventKind::Called { number, call, .. } => ("call", format!("{number} = {} {}", call.name, call.arguments)),
        AgentEventKind::Acknowledged { number } => ("ack", format!("{number} continues in the background")),
        AgentEventKind::Answered { number } => (
            "reply",
            format!("{number} is answered with its result, within the turn"),
        ),
        AgentEventKind::Settled { number, result } => ("task", settled(*number, result)),
        AgentEventKind::Delivered { tasks } => ("inbox", format!("{} delivered to the model", list(tasks))),
        AgentEventKind::Dropped { tasks, reason } => ("inbox", format!("{} dropped: {reason}", list(tasks))),
        AgentEventKind::CancelRequested { number, reason } => {
            ("host", format!("{number} is to be cancelled: {reason}"))
        }
        AgentEventKind::Closed => ("host", "the session is closed".to_owned()),
        AgentEventKind::JournalFailed { reason } => ("host", format!("the journal can't be written: {reason}")),
        AgentEventKind::Stopped { reason } => ("host", format!("the session has stopped: {reason}")),
        AgentEventKind::Defect { reason: what } => ("host", format!("bug in the library: {what}")),
        AgentEventKind::Missed { events } => ("host", format!("{events} events were missed")),
        // `Text` events are left out: `TurnEnded` has the whole text.
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

/// Replaces control characters: a file name can contain codes that move the terminal's cursor.
fn harmless(line: &str) -> String {
    line.replace(char::is_control, "\u{fffd}")
}

fn list(tasks: &[TaskNo]) -> String {
    let names: Vec<String> = tasks.iter().map(TaskNo::to_string).collect();
    names.join(", ")
}
