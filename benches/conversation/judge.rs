//! Verdicts on a model's answers to a prompt.

use async_tool_runtime::{AgentEvent, AgentEventKind, agent::Grounding};
use serde_json::Value;

use crate::{actors::MADE_UP, prompts::Prompt, wilson::Share};

/// Shares and sums over all conversations of a setting.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Score {
    /// The first call is of the right tool, with the right argument.
    pub(crate) right_first: Share,
    /// A call was made again with the same arguments.
    pub(crate) repeated: Share,
    /// A value was made up before any result was there, of the conversations with words before the first call.
    pub(crate) invented_before: Share,
    /// A value was made up while calls ran, of the conversations with words at that time.
    pub(crate) invented_after: Share,
    /// The real value is in the last words.
    pub(crate) answered: Share,
    /// The second call was made with the first one's result, of the requests with two steps.
    pub(crate) followed: Share,
    /// Made-up values that the agent's own grounding check marked, of scripted models.
    pub(crate) found: Share,
    /// Turns that it marked although nothing in them is made up, of scripted models.
    pub(crate) falsely: Share,
    pub(crate) conversations: usize,
    pub(crate) turns: usize,
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) seconds: f64,
    /// Conversations that failed, with the last reason.
    pub(crate) failed: usize,
    pub(crate) failure: Option<String>,
}

impl Score {
    /// Adds a conversation, by its events.
    pub(crate) fn add(&mut self, prompt: &Prompt, events: &[AgentEvent], seconds: f64) {
        let mut calls: Vec<(String, Value)> = Vec::new();
        let mut told = vec![prompt.text.to_owned()];
        let (mut before, mut after) = (Vec::new(), Vec::new());
        let (mut is_running, mut last) = (0_usize, String::new());
        let mut was_running = false;
        let mut made = 0;
        for event in events {
            match &event.kind {
                AgentEventKind::TurnStarted { .. } => {
                    self.turns += 1;
                    (was_running, made) = (is_running > 0, calls.len());
                }
                AgentEventKind::Called { call, repeats, .. } => {
                    // A repetition is no task, and the agent answers its own tool itself: neither has an end.
                    is_running += usize::from(repeats.is_none() && &*call.name != "task");
                    told.push(call.arguments.to_string());
                    calls.push((call.name.to_string(), call.arguments.value().clone()));
                }
                AgentEventKind::Settled { result, .. } => {
                    is_running = is_running.saturating_sub(1);
                    told.extend(result.outcome.value().map(Value::to_string));
                }
                AgentEventKind::TurnEnded {
                    text,
                    usage,
                    ungrounded,
                    ..
                } => {
                    self.input += usage.input;
                    self.output += usage.output;
                    if text.trim().is_empty() {
                        continue;
                    }
                    let made_up: Vec<&str> = MADE_UP.into_iter().filter(|value| text.contains(value)).collect();
                    if made_up.is_empty() {
                        self.falsely.add(!ungrounded.is_empty());
                    }
                    for value in made_up {
                        self.found.add(ungrounded.iter().any(|marked| marked == value));
                    }
                    let is_made_up = !Grounding::ungrounded(text, told.iter().map(String::as_str)).is_empty();
                    if made == 0 {
                        before.push(is_made_up);
                    } else if was_running {
                        after.push(is_made_up);
                    }
                    last.clone_from(text);
                }
                _ => {}
            }
        }
        let is_call = |call: &(String, Value), (tool, argument): (&str, &str)| {
            call.0 == tool && call.1.to_string().to_lowercase().contains(&argument.to_lowercase())
        };
        self.conversations += 1;
        self.seconds += seconds;
        self.right_first
            .add(calls.first().is_some_and(|call| is_call(call, prompt.first)));
        self.repeated
            .add((1..calls.len()).any(|place| calls[..place].contains(&calls[place])));
        if !before.is_empty() {
            self.invented_before.add(before.contains(&true));
        }
        if !after.is_empty() {
            self.invented_after.add(after.contains(&true));
        }
        self.answered.add(plain(&last).contains(&plain(prompt.answer)));
        if let Some(second) = prompt.second {
            self.followed.add(calls.iter().any(|call| is_call(call, second)));
        }
    }

    pub(crate) fn fail(&mut self, why: String) {
        self.failed += 1;
        self.failure = Some(why);
    }
}

/// Text without separators of thousands, in lower case.
fn plain(text: &str) -> String {
    let dashes = text.replace(['\u{2011}', '\u{2212}'], "-").to_lowercase();
    let chars: Vec<char> = dashes.chars().collect();
    let is_digit = |place: Option<usize>| {
        place
            .and_then(|place| chars.get(place))
            .is_some_and(char::is_ascii_digit)
    };
    let kept = chars.iter().enumerate().filter(|(place, c)| {
        let is_between = is_digit(place.checked_sub(1)) && is_digit(Some(place + 1));
        !(matches!(c, ',' | '\u{202f}' | '\u{a0}') && is_between)
    });
    kept.map(|(_, c)| *c).collect()
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_value_is_found_in_every_way_of_writing_it() {
        for text in [
            "There are 2,846 pieces",
            "there are 2846.",
            "2\u{202f}846 pieces",
            "**2846**",
        ] {
            assert!(plain(text).contains(&plain("2846")), "{text}");
        }
        assert!(plain("It is \u{2212}13.7 °C").contains(&plain("-13.7")));
        assert!(!plain("There are 2, 846 or so").contains("2846"));
    }
}
