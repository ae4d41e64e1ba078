//! How an agent decides.

use std::{sync::Arc, time::Duration};

use super::{Join, LearnedGrace, RunLimits, task_tool};
use crate::{
    context::{ApproximateTokens, PrunePolicy, TokenEstimator},
    tool::{Background, DeliveryPolicy, Effect, ToolOptions, ToolRegistry},
};

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
    /// How many of a turn's calls make one wake-up, unless the task is in a group of its own
    /// ([`AsyncAgent::group`](super::AsyncAgent::group)). Default: [`Join::Any`].
    pub join: Join,
    /// How long after its answers a turn's results are joined: what is there by then wakes the model. Default: without end.
    pub deadline: Option<Duration>,
}

impl WakePolicy {
    /// Waits for `quiet` without a further result, but not longer than `cap`.
    #[must_use]
    pub const fn debounce(quiet: Duration, cap: Duration) -> Self {
        Self {
            quiet,
            cap,
            join: Join::Any,
            deadline: None,
        }
    }

    /// The same policy, where the calls of a turn wake the model together.
    #[must_use]
    pub const fn with_join(mut self, join: Join) -> Self {
        self.join = join;
        self
    }

    /// The same policy, where a turn's results are joined no longer than this.
    #[must_use]
    pub const fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }
}

impl Default for WakePolicy {
    fn default() -> Self {
        Self::debounce(Duration::from_millis(20), Duration::from_millis(250))
    }
}

/// How an agent decides; the same for all of a session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AgentPolicy {
    /// How long the end of a turn waits for results before it acknowledges calls, for tools that say nothing themselves and of
    /// which nothing is known yet. Default: 250 ms.
    pub grace: Duration,
    /// How long the end of a turn waits for tools whose latencies are known; `None`: always as long as `grace`. Default:
    /// [`LearnedGrace::default`].
    pub learned_grace: Option<LearnedGrace>,
    /// When the model is asked again after acknowledgements.
    pub ack: AckPolicy,
    /// When results wake an idle agent.
    pub wake: WakePolicy,
    /// When late results enter the conversation, for tools that say nothing themselves. Default: [`DeliveryPolicy::WhenIdle`].
    pub delivery: DeliveryPolicy,
    /// How much of the conversation the model is shown. Default: [`PrunePolicy::default`].
    pub prune: PrunePolicy,
    /// How the tokens of the conversation are estimated. Default: [`ApproximateTokens`].
    pub tokens: Arc<dyn TokenEstimator>,
    /// How much the agent does for one message of the user's.
    pub limits: RunLimits,
    /// Whether the model has the `task` tool, where any tool can run in the background. Default: yes.
    pub task_tool: bool,
    /// How long the `task` tool waits at most, whatever the model says. Default: 60 s.
    pub wait_limit: Duration,
    /// How long a model may say nothing before its turn has failed. Default: 5 minutes.
    pub model_timeout: Option<Duration>,
    /// How many times a turn that failed in passing is tried again. Default: 2.
    pub model_retries: u32,
    /// The longest pause before the first retry; it doubles with each, and the pause is drawn between zero and it, but is never shorter than
    /// the provider asks for. Default: 500 ms.
    pub model_backoff: Duration,
    /// How many times a task is submitted in all, if the processes that run it end before it does. Default: 3. Then nobody knows
    /// how it ended: it may be what ends them.
    pub attempts: u32,
    /// Whether tasks outlive the process: they run on a [`Backend`](crate::Backend) that keeps them, and are found again by their ids.
    /// Default: no.
    pub is_attached: bool,
    /// What the machine has to know of each tool.
    tools: ToolRegistry,
}

/// How long the end of a turn waits for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grace {
    Fixed(Duration),
    /// As long as is worth it, or this long where nothing is known.
    Learned(LearnedGrace, Duration),
    Forever,
}

impl AgentPolicy {
    /// The defaults, for the tools of a registry.
    #[must_use]
    pub fn new(registry: &ToolRegistry) -> Self {
        Self {
            grace: Duration::from_millis(250),
            learned_grace: Some(LearnedGrace::default()),
            ack: AckPolicy::default(),
            wake: WakePolicy::default(),
            delivery: DeliveryPolicy::default(),
            prune: PrunePolicy::default(),
            tokens: Arc::new(ApproximateTokens),
            limits: RunLimits::default(),
            task_tool: true,
            wait_limit: Duration::from_secs(60),
            model_timeout: Some(Duration::from_secs(300)),
            model_retries: 2,
            model_backoff: Duration::from_millis(500),
            attempts: 3,
            is_attached: false,
            tools: registry.clone(),
        }
    }

    fn options(&self, tool: &str) -> Option<&ToolOptions> {
        self.tools.find(tool).map(|tool| tool.options())
    }

    /// Whether there is such a tool.
    pub(crate) fn has_tool(&self, tool: &str) -> bool {
        self.options(tool).is_some()
    }

    /// Whether this tool can find out what became of a call whose process has ended.
    pub(crate) fn reconciles(&self, tool: &str) -> bool {
        self.options(tool).is_some_and(|options| options.reconcile.is_some())
    }

    /// What a call of this tool does to the world.
    pub(crate) fn effect_of(&self, tool: &str) -> Effect {
        self.options(tool).map_or(Effect::Once, |options| options.effect)
    }

    /// Whether the agent answers calls of this tool itself.
    pub(crate) fn is_own(&self, tool: &str) -> bool {
        self.task_tool && tool == task_tool::NAME
    }

    /// Whether arguments of this tool may be results of other tasks.
    pub(crate) fn takes_futures(&self, tool: &str) -> bool {
        self.options(tool).is_some_and(|options| options.futures)
    }

    /// Whether a call may run before its turn is complete: only if it changes nothing. A turn that breaks off is asked again, and
    /// its calls come back as new tasks, with new idempotency keys. A call of an unknown tool may: it only gets an error.
    pub(crate) fn starts_early(&self, tool: &str) -> bool {
        self.options(tool).is_none_or(|options| options.effect == Effect::Read)
    }

    /// When late results of this tool enter the conversation.
    pub(crate) fn delivery_of(&self, tool: &str) -> DeliveryPolicy {
        let own = self.options(tool).and_then(|options| options.delivery);
        own.unwrap_or(self.delivery)
    }

    /// How long the end of a turn waits for this tool.
    pub(crate) fn grace_of(&self, tool: &str) -> Grace {
        let background = self
            .options(tool)
            .map_or(Background::Auto, |options| options.background);
        let own = self.options(tool).and_then(|options| options.grace);
        match (background, own, self.learned_grace) {
            (Background::Always, ..) => Grace::Fixed(Duration::ZERO),
            (Background::Never, ..) => Grace::Forever,
            (Background::Auto, Some(grace), _) => Grace::Fixed(grace),
            (Background::Auto, None, None) => Grace::Fixed(self.grace),
            (Background::Auto, None, Some(learned)) => Grace::Learned(learned, self.grace),
        }
    }
}
