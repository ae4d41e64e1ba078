//! A record of a session, from the agent's events.

use async_tool_runtime::{
    AgentEvent, AgentEventKind, TaskNo, TaskStatus,
    task::{Timestamp, Timing, TurnNo},
};

/// Messages, turns and tasks of a session, with their times.
#[derive(Debug, Default)]
pub struct Timeline {
    /// Times of the user's messages.
    pub messages: Vec<Timestamp>,
    /// Turns of the model, in order.
    pub turns: Vec<TurnRow>,
    /// Tasks that have ended, in the order of their numbers.
    pub tasks: Vec<TaskRow>,
    /// Turn of each call.
    calls: Vec<(TaskNo, TurnNo)>,
}

/// One turn of the model.
#[derive(Clone, Copy, Debug)]
pub struct TurnRow {
    /// Number of the turn.
    pub turn: TurnNo,
    /// Time of the request to the model.
    pub began: Timestamp,
    /// Time when the turn ended or failed; `None` if it did neither.
    pub ended: Option<Timestamp>,
}

/// One task that has ended.
#[derive(Clone, Debug)]
pub struct TaskRow {
    /// Number of the task.
    pub number: TaskNo,
    /// Name of the tool.
    pub tool: String,
    /// Turn that made the call.
    pub turn: TurnNo,
    /// Times when the task was accepted, started and settled.
    pub timing: Timing,
    /// Final status.
    pub status: TaskStatus,
}

impl Timeline {
    /// Records the next event.
    pub fn observe(&mut self, event: &AgentEvent) {
        match &event.kind {
            AgentEventKind::UserMessage { .. } => self.messages.push(event.at),
            AgentEventKind::TurnStarted { turn, .. } => self.turns.push(TurnRow {
                turn: *turn,
                began: event.at,
                ended: None,
            }),
            AgentEventKind::TurnEnded { turn, .. }
            | AgentEventKind::TurnInterrupted { turn, .. }
            | AgentEventKind::TurnWithdrawn { turn, .. }
            | AgentEventKind::TurnFailed { turn, .. } => {
                if let Some(row) = self.turns.iter_mut().find(|row| row.turn == *turn) {
                    row.ended = Some(event.at);
                }
            }
            AgentEventKind::Called { turn, number, .. } => self.calls.push((*number, *turn)),
            AgentEventKind::Settled { number, result } => {
                let turn = self.calls.iter().find(|(called, _)| called == number);
                self.tasks.push(TaskRow {
                    number: *number,
                    tool: result.tool.to_string(),
                    turn: turn.map(|(_, turn)| *turn).unwrap_or_default(),
                    timing: result.timing,
                    status: result.status(),
                });
                self.tasks.sort_by_key(|row| row.number);
            }
            _ => {}
        }
    }

    /// Times of the first and of the last event; `None` without events.
    #[must_use]
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let turns = self.turns.iter().flat_map(|row| [Some(row.began), row.ended]).flatten();
        let tasks = self
            .tasks
            .iter()
            .flat_map(|row| [row.timing.accepted, row.timing.settled]);
        let mut times: Vec<Timestamp> = self.messages.iter().copied().chain(turns).chain(tasks).collect();
        times.sort();
        Some((*times.first()?, *times.last()?))
    }
}
