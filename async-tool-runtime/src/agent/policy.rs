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

/// When results that wait wake an idle agent, unless their [`DeliveryPolicy`] says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WakePolicy {
    /// How long no further result must have come; also how long a turn runs before a result can break it off. Default: 20 ms.
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

/// When a late result, one that comes after its call was acknowledged, enters the conversation. Gemini's three words.
///
/// The policy says when the model is asked, and never what it is told: whatever starts a turn, all results that wait go with it. A
/// result that is in before its call is answered is the answer, under every policy. A user's message goes first, and ends every
/// waiting, under every policy.
///
/// A task has the policy that the host set for it with [`AsyncAgent::set_delivery`](super::AsyncAgent::set_delivery), else its
/// tool's, else the agent's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeliveryPolicy {
    /// When no turn runs; an idle agent is woken. The default.
    #[default]
    WhenIdle,
    /// At once.
    ///
    /// - A running turn is broken off, and what it had finished is kept: the text so far, and every call that was complete. Those
    ///   calls run, also where they have effects: a turn that is broken off is not asked again, so nothing happens twice. The
    ///   next turn starts with the result.
    /// - While the answers of a turn are waited for, the waiting ends, as it does for a user's message: what isn't in goes on
    ///   in the background, also where the tool is [`Background::Never`].
    /// - An idle agent is woken without a pause.
    /// - Only a turn that failed is asked again when the provider wants it, and not sooner; the result goes with it.
    ///
    /// A turn is not broken off in its first moments ([`WakePolicy::quiet`]), so that results that come together cost two
    /// turns at most. Each result can break off one turn, and is delivered by the next; so the agent always gets on.
    Interrupt,
    /// With the next turn, whatever starts it: a user's message, or the result of another tool. Nobody is woken.
    ///
    /// An agent that has nothing but such results is at rest, and [`run_until_idle`](super::AsyncAgent::run_until_idle) returns.
    /// With [`AckPolicy::Deferred`], where acknowledgements start no turn either, a model that made only silent calls is not
    /// asked again before somebody says something: a batch must not end with them. Results that are still silent when the session
    /// is closed are dropped, and the journal says so.
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
    /// When late results enter the conversation, for tools that say nothing themselves. Default: [`DeliveryPolicy::WhenIdle`].
    pub delivery: DeliveryPolicy,
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
            delivery: DeliveryPolicy::default(),
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

    /// When late results of this tool enter the conversation.
    pub(crate) fn delivery_of(&self, tool: &str) -> DeliveryPolicy {
        let own = self.tools.get(tool).and_then(|options| options.delivery);
        own.unwrap_or(self.delivery)
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
