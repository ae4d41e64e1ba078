//! Policies of an agent.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use super::{Grounding, LearnedGrace, RunLimits};
use crate::{
    context::{ApproximateTokens, PrunePolicy, TokenEstimator},
    journal::JoinPolicy,
    policy::Dedupe,
    tool::{Approval, Background, DeliveryPolicy, Effect, TaskTool, Tool, ToolOptions, ToolRegistry},
    wording::{ACKNOWLEDGEMENT, Wording},
};

/// Policy of model calls after acknowledgements.
///
/// A model that makes one call a turn must be asked after an acknowledgement, or its calls run one after the other. A
/// model that has made all its calls can only say that it waits. The default finds out which it is. Measured with a
/// scripted model that takes 0.3 s to its first token and 5 ms for each (`benches/conversation`, workloads F, C and A):
///
/// | policy | five calls of 0.2 to 3 s, one a turn | a chain of three calls of 0.6 s | the five calls at once |
/// |---|---|---|---|
/// | `WhileCalling` | 6.7 s, 10 model calls | 3.4 s, 5 model calls | 4.1 s, 6 model calls |
/// | `Eager` | 6.7 s, 10 model calls | 3.5 s, 7 model calls | 4.1 s, 6 model calls |
/// | `Deferred` | 9.0 s, 6 model calls | 3.4 s, 4 model calls | 4.1 s, 6 model calls |
///
/// So the default is as fast as `Eager` and makes fewer model calls where it can. Choose `Deferred` for a model that is known
/// to make all its calls at once, and where tokens matter more than time: it took half of `Eager`'s tokens in the first
/// two columns. Choose `Eager` if the user is to hear from the model after each acknowledgement.
///
/// ```
/// use async_tool_runtime::{
///     agent::AckPolicy,
///     async_tool,
///     journal::{Entry, MemoryJournal},
///     tools, AsyncAgent, AsyncToolManager, RulePlanner,
/// };
/// use std::sync::Arc;
///
/// /// Exports the year's data.
/// #[async_tool(background = "always")]
/// async fn export() -> String {
///     "12 files".to_owned()
/// }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![export]).build()?;
/// # let journal = Arc::new(MemoryJournal::new());
/// let agent = AsyncAgent::builder(RulePlanner::new(), manager)
///     .ack_policy(AckPolicy::Deferred)
///     .journal(Arc::clone(&journal))
///     .start()
///     .await?;
/// agent.send("export").await?;
/// agent.run_until_idle().await?;
/// let entries = journal.entries(agent.session());
/// let turns = entries.iter().filter(|entry| matches!(entry, Entry::TurnStarted { .. })).count();
/// assert_eq!(turns, 2); // With the default, one more: it would read the acknowledgement.
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AckPolicy {
    /// At once as long as the last turn that followed acknowledgements alone made a call, and otherwise only for something
    /// new. Each user message begins anew. The default.
    #[default]
    WhileCalling,
    /// At once, always.
    Eager,
    /// Only for something new: a result or a user message. It makes the fewest model calls.
    Deferred,
}

/// Policy of user messages that come while a turn runs.
///
/// ```
/// use async_tool_runtime::{
///     agent::MessagePolicy,
///     model::{self, ModelStream},
///     AsyncAgent, AsyncToolManager,
/// };
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let model = model::from_fn(async |request| match request.last_user_text() {
///     Some("the short form") => Ok(ModelStream::text("42")),
///     _ => std::future::pending().await, // Thinks for ever.
/// });
/// let agent = AsyncAgent::builder(model, AsyncToolManager::builder().build()?)
///     .on_message(MessagePolicy::Interrupt)
///     .start()
///     .await?;
/// agent.send("what is the answer?").await?;
/// agent.send("the short form").await?;
/// agent.run_until_idle().await?;
/// # assert!(format!("{:?}", agent.transcript().await?).contains("42"));
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessagePolicy {
    /// The message waits until the turn ends; the next turn answers it. The default.
    #[default]
    Queue,
    /// The turn ends at once, and the next one answers the message. The text so far and the complete calls are kept, as for
    /// [`AsyncAgent::interrupt`](super::AsyncAgent::interrupt).
    Interrupt,
}

/// Wake policy: when undelivered results wake an idle agent. A result's [`DeliveryPolicy`] can override it.
///
/// ```
/// use async_tool_runtime::{agent::WakePolicy, journal::JoinPolicy, AsyncAgent, AsyncToolManager, RulePlanner};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().build()?;
/// // One wake-up for all results of a turn, after ten seconds at the latest.
/// let policy = WakePolicy::default().with_join(JoinPolicy::All).with_deadline(Duration::from_secs(10));
/// assert_eq!(policy.quiet, Duration::from_millis(20));
/// let agent = AsyncAgent::builder(RulePlanner::new(), manager).wake_policy(policy).start().await?;
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WakePolicy {
    /// Pause without a further result. A turn also runs at least this long before a result can interrupt it. Default:
    /// 20 ms.
    pub quiet: Duration,
    /// Longest wait of the first result. Default: 250 ms. If the latencies of running tools are known, it may wait for their
    /// results too, as long as [`LearnedGrace`] finds that worth a model call.
    pub cap: Duration,
    /// Join of the calls of one turn, except for tasks in a group ([`AsyncAgent::group`](super::AsyncAgent::group)).
    /// Default: [`JoinPolicy::Any`].
    pub join: JoinPolicy,
    /// Longest time for which a turn's results are joined, counted from its answers. Results that have come by then
    /// wake the model. Default: without end.
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

    /// Sets the join of a turn's calls.
    #[must_use]
    pub const fn with_join(mut self, join: JoinPolicy) -> Self {
        self.join = join;
        self
    }

    /// Sets the longest time for which a turn's results are joined.
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

/// Policy of an agent, for a whole session.
///
/// [`AsyncAgentBuilder`](super::AsyncAgentBuilder) has a method for most fields. A host that drives the machine itself
/// sets them here:
///
/// ```
/// use async_tool_runtime::{
///     agent::{machine::AgentMachine, AgentPolicy, AgentState, Ledger},
///     AsyncToolManager, SessionId,
/// };
/// use std::{sync::Arc, time::Duration};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().build()?;
/// let tools = manager.registry();
/// let mut policy = AgentPolicy::new(tools);
/// policy.grace = Duration::ZERO;
/// policy.learned_grace = None;
/// let machine = AgentMachine::new(SessionId::new("s"), None, Arc::clone(tools.definitions()), policy, Ledger::new());
/// assert_eq!(machine.state(), AgentState::Idle);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AgentPolicy {
    /// Fixed grace: how long a turn's end waits for results before it acknowledges calls. For tools without a grace of
    /// their own and without known latencies. Default: 250 ms.
    pub grace: Duration,
    /// Learned grace, for tools with known latencies; `None`: always `grace`. Default: [`LearnedGrace::default`].
    pub learned_grace: Option<LearnedGrace>,
    /// Policy of model calls after acknowledgements. Default: [`AckPolicy::WhileCalling`].
    pub ack: AckPolicy,
    /// Policy of user messages that come while a turn runs. Default: [`MessagePolicy::Queue`].
    pub on_message: MessagePolicy,
    /// True if readers don't get the text of turns that answer nothing but acknowledgements, while it streams. Default:
    /// false.
    pub quiet_acks: bool,
    /// True if the agent itself answers calls with which the model repeats itself, as far as the tools' [`Dedupe`](crate::policy::Dedupe) allow
    /// it. Default: true.
    pub answer_repeats: bool,
    /// True if a turn in which the model has said nothing yet is broken off: one that follows acknowledgements alone for
    /// a result, and one that follows results for a user message too. Default: true; false for agents that have a loop of
    /// their own.
    pub gives_way: bool,
    /// Check of the model's words while it can't know a result yet; `None`: no check. Default: `None`.
    pub grounding: Option<Grounding>,
    /// Wake policy of results for an idle agent. Default: [`WakePolicy::default`].
    pub wake: WakePolicy,
    /// Delivery policy of tools that set none themselves. Default: [`DeliveryPolicy::WhenIdle`].
    pub delivery: DeliveryPolicy,
    /// Pruning of the conversation. Default: [`PrunePolicy::default`].
    pub prune: PrunePolicy,
    /// Largest result that the model is shown whole, in bytes of JSON, of tools that set no limit themselves. Of a
    /// larger one it gets a preview, and reads the rest with the `task` tool. `None`: [`PrunePolicy::result_limit`].
    /// Default: the manager's, which has none by default.
    pub result_limit: Option<usize>,
    /// Estimator of the conversation's tokens. Default: [`ApproximateTokens`].
    pub tokens: Arc<dyn TokenEstimator>,
    /// Limits of the work for one user message. Default: [`RunLimits::default`].
    pub limits: RunLimits,
    /// Form of the `task` tool that the model gets, provided a tool can run in the background. Default:
    /// [`TaskTool::Small`].
    pub task_tool: TaskTool,
    /// Texts that the model reads. Default: [`Wording::default`].
    pub wording: Wording,
    /// Longest wait of the `task` tool; the model can't ask for more. Default: 60 s.
    pub wait_limit: Duration,
    /// Longest silence of a model; after it the turn has failed. `None`: without end. Default: 5 minutes.
    pub model_timeout: Option<Duration>,
    /// Retries of a turn that failed with a retryable error. Default: 2.
    pub model_retries: u32,
    /// Longest backoff before the first retry; it doubles with each retry, up to 60 s. The backoff is drawn between half
    /// of this and this, but is never shorter than the provider asks for. Default: 500 ms.
    pub model_backoff: Duration,
    /// Most attempts of a task whose process ends before the task does. Default: 3. After the last one its outcome is
    /// unknown, because the task may be what ends the process.
    pub attempts: u32,
    /// True if tasks outlive the process: they run on a [`Backend`](crate::backend::Backend) that keeps them and finds
    /// them by their ids. Default: false.
    pub is_attached: bool,
    /// Tools, for their options.
    tools: ToolRegistry,
}

/// Grace of a call at the end of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grace {
    Fixed(Duration),
    /// Learned grace, or the fixed grace for tools without known latencies.
    Learned(LearnedGrace),
    Forever,
}

impl AgentPolicy {
    /// Default policy for the tools of a registry.
    #[must_use]
    pub fn new(registry: &ToolRegistry) -> Self {
        Self {
            grace: Duration::from_millis(250),
            learned_grace: Some(LearnedGrace::default()),
            ack: AckPolicy::default(),
            on_message: MessagePolicy::default(),
            quiet_acks: false,
            answer_repeats: true,
            gives_way: true,
            grounding: None,
            wake: WakePolicy::default(),
            delivery: DeliveryPolicy::default(),
            prune: PrunePolicy::default(),
            result_limit: None,
            tokens: Arc::new(ApproximateTokens),
            limits: RunLimits::default(),
            task_tool: TaskTool::Small,
            wording: Wording::default(),
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

    /// Tool of this name.
    pub(crate) fn tool(&self, tool: &str) -> Option<&Arc<dyn Tool>> {
        self.tools.find(tool)
    }

    /// True if people are asked before a call with these arguments runs.
    pub(crate) fn needs_approval(&self, tool: &str, arguments: &Value) -> bool {
        self.options(tool)
            .is_some_and(|options| options.approval.is_needed(arguments))
    }

    pub(crate) fn may_need_approval(&self, tool: &str) -> bool {
        self.options(tool)
            .is_some_and(|options| !matches!(options.approval, Approval::Never))
    }

    pub(crate) fn has_tool(&self, tool: &str) -> bool {
        self.options(tool).is_some()
    }

    /// True if this tool can find the outcome of a call whose process has ended.
    pub(crate) fn reconciles(&self, tool: &str) -> bool {
        self.options(tool).is_some_and(|options| options.reconcile.is_some())
    }

    /// True if this tool's calls are completed from outside.
    pub(crate) fn is_external(&self, tool: &str) -> bool {
        self.options(tool).is_some_and(|options| options.external)
    }

    /// True if this tool's results are secret.
    pub(crate) fn has_secret_result(&self, tool: &str) -> bool {
        self.options(tool).is_some_and(|options| options.sensitive_result)
    }

    /// Effect of this tool's calls.
    pub(crate) fn effect_of(&self, tool: &str) -> Effect {
        self.options(tool).map_or(Effect::Once, |options| options.effect)
    }

    /// True if the agent answers calls of this tool that repeat another one.
    pub(crate) fn answers_repeats(&self, tool: &str) -> bool {
        let answers = |options: &ToolOptions| options.dedupe.answers_repeats();
        self.answer_repeats && self.options(tool).is_some_and(answers)
    }

    /// True if calls of this tool that end the same way may end a run. Those of an unknown tool may.
    pub(crate) fn counts_repeats(&self, tool: &str) -> bool {
        let allows = |options: &ToolOptions| options.dedupe == Dedupe::Allow;
        self.answer_repeats && !self.options(tool).is_some_and(allows)
    }

    /// True if a call of this tool can outlive its turn.
    pub(crate) fn can_outlive(&self, tool: &str) -> bool {
        self.options(tool)
            .is_some_and(|options| options.background != Background::Never)
    }

    /// Instruction of acknowledgements for the journal; `None` if it is the library's.
    pub(crate) fn ack_instruction(&self) -> Option<Arc<str>> {
        let text = &*self.wording.acknowledgement;
        (text != ACKNOWLEDGEMENT).then(|| text.into())
    }

    /// True if this tool takes results of other tasks as arguments.
    pub(crate) fn takes_futures(&self, tool: &str) -> bool {
        self.options(tool).is_some_and(|options| options.futures)
    }

    /// True if a call may run before its turn is complete. That holds only for calls without effects: a failed turn is
    /// repeated, and its calls come back as new tasks with new idempotency keys. It also holds for calls of unknown
    /// tools, which only get an error.
    pub(crate) fn starts_early(&self, tool: &str) -> bool {
        self.options(tool).is_none_or(|options| options.effect == Effect::Read)
    }

    /// Largest result of this tool that the model is shown whole.
    pub(crate) fn result_limit_of(&self, tool: &str) -> usize {
        let own = self.options(tool).and_then(|options| options.result_limit);
        own.or(self.result_limit).unwrap_or_else(|| self.prune.result_limit())
    }

    /// Delivery policy of this tool.
    pub(crate) fn delivery_of(&self, tool: &str) -> DeliveryPolicy {
        let own = self.options(tool).and_then(|options| options.delivery);
        own.unwrap_or(self.delivery)
    }

    /// Grace of this tool's calls.
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
            (Background::Auto, None, Some(learned)) => Grace::Learned(learned),
        }
    }
}
