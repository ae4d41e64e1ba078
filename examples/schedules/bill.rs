//! Cost of a schedule.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{Message, ToolDefinition};

use crate::{
    clerk::{Clerk, Part},
    tokens,
};

/// System prompt of all schedules.
pub(crate) const SYSTEM: &str = "You look things up, and say what you make of them.";
/// Time to the first token of a turn.
const FIRST_TOKEN: Duration = Duration::from_millis(500);
/// Time for each token of a turn.
const TOKEN: Duration = Duration::from_millis(10);

/// Calls, tokens and time that a schedule has used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bill {
    pub(crate) model_calls: u32,
    pub(crate) input: u64,
    pub(crate) output: u64,
    /// Time when the last turn ended.
    pub(crate) makespan: Duration,
    /// Total time in which the model generated.
    pub(crate) generating: Duration,
    /// Start and end of each text to the user; the start is that of its turn.
    spoken: Vec<(Duration, Duration)>,
}

/// Parts of a turn, each with the time from the start of the turn to the end of the part.
pub(crate) type Paced = Vec<(Duration, Part)>;

impl Bill {
    /// Plays a turn of the model that begins at `now`; returns its parts and its duration.
    pub(crate) fn ask(
        &mut self,
        clerk: &Clerk,
        tools: &[ToolDefinition],
        messages: &[Arc<Message>],
        now: Duration,
    ) -> (Paced, Duration) {
        self.model_calls += 1;
        self.input += tokens::of_prefix(SYSTEM, tools) + tokens::of_messages(messages);
        let mut took = FIRST_TOKEN;
        let mut paced = Vec::new();
        for part in clerk.turn(messages) {
            let written = part.tokens();
            self.output += written;
            took += TOKEN * u32::try_from(written).unwrap_or(u32::MAX);
            if matches!(part, Part::Text(_)) {
                self.spoken.push((now, now + took));
            }
            paced.push((took, part));
        }
        self.generating += took;
        self.makespan = self.makespan.max(now + took);
        (paced, took)
    }

    /// Longest time from a message of the user to the end of the first text in a turn that has read the message.
    pub(crate) fn first_word(&self, messages: &[(Duration, &str)]) -> Duration {
        let waits = messages.iter().filter_map(|(at, _)| {
            let (_, said) = self.spoken.iter().find(|(began, _)| began >= at)?;
            Some(*said - *at)
        });
        waits.max().unwrap_or_default()
    }
}
