//! Builder of agents.

use std::{fmt, sync::Arc, time::Duration};

#[cfg(any(test, feature = "testing"))]
use super::Tap;
use super::{
    AckPolicy, AgentPolicy, AgentState, AsyncAgent, Grounding, LearnedGrace, Ledger, MessagePolicy, Redact, RunLimits,
    StartError, WakePolicy,
    audience::Audience,
    bounds::Bounds,
    custom::{Agent, WholeAgent},
    machine::AgentInput,
};
use crate::{
    context::{GuardedTokens, PrunePolicy, TokenEstimator, new_nonce},
    journal::{Journal, Seq},
    manager::AsyncToolManager,
    model::Model,
    session::SessionId,
    tool::{DeliveryPolicy, TaskTool},
    wording::Wording,
};

mod start;

/// Builder of an [`AsyncAgent`].
///
/// A clone builds another agent with the same model, manager and policies. It also has the same journal and session, if
/// they were set.
///
/// ```
/// use async_tool_runtime::{agent::RunLimits, async_tool, tools, AsyncAgent, AsyncToolManager, RulePlanner};
///
/// /// Finds the state of an order.
/// #[async_tool(effect = "read")]
/// async fn find_order(number: u32) -> String {
///     format!("order {number} is on its way")
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tools(tools![find_order]).build()?;
/// let agent = AsyncAgent::builder(RulePlanner::new(), manager)
///     .session("support-4711")
///     .system("You answer questions about orders.")
///     .limits(RunLimits::default().with_turns(20))
///     .start()
///     .await?;
/// assert_eq!(agent.session().as_str(), "support-4711");
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until `start` is called"]
pub struct AsyncAgentBuilder {
    model: Arc<dyn Model>,
    manager: AsyncToolManager,
    journal: Option<Arc<dyn Journal>>,
    redact: Option<Arc<dyn Redact>>,
    session: SessionId,
    system: Option<Arc<str>>,
    policy: AgentPolicy,
    /// `None`: the default of the kind of agent.
    ack: Option<AckPolicy>,
    bounds: Bounds,
    audience: Option<Audience>,
    #[cfg(any(test, feature = "testing"))]
    tap: Option<Tap>,
}

impl AsyncAgent {
    /// Builder of an agent that calls `model` and runs its tools with `manager`. Many agents can share a manager.
    ///
    /// ```
    /// use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = AsyncToolManager::builder().build()?;
    /// let ann = AsyncAgent::builder(RulePlanner::new(), manager.clone()).session("ann").start().await?;
    /// let bob = AsyncAgent::builder(RulePlanner::new(), manager).session("bob").start().await?;
    /// # ann.close().await?;
    /// # bob.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(model: impl Model, manager: AsyncToolManager) -> AsyncAgentBuilder {
        AsyncAgentBuilder::new(Arc::new(model), manager)
    }

    /// Builder of an agent around an [`Agent`], which has a loop of its own. Acknowledgements start no turn of it,
    /// unless [`ack_policy`](AsyncAgentBuilder::ack_policy) is set.
    ///
    /// ```
    /// use async_tool_runtime::{
    ///     agent::custom::{Agent, TurnContext, TurnInput, TurnReply},
    ///     model::ModelError, AsyncAgent, AsyncToolManager,
    /// };
    ///
    /// struct Echo;
    ///
    /// impl Agent for Echo {
    ///     type Error = ModelError;
    ///
    ///     async fn turn(&mut self, input: TurnInput, _cx: TurnContext) -> Result<TurnReply, ModelError> {
    ///         Ok(format!("you said: {}", input.user_text()).into())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let agent = AsyncAgent::wrap(Echo, AsyncToolManager::builder().build()?).start().await?;
    /// assert_eq!(agent.run_to_completion("hello").await?.text, "you said: hello");
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn wrap(agent: impl Agent, manager: AsyncToolManager) -> AsyncAgentBuilder {
        Self::builder(WholeAgent::new(agent), manager)
            .ack_policy(AckPolicy::Deferred)
            .gives_way(false)
    }
}

impl AsyncAgentBuilder {
    pub(super) fn new(model: Arc<dyn Model>, manager: AsyncToolManager) -> Self {
        Self {
            policy: AgentPolicy::new(manager.registry()),
            model,
            manager,
            journal: None,
            redact: None,
            session: SessionId::random(),
            system: None,
            ack: None,
            bounds: Bounds::default(),
            audience: None,
            #[cfg(any(test, feature = "testing"))]
            tap: None,
        }
    }

    /// System prompt. Default: none.
    pub fn system(mut self, prompt: impl Into<Arc<str>>) -> Self {
        self.system = Some(prompt.into());
        self
    }

    /// Name of the session. Default: a random one.
    pub fn session(mut self, session: impl Into<SessionId>) -> Self {
        self.session = session.into();
        self
    }

    /// Journal of the session. Default: a [`MemoryJournal`](crate::journal::MemoryJournal) for this session alone.
    ///
    /// ```
    /// use async_tool_runtime::{journal::MemoryJournal, AsyncAgent, AsyncToolManager, RulePlanner};
    /// use std::sync::Arc;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let journal = Arc::new(MemoryJournal::new()); // Or a journal that outlives the process.
    /// let agent = AsyncAgent::builder(RulePlanner::new(), AsyncToolManager::builder().build()?)
    ///     .journal(Arc::clone(&journal))
    ///     .start()
    ///     .await?;
    /// assert_eq!(journal.entries(agent.session()).len(), 1); // `Entry::Opened`
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn journal(mut self, journal: impl Journal) -> Self {
        self.journal = Some(Arc::new(journal));
        self
    }

    /// Hook that redacts the session's entries before the journal gets them. It runs after the redaction of all that
    /// tools mark as secret; see [`Redact`]. Default: none.
    pub fn redact(mut self, hook: impl Redact) -> Self {
        self.redact = Some(Arc::new(hook));
        self
    }

    /// Calls the tap with each input before the machine handles it.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn tap(mut self, tap: Tap) -> Self {
        self.tap = Some(tap);
        self
    }

    /// Fixed grace: how long a turn's end waits for results before it acknowledges calls. Disables learned grace.
    /// Default: 250 ms, until latencies are known ([`learned_grace`](Self::learned_grace)).
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, tools, AsyncAgent, AsyncToolManager, RulePlanner};
    /// use std::time::Duration;
    ///
    /// /// Looks a price up.
    /// #[async_tool(effect = "read")]
    /// async fn price() -> u32 {
    ///     tokio::time::sleep(Duration::from_secs(1)).await; // a slow service
    ///     42
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = AsyncToolManager::builder().tools(tools![price]).build()?;
    /// let agent = AsyncAgent::builder(RulePlanner::new(), manager).grace(Duration::from_secs(2)).start().await?;
    /// agent.send("price").await?;
    /// agent.run_until_idle().await?;
    /// // Message, call, result, and words about it: no acknowledgement.
    /// assert_eq!(agent.transcript().await?.len(), 4);
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn grace(mut self, grace: Duration) -> Self {
        self.policy.grace = grace;
        self.policy.learned_grace = None;
        self
    }

    /// Learned grace: the wait for tools with known latencies. Default: [`LearnedGrace::default`].
    pub fn learned_grace(mut self, learned: LearnedGrace) -> Self {
        self.policy.learned_grace = Some(learned);
        self
    }

    /// Pruning of long conversations. Default: from 100,000 tokens on, down to 60 % of that. The budget also bounds what the
    /// model is shown of a result ([`PrunePolicy::result_limit`]), and what all results of a request add to it
    /// ([`PrunePolicy::turn_limit`]).
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner};
    /// use async_tool_runtime::context::PrunePolicy;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().build()?;
    /// // For a model with a context of 32,000 tokens.
    /// let agent = AsyncAgent::builder(RulePlanner::new(), manager).prune(PrunePolicy::new(25_000)).start().await?;
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn prune(mut self, policy: PrunePolicy) -> Self {
        self.policy.prune = policy;
        self
    }

    /// Estimator of tokens. Default: [`ApproximateTokens`](crate::context::ApproximateTokens).
    pub fn tokens(mut self, estimator: impl TokenEstimator + 'static) -> Self {
        self.policy.tokens = Arc::new(GuardedTokens::new(estimator));
        self
    }

    /// Limits of the work for one user message. Default: 100 model calls, 1,000 tool calls, any number of tokens.
    pub fn limits(mut self, limits: RunLimits) -> Self {
        self.policy.limits = limits;
        self
    }

    /// Form of the `task` tool, with which the model controls tools in the background. Default: [`TaskTool::Small`], if any
    /// tool can run in the background. `false` stands for [`TaskTool::Off`].
    ///
    /// Once a result is shown only in part, each agent offers the tool: it reads the rest. Until then,
    /// [`run_to_completion`](AsyncAgent::run_to_completion) offers none, because its calls are answered with their results.
    pub fn task_tool(mut self, form: impl Into<TaskTool>) -> Self {
        self.policy.task_tool = form.into();
        self
    }

    /// Texts that the model reads: in acknowledgements, after results, and in the system prompt. Default:
    /// [`Wording::default`].
    pub fn wording(mut self, wording: Wording) -> Self {
        self.policy.wording = wording;
        self
    }

    /// Longest silence of the model. After it the turn has failed, and is retried like any other failure. Default: 5
    /// minutes.
    pub fn model_timeout(mut self, limit: Duration) -> Self {
        self.policy.model_timeout = Some(limit);
        self
    }

    /// Policy of model calls after acknowledgements. Default: [`AckPolicy::WhileCalling`]. For agents that are tools or have a
    /// loop of their own, and for models with [`native_async`](crate::model::Capabilities::native_async):
    /// [`AckPolicy::Deferred`].
    pub fn ack_policy(mut self, policy: AckPolicy) -> Self {
        self.ack = Some(policy);
        self
    }

    /// Policy of user messages that come while a turn runs. Default: [`MessagePolicy::Queue`]. A message can have its own:
    /// [`send_as`](AsyncAgent::send_as).
    pub fn on_message(mut self, policy: MessagePolicy) -> Self {
        self.policy.on_message = policy;
        self
    }

    /// True to hold back text that follows nothing but acknowledgements, such as "it is running". Default: false.
    ///
    /// Such a turn has the cause [`TurnCause::Acknowledgements`](crate::task::TurnCause::Acknowledgements). Its
    /// text is in the conversation and in the turn's end, but not in [`Text`](super::AgentEventKind::Text) events.
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, tools, AgentEventKind, AsyncAgent, AsyncToolManager, RulePlanner};
    ///
    /// /// Builds the project.
    /// #[async_tool(background = "always")]
    /// async fn build() -> &'static str {
    ///     tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    ///     "all green"
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![build]).build()?;
    /// let agent = AsyncAgent::builder(RulePlanner::new(), manager).quiet_acks(true).start().await?;
    /// let mut events = agent.events();
    /// agent.send("build").await?;
    /// agent.run_until_idle().await?;
    /// agent.close().await?;
    /// let mut shown = String::new();
    /// while let Some(event) = events.next().await {
    ///     if let AgentEventKind::Text { text, .. } = event.kind {
    ///         shown += &text;
    ///     }
    /// }
    /// assert!(shown.contains("all green") && !shown.contains("background"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn quiet_acks(mut self, is_quiet: bool) -> Self {
        self.policy.quiet_acks = is_quiet;
        self
    }

    /// False to run every call, also those with which the model repeats itself. Default: true. For one tool,
    /// [`Dedupe::Allow`](crate::policy::Dedupe::Allow) does the same.
    pub fn answer_repeats(mut self, answers: bool) -> Self {
        self.policy.answer_repeats = answers;
        self
    }

    /// True if a turn in which the model has said nothing yet is broken off for something more important: one that follows
    /// acknowledgements alone for a result, and one that follows results for a user message too. The next turn has both.
    /// So a user is answered as soon as the model can, and a result that comes just after its acknowledgement costs no
    /// wait. Default: true; false for agents that have a loop of their own.
    ///
    /// Providers bill the input of a call that was broken off, and say no number:
    /// [`RunTotals::withdrawn`](crate::agent::RunTotals::withdrawn) counts such calls. A model that is slow to begin and
    /// bills much may be better off without.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().build()?;
    /// let agent = AsyncAgent::builder(RulePlanner::new(), manager).gives_way(false).start().await?;
    /// assert_eq!(agent.run_to_completion("status").await?.totals.withdrawn, 0);
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn gives_way(mut self, gives_way: bool) -> Self {
        self.policy.gives_way = gives_way;
        self
    }

    /// Checks what the model says while it can't know a result yet, and marks values that it was not told. Default: no check.
    ///
    /// ```
    /// # use async_tool_runtime::{AgentEventKind, AsyncAgent, AsyncToolManager};
    /// # use async_tool_runtime::{agent::Grounding, model::{self, ModelStream}};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().build()?;
    /// # let model = model::from_fn(async |_| Ok(ModelStream::text("It is 21.5 degrees.")));
    /// let agent = AsyncAgent::builder(model, manager).grounding(Grounding::on()).start().await?;
    /// let mut events = agent.events();
    /// agent.send("How warm is it?").await?;
    /// let ungrounded = loop {
    ///     if let AgentEventKind::TurnEnded { ungrounded, .. } = events.next().await.expect("it is open").kind {
    ///         break ungrounded;
    ///     }
    /// };
    /// assert_eq!(ungrounded, ["21.5"]); // The model has called no tool, so it can't know.
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn grounding(mut self, grounding: Grounding) -> Self {
        self.policy.grounding = Some(grounding);
        self
    }

    /// Tools that the agent offers its model, by name. Default: all tools of the manager. A call of any other tool is
    /// refused, like a call of a tool that doesn't exist.
    ///
    /// ```
    /// # use async_tool_runtime::{async_tool, tools, AsyncAgent, AsyncToolManager, RulePlanner};
    /// # /// Adds two numbers.
    /// # #[async_tool(effect = "read")]
    /// # fn add(a: i64, b: i64) -> i64 { a + b }
    /// # /// Deletes everything.
    /// # #[async_tool]
    /// # fn delete_all() {}
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = AsyncToolManager::builder().tools(tools![add, delete_all]).build()?;
    /// let agent = AsyncAgent::builder(RulePlanner::new(), manager).tools(["add"]).start().await?;
    /// let help = agent.run_to_completion("help").await?.text;
    /// assert!(help.contains("add a=… b=…") && !help.contains("delete_all"));
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn tools<N: Into<Arc<str>>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.bounds.tools = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Wake policy for undelivered results. Default: 20 ms after the last one, at most 250 ms after the first.
    pub fn wake_policy(mut self, policy: WakePolicy) -> Self {
        self.policy.wake = policy;
        self
    }

    /// Delivery policy of tools that set none themselves. Default: [`DeliveryPolicy::WhenIdle`].
    pub fn delivery(mut self, policy: DeliveryPolicy) -> Self {
        self.policy.delivery = policy;
        self
    }

    /// Retries of a turn that failed with a retryable error, and the longest backoff before the first retry. The backoff
    /// doubles with each retry, up to 60 s. A random part of it, at most a half, is left out. Default: 2 retries, 500 ms.
    pub fn model_retries(mut self, retries: u32, backoff: Duration) -> Self {
        self.policy.model_retries = retries;
        self.policy.model_backoff = backoff;
        self
    }

    /// Tells the events of the agent to the readers of many sessions too.
    pub(super) fn audience(mut self, audience: Audience) -> Self {
        self.audience = Some(audience);
        self
    }

    /// Builder for the sub-agent of a call. Unset options get the defaults of a batch.
    pub(super) fn for_call(mut self, session: SessionId) -> Self {
        self.session = session;
        self.ack.get_or_insert(AckPolicy::Deferred);
        self
    }

    pub(super) const fn has_journal(&self) -> bool {
        self.journal.is_some()
    }

    pub(super) const fn manager(&self) -> &AsyncToolManager {
        &self.manager
    }

    pub(super) const fn bounds_mut(&mut self) -> &mut Bounds {
        &mut self.bounds
    }

    /// Opens the session and starts its agent. The agent runs until it is closed or its last handle is dropped; see
    /// [`AsyncAgent`].
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner};
    /// use async_tool_runtime::agent::StartError;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().build()?;
    /// let builder = AsyncAgent::builder(RulePlanner::new(), manager).session("ann");
    /// let agent = builder.clone().start().await?;
    /// let error = builder.start().await.expect_err("the session has an agent");
    /// assert!(matches!(error, StartError::SessionTaken { .. }));
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StartError`], in one of these cases:
    ///
    /// - The session is open in this process, or has entries already.
    /// - The journal can't be written.
    /// - The manager lacks a tool named in [`tools`](Self::tools).
    /// - The [dialect](crate::model::Capabilities::dialect) of the model's provider can't express the schema of a tool.
    /// - There is no tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the session may have been opened in the journal. Start again under another name, or
    /// [resume](Self::resume) it.
    pub async fn start(self) -> Result<AsyncAgent, StartError> {
        let nonce = new_nonce();
        let works_for = self.bounds.works_for;
        let start = self.prepare()?;
        start.vacated().await;
        let (claim, news) = start.route()?;
        let input = AgentInput::Open { nonce, works_for };
        start.begin(Ledger::new(), Seq::START, input, claim, news).await
    }

    /// Resumes a session that the journal has and that is not closed. Its process has ended or has
    /// [left](AsyncAgent::leave) it, or its journal had failed. [`AsyncAgent::resumption`] lists the fates of its
    /// tasks.
    ///
    /// ```
    /// # use async_tool_runtime::{async_tool, journal::MemoryJournal, tools, AsyncAgent, AsyncToolManager, RulePlanner};
    /// # use std::sync::Arc;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().build()?;
    /// let builder = AsyncAgent::builder(RulePlanner::new(), manager)
    ///     .session("support-4711")
    ///     .journal(Arc::new(MemoryJournal::new())); // Or a journal that outlives the process.
    /// let agent = builder.clone().start().await?;
    /// agent.run_to_completion("help").await?;
    /// agent.leave().await?;
    ///
    /// let agent = builder.resume().await?;
    /// assert_eq!(agent.transcript().await?.len(), 2);
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # What holds
    ///
    /// 1. The agent does nothing before the journal says that the session is its own. If two agents resume it at once, one
    ///    gets [`StartError::SessionTaken`] and has run nothing. So does an agent that comes while the session has another
    ///    one, in this process or elsewhere. An owner that hung and was taken over can't write to the session any more. It
    ///    begins no call that must not happen twice, and stops. A function that was already past its start when its process
    ///    hung may go on when the process wakes up.
    /// 2. Results in the journal that the model has not seen are delivered, once. So are results that the manager still
    ///    has because the journal failed before they were written.
    /// 3. Repeatable tasks ([`Effect::Read`](crate::tool::Effect::Read),
    ///    [`Effect::Idempotent`](crate::tool::Effect::Idempotent)) are submitted again as the next attempt. They keep
    ///    their id, and so their idempotency key. A task has at most [`AgentPolicy::attempts`] attempts in all.
    /// 4. Tasks that must not happen twice end as [`Unknown`](crate::task::TaskOutcome::Unknown), or with the outcome
    ///    that their tool's [`reconcile`](crate::tool::FunctionTool::reconcile) function finds. They run again only if
    ///    that function says that they had not begun.
    /// 5. Tasks whose call waits for consent ask for it again. [Deferred](crate::tool::ToolContext::defer) tasks go on
    ///    waiting; complete them with [`AsyncToolManager::resolve`]. The same holds for tasks of
    ///    [external](crate::tool::FunctionTool::external) tools that must not run twice, and for tasks whose function had
    ///    [asked](crate::tool::ToolContext::request_input) and must not run twice. A function that may run twice asks
    ///    again.
    /// 6. Tasks whose tool is no longer registered fail, and the error says so.
    /// 7. A turn whose end is not in the journal is repeated. The next delivery tells the model that the program was
    ///    restarted.
    /// 8. On a [`Backend`](crate::backend::Backend) that keeps tasks, they go on there and are found again by their
    ///    ids. A task older than the engine's [retention](crate::backend::BackendCapabilities::retention) that it doesn't
    ///    find ends as unknown, and is not submitted again. Tasks of the session that the engine has and the journal
    ///    doesn't have as open are cancelled, so submit tasks of the host's own under another session.
    ///
    /// # Errors
    ///
    /// [`StartError`] as for [`start`](Self::start), or if the journal has no such session, the session is closed, or
    /// it can't be read.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the journal may already have the session as resumed. Resume it again.
    pub async fn resume(self) -> Result<AsyncAgent, StartError> {
        let _resuming = self.manager.resuming();
        let start = self.prepare()?;
        let (ledger, seq) = start.find().await?;
        start.resume(ledger, seq).await
    }

    /// [Resumes](Self::resume) the session if the journal has it, and [starts](Self::start) it otherwise.
    ///
    /// The agent that it returns takes messages. So it fails for a closed session, and for one whose end has begun:
    /// [`resume`](Self::resume) or [`recover`](AsyncToolManager::recover) finish such a session.
    ///
    /// ```
    /// # use async_tool_runtime::{journal::MemoryJournal, AsyncAgent, AsyncToolManager, RulePlanner};
    /// # use std::sync::Arc;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().build()?;
    /// # let journal = Arc::new(MemoryJournal::new());
    /// let builder = AsyncAgent::builder(RulePlanner::new(), manager).session("main").journal(journal);
    /// let first = builder.clone().resume_or_start().await?;
    /// assert!(first.resumption().is_none());
    /// first.leave().await?;
    ///
    /// let second = builder.resume_or_start().await?;
    /// assert!(second.resumption().is_some());
    /// # second.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`resume`](Self::resume). [`StartError::SessionClosed`] also if the session is closing.
    ///
    /// # Cancel safety
    ///
    /// As for [`resume`](Self::resume).
    pub async fn resume_or_start(self) -> Result<AsyncAgent, StartError> {
        let _resuming = self.manager.resuming();
        let start = self.clone().prepare()?;
        match start.find().await {
            Ok((ledger, _)) if ledger.state() == AgentState::Closing => {
                Err(StartError::SessionClosed { session: self.session })
            }
            Ok((ledger, seq)) => start.resume(ledger, seq).await,
            Err(StartError::UnknownSession { .. }) => self.start().await,
            Err(error) => Err(error),
        }
    }
}

fn random() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

impl fmt::Debug for AsyncAgentBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncAgentBuilder")
            .field("session", &self.session)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
