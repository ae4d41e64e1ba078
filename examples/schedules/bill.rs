//! What a schedule costs.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{Message, ToolDefinition};

use crate::{
    clerk::{Clerk, Part},
    tokens,
};

/// The system prompt of all schedules.
pub(crate) const SYSTEM: &str = "You look things up, and say what you make of them.";
/// Until the first token of a turn.
const FIRST_TOKEN: Duration = Duration::from_millis(500);
/// For each token of a turn.
const TOKEN: Duration = Duration::from_millis(10);

/// What has been spent, and when something was said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bill {
    pub(crate) model_calls: u32,
    pub(crate) input: u64,
    pub(crate) output: u64,
    /// When the last turn ended.
    pub(crate) makespan: Duration,
    /// The time in which the model read and wrote.
    pub(crate) generating: Duration,
    /// When turns began that said something to the user, and when they had said it.
    spoken: Vec<(Duration, Duration)>,
}

/// The parts of a turn, each with the time from its begin to the end of the part.
pub(crate) type Paced = Vec<(Duration, Part)>;

impl Bill {
    /// The model is asked at `now`. Gives what it says, and how long it takes in all.
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

    /// How long the user's messages wait at most for a word of the model's that was written with them in sight.
    pub(crate) fn first_word(&self, messages: &[(Duration, &str)]) -> Duration {
        let waits = messages.iter().filter_map(|(at, _)| {
            let (_, said) = self.spoken.iter().find(|(began, _)| began >= at)?;
            Some(*said - *at)
        });
        waits.max().unwrap_or_default()
    }
}
