//! Policies of an agent.

use std::{sync::Arc, time::Duration};

use super::{LearnedGrace, RunLimits, task_tool};
use crate::{
    context::{ApproximateTokens, PrunePolicy, TokenEstimator},
    journal::JoinPolicy,
    tool::{Background, DeliveryPolicy, Effect, ToolOptions, ToolRegistry},
};

/// Policy of asking the model again after its calls have been acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AckPolicy {
    /// At once, so that it can go on with other work. The default, for conversations.
    #[default]
    Eager,
    /// Only when there is something new: a result or a user message. For batches: it makes the fewest model calls.
    Deferred,
}

/// Policy by which waiting results wake an idle agent, unless their [`DeliveryPolicy`] says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WakePolicy {
    /// Pause without a further result; also the time a turn runs before a result can break it off. Default: 20 ms.
    pub quiet: Duration,
    /// Longest wait of the first result. Default: 250 ms.
    pub cap: Duration,
    /// Join of a turn's calls, unless the task is in a group of its own
    /// ([`AsyncAgent::group`](super::AsyncAgent::group)). Default: [`JoinPolicy::Any`].
    pub join: JoinPolicy,
    /// Time after its answers for which a turn's results are joined; those that are in by then wake the model. Default: without end.
    pub deadline: Option<Duration>,
}

impl WakePolicy {
    /// Waits for `quiet` without a further result, but not longer than `cap`.
    #[must_use]
    pub const fn debounce(quiet: Duration, cap: Duration) -> Self {
        Self {
            quiet,
            cap,
            join: JoinPolicy::Any,
            deadline: None,
        }
    }

    /// The same policy, where the calls of a turn wake the model together.
    #[must_use]
    pub const fn with_join(mut self, join: JoinPolicy) -> Self {
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

/// Policy of an agent; the same for all of a session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AgentPolicy {
    /// Grace time: how long the end of a turn waits for results before it acknowledges calls. It is that of tools that set none themselves and of
    /// which nothing is known yet. Default: 250 ms.
    pub grace: Duration,
    /// Grace time of tools whose latencies are known; `None`: always `grace`. Default:
    /// [`LearnedGrace::default`].
    pub learned_grace: Option<LearnedGrace>,
    /// Policy of asking the model again after acknowledgements.
    pub ack: AckPolicy,
    /// Wake policy of results at an idle agent.
    pub wake: WakePolicy,
    /// Delivery policy of tools that set none themselves. Default: [`DeliveryPolicy::WhenIdle`].
    pub delivery: DeliveryPolicy,
    /// Pruning of the conversation. Default: [`PrunePolicy::default`].
    pub prune: PrunePolicy,
    /// Estimator of the conversation's tokens. Default: [`ApproximateTokens`].
    pub tokens: Arc<dyn TokenEstimator>,
    /// Limits of the work for one message of the user's.
    pub limits: RunLimits,
    /// True if the model has the `task` tool, where any tool can run in the background. Default: yes.
    pub task_tool: bool,
    /// Longest wait of the `task` tool, whatever the model says. Default: 60 s.
    pub wait_limit: Duration,
    /// Longest silence of a model; then its turn has failed. Default: 5 minutes.
    pub model_timeout: Option<Duration>,
    /// Retries of a turn that failed in passing. Default: 2.
    pub model_retries: u32,
    /// The longest pause before the first retry; it doubles with each, and the pause is drawn between zero and it, but is never shorter than
    /// the provider asks for. Default: 500 ms.
    pub model_backoff: Duration,
    /// Most submissions of a task whose processes end before it does. Default: 3. Then its end is unknown:
    /// how it ended: it may be what ends them.
    pub attempts: u32,
    /// True if tasks outlive the process: they run on a [`Backend`](crate::backend::Backend) that keeps them, and are found again by their ids.
    /// Default: no.
    pub is_attached: bool,
    /// Tools, for their options.
    tools: ToolRegistry,
}

/// Grace time of a call at the end of a turn.
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

    /// True if there is such a tool.
    pub(crate) fn has_tool(&self, tool: &str) -> bool {
        self.options(tool).is_some()
    }

    /// True if this tool can find out what became of a call whose process has ended.
    pub(crate) fn reconciles(&self, tool: &str) -> bool {
        self.options(tool).is_some_and(|options| options.reconcile.is_some())
    }

    /// Effect of this tool's calls.
    pub(crate) fn effect_of(&self, tool: &str) -> Effect {
        self.options(tool).map_or(Effect::Once, |options| options.effect)
    }

    /// True if the agent answers calls of this tool itself.
    pub(crate) fn is_own(&self, tool: &str) -> bool {
        self.task_tool && tool == task_tool::NAME
    }

    /// True if arguments of this tool may be results of other tasks.
    pub(crate) fn takes_futures(&self, tool: &str) -> bool {
        self.options(tool).is_some_and(|options| options.futures)
    }

    /// True if a call may run before its turn is complete: only if it changes nothing. A turn that breaks off is asked again, and
    /// its calls come back as new tasks, with new idempotency keys. A call of an unknown tool may: it only gets an error.
    pub(crate) fn starts_early(&self, tool: &str) -> bool {
        self.options(tool).is_none_or(|options| options.effect == Effect::Read)
    }

    /// Delivery policy of this tool.
    pub(crate) fn delivery_of(&self, tool: &str) -> DeliveryPolicy {
        let own = self.options(tool).and_then(|options| options.delivery);
        own.unwrap_or(self.delivery)
    }

    /// Grace time of this tool.
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
