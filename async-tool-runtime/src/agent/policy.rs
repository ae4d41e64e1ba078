//! How an agent decides.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::tool::{Background, Effect, ToolOptions, ToolRegistry};

/// When the model is asked again after its calls have been acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AckPolicy {
    /// At once, so that it can go on with other work. The default, for conversations.
    #[default]
    Eager,
    /// Only when there is something new: a result or a user message. For batches: it makes the fewest model calls.
    Deferred,
}

/// When results that wait wake an idle agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WakePolicy {
    /// How long no further result must have come. Default: 20 ms.
    pub quiet: Duration,
    /// How long the first result waits at most. Default: 250 ms.
    pub cap: Duration,
}

impl WakePolicy {
    /// Waits for `quiet` without a further result, but not longer than `cap`.
    #[must_use]
    pub const fn debounce(quiet: Duration, cap: Duration) -> Self {
        Self { quiet, cap }
    }
}

impl Default for WakePolicy {
    fn default() -> Self {
        Self::debounce(Duration::from_millis(20), Duration::from_millis(250))
    }
}

/// When a result that comes after its call was acknowledged enters the conversation. Gemini's three words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeliveryPolicy {
    /// When no turn runs; an idle agent is woken. The default.
    #[default]
    WhenIdle,
    /// At once: a running turn is broken off, and what it had finished is kept.
    Interrupt,
    /// With the next message, whatever brings it; nobody is woken.
    Silent,
}

/// How an agent decides; the same for all of a session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AgentPolicy {
    /// How long the end of a turn waits for results before it acknowledges calls, for tools that say nothing themselves.
    /// Default: 250 ms.
    pub grace: Duration,
    /// When the model is asked again after acknowledgements.
    pub ack: AckPolicy,
    /// When results wake an idle agent.
    pub wake: WakePolicy,
    /// How many times a turn that failed in passing is tried again. Default: 2.
    pub model_retries: u32,
    /// The pause before the first retry; it doubles with each. Default: 500 ms.
    pub model_backoff: Duration,
    /// What the machine has to know of each tool.
    tools: Arc<HashMap<Arc<str>, ToolOptions>>,
}

impl AgentPolicy {
    /// The defaults, for the tools of a registry.
    #[must_use]
    pub fn new(registry: &ToolRegistry) -> Self {
        let tools = registry.definitions().iter().filter_map(|definition| {
            let tool = registry.find(&definition.name)?;
            Some((Arc::clone(&definition.name), tool.options().clone()))
        });
        Self {
            grace: Duration::from_millis(250),
            ack: AckPolicy::default(),
            wake: WakePolicy::default(),
            model_retries: 2,
            model_backoff: Duration::from_millis(500),
            tools: Arc::new(tools.collect()),
        }
    }

    /// Whether a call may run before its turn is complete: only if it changes nothing. A turn that breaks off is asked again, and
    /// its calls come back as new tasks, with new idempotency keys. A call of an unknown tool may: it only gets an error.
    pub(crate) fn starts_early(&self, tool: &str) -> bool {
        self.tools
            .get(tool)
            .is_none_or(|options| options.effect == Effect::Read)
    }

    /// How long the end of a turn waits for this tool; `None` is without limit.
    pub(crate) fn grace_of(&self, tool: &str) -> Option<Duration> {
        match self.tools.get(tool) {
            Some(options) => match options.background {
                Background::Auto => Some(options.grace.unwrap_or(self.grace)),
                Background::Always => Some(Duration::ZERO),
                Background::Never => None,
            },
            None => Some(self.grace),
        }
    }
}
