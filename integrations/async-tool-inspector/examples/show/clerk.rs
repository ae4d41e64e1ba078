//! The clerk: the rule planner, at the pace of a language model.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    Model, RulePlanner,
    model::{ModelEvent, ModelRequest, ModelStream, Usage},
};
use futures_util::{StreamExt as _, stream};
use tokio::time::sleep;

/// Time until the first word of a turn.
const THINKS: Duration = Duration::from_millis(350);
/// Time between two words.
const WORD: Duration = Duration::from_millis(25);
/// Bytes of a token, roughly.
const TOKEN: usize = 4;

/// Rule planner that thinks and writes word by word, and counts tokens as a provider does.
pub(crate) struct Clerk {
    planner: RulePlanner,
    thinks: Duration,
    /// Tokens of the last request, which a provider would have in its cache.
    cached: Arc<AtomicU64>,
}

impl Clerk {
    pub(crate) fn new() -> Self {
        Self {
            planner: RulePlanner::new()
                .rule("find out about {topic} in {seconds} seconds", "research")
                .rule("is {first} better than {second}", "compare"),
            thinks: THINKS,
            cached: Arc::default(),
        }
    }

    /// Clerk that answers at once.
    pub(crate) fn quick() -> Self {
        Self {
            thinks: Duration::ZERO,
            ..Self::new()
        }
    }
}

impl Model for Clerk {
    fn generate(&self, request: ModelRequest) -> ModelStream {
        let input = tokens(&format!(
            "{:?}{:?}{:?}",
            request.system, request.tools, request.messages
        ));
        let cached = self.cached.swap(input, Ordering::Relaxed).min(input);
        let thinks = self.thinks;
        let word = if thinks.is_zero() { Duration::ZERO } else { WORD };
        let mut output = 0;
        let planned = self.planner.generate(request).map(move |event| {
            let events = match event {
                Ok(ModelEvent::Text(text)) => {
                    output += tokens(&text);
                    let words = text.split_inclusive(' ').map(str::to_owned);
                    words.map(|word| Ok(ModelEvent::Text(word))).collect()
                }
                Ok(ModelEvent::ToolCall(call)) => {
                    output += tokens(&format!("{call:?}"));
                    vec![Ok(ModelEvent::ToolCall(call))]
                }
                Ok(ModelEvent::Done(end)) => {
                    vec![Ok(ModelEvent::Done(end.with_usage(Usage::new(input, cached, output))))]
                }
                other => vec![other],
            };
            stream::iter(events)
        });
        let spoken = planned.flatten().enumerate().then(move |(place, event)| async move {
            let pause = if place == 0 { thinks } else { word };
            if !pause.is_zero() {
                sleep(pause).await;
            }
            event
        });
        ModelStream::new(spoken)
    }

    fn name(&self) -> Option<&str> {
        Some("clerk")
    }
}

fn tokens(text: &str) -> u64 {
    u64::try_from(text.len() / TOKEN).unwrap_or(u64::MAX)
}
