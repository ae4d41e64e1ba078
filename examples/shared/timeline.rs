//! The record of a session, made of the agent's events.

use async_tool_runtime::{
    AgentEvent, AgentEventKind, TaskNo, TaskStatus,
    task::{Timestamp, Timing, TurnNo},
};

/// What a session did, and when.
#[derive(Debug, Default)]
pub struct Timeline {
    /// When the user said something.
    pub messages: Vec<Timestamp>,
    /// The model's turns, in order.
    pub turns: Vec<TurnRow>,
    /// The tasks that have ended, in the order of their numbers.
    pub tasks: Vec<TaskRow>,
    /// Which turn made each call.
    calls: Vec<(TaskNo, TurnNo)>,
}

/// One turn of the model.
#[derive(Clone, Copy, Debug)]
pub struct TurnRow {
    /// Which turn.
    pub turn: TurnNo,
    /// When the model was asked.
    pub began: Timestamp,
    /// When its answer was complete; `None` if it never was.
    pub ended: Option<Timestamp>,
}

/// One task that has ended.
#[derive(Clone, Debug)]
pub struct TaskRow {
    /// Its number.
    pub number: TaskNo,
    /// The name of the tool.
    pub tool: String,
    /// The turn that made the call.
    pub turn: TurnNo,
    /// When it was accepted, started and settled.
    pub timing: Timing,
    /// How it ended.
    pub status: TaskStatus,
}

impl Timeline {
    /// Takes in the next event.
    pub fn observe(&mut self, event: &AgentEvent) {
        match &event.kind {
            AgentEventKind::UserMessage(_) => self.messages.push(event.at),
            AgentEventKind::TurnStarted(turn) => self.turns.push(TurnRow {
                turn: *turn,
                began: event.at,
                ended: None,
            }),
            AgentEventKind::TurnEnded { turn, .. }
            | AgentEventKind::TurnInterrupted { turn, .. }
            | AgentEventKind::TurnFailed { turn, .. } => {
                if let Some(row) = self.turns.iter_mut().find(|row| row.turn == *turn) {
                    row.ended = Some(event.at);
                }
            }
            AgentEventKind::Called { turn, number, .. } => self.calls.push((*number, *turn)),
            AgentEventKind::Settled(number, result) => {
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

    /// From the first message or turn to the last thing that happened; `None` if nothing did.
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
