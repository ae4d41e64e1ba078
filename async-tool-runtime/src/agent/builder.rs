//! Starts an agent.

use std::{fmt, sync::Arc, time::Duration};

use tokio::{runtime::Handle, sync::mpsc, task::coop::consume_budget};

#[cfg(any(test, feature = "testing"))]
use super::Tap;
use super::{
    AckPolicy, AgentPolicy, AsyncAgent, LearnedGrace, Ledger, Redact, RunLimits, StartError, WakePolicy,
    bounds::Bounds,
    custom::{Agent, WholeAgent},
    machine::{AgentInput, AgentMachine},
    redaction::Redactor,
    shell::{self, Shell},
};
use crate::{
    broadcast::next,
    context::{PrunePolicy, TokenEstimator},
    journal::{Journal, MemoryJournal, Seq},
    manager::AsyncToolManager,
    model::Model,
    session::SessionId,
    tool::{DeliveryPolicy, ToolDefinition},
};

/// Builds an [`AsyncAgent`].
///
/// A clone builds another agent with the same model, manager, policies and, if one was given, journal and session.
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
    /// `None` means what fits the kind of agent.
    ack: Option<AckPolicy>,
    bounds: Bounds,
    #[cfg(any(test, feature = "testing"))]
    tap: Option<Tap>,
}

impl AsyncAgent {
    /// Starts to build an agent that asks `model` and runs its tools with `manager`. Many agents can share a manager.
    pub fn builder(model: impl Model, manager: AsyncToolManager) -> AsyncAgentBuilder {
        AsyncAgentBuilder::new(Arc::new(model), manager)
    }

    /// Starts to build an agent of something that has a loop of its own; see [`Agent`] for what holds then. Acknowledgements start
    /// no turn of it, unless [`ack_policy`](AsyncAgentBuilder::ack_policy) says otherwise.
    pub fn wrap(agent: impl Agent, manager: AsyncToolManager) -> AsyncAgentBuilder {
        Self::builder(WholeAgent::new(agent), manager).ack_policy(AckPolicy::Deferred)
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
            #[cfg(any(test, feature = "testing"))]
            tap: None,
        }
    }

    /// The system prompt. Default: none.
    pub fn system(mut self, prompt: impl Into<Arc<str>>) -> Self {
        self.system = Some(prompt.into());
        self
    }

    /// The name of the session. Default: a random one.
    pub fn session(mut self, session: impl Into<SessionId>) -> Self {
        self.session = session.into();
        self
    }

    /// Journal of the session. Default: a [`MemoryJournal`] of its own.
    pub fn journal(mut self, journal: impl Journal) -> Self {
        self.journal = Some(Arc::new(journal));
        self
    }

    /// Hook that redacts the entries of the session before they are written, beside what tools mark as secret: see [`Redact`]. Default:
    /// nothing.
    pub fn redact(mut self, hook: impl Redact) -> Self {
        self.redact = Some(Arc::new(hook));
        self
    }

    /// Calls the tap with each input of the machine, before the machine takes it in.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn tap(mut self, tap: Tap) -> Self {
        self.tap = Some(tap);
        self
    }

    /// Fixed grace: how long a turn's end waits for results before it acknowledges calls. Disables learned grace. Default:
    /// 250 ms, until it is known what is better ([`learned_grace`](Self::learned_grace)).
    pub fn grace(mut self, grace: Duration) -> Self {
        self.policy.grace = grace;
        self.policy.learned_grace = None;
        self
    }

    /// Grace time of tools whose latencies are known. Default: [`LearnedGrace::default`].
    pub fn learned_grace(mut self, learned: LearnedGrace) -> Self {
        self.policy.learned_grace = Some(learned);
        self
    }

    /// Pruning of long conversations. Default: 100,000 tokens, and 60 % of that after a pruning.
    pub fn prune(mut self, policy: PrunePolicy) -> Self {
        self.policy.prune = policy;
        self
    }

    /// Estimator of tokens. Default: [`ApproximateTokens`](crate::context::ApproximateTokens).
    pub fn tokens(mut self, estimator: impl TokenEstimator + 'static) -> Self {
        self.policy.tokens = Arc::new(estimator);
        self
    }

    /// Limits of the work for one message of the user's. Default: 100 model calls, 1,000 tool calls, any number of tokens.
    pub fn limits(mut self, limits: RunLimits) -> Self {
        self.policy.limits = limits;
        self
    }

    /// True if the model has the `task` tool, with which it looks after tools that run in the background. Default: yes, where any tool
    /// can.
    pub fn task_tool(mut self, is_offered: bool) -> Self {
        self.policy.task_tool = is_offered;
        self
    }

    /// Longest silence of a model; then its turn has failed, and is tried again like others. Default:
    /// 5 minutes.
    pub fn model_timeout(mut self, limit: Duration) -> Self {
        self.policy.model_timeout = Some(limit);
        self
    }

    /// Policy of asking the model again after acknowledgements. Default: [`AckPolicy::Eager`]; for agents that are tools or have
    /// a loop of their own [`AckPolicy::Deferred`].
    pub fn ack_policy(mut self, policy: AckPolicy) -> Self {
        self.ack = Some(policy);
        self
    }

    /// The tools that the agent is offered, by name. Default: all of the manager's. A call of another is refused like one of a tool
    /// that doesn't exist.
    pub fn tools<N: Into<Arc<str>>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.bounds.tools = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Wake policy of waiting results. Default: 20 ms after the last, at most 250 ms after the first.
    pub fn wake_policy(mut self, policy: WakePolicy) -> Self {
        self.policy.wake = policy;
        self
    }

    /// Delivery policy of tools that set none themselves. Default: [`DeliveryPolicy::WhenIdle`].
    pub fn delivery(mut self, policy: DeliveryPolicy) -> Self {
        self.policy.delivery = policy;
        self
    }

    /// Retries of a turn that failed in passing, and the pause before the first retry, which doubles with
    /// each. Default: 2 times, 500 ms.
    pub fn model_retries(mut self, retries: u32, backoff: Duration) -> Self {
        self.policy.model_retries = retries;
        self.policy.model_backoff = backoff;
        self
    }

    /// The same builder for the sub-agent of a call: what isn't said otherwise fits a batch.
    pub(super) fn for_call(mut self, session: SessionId) -> Self {
        self.session = session;
        self.ack.get_or_insert(AckPolicy::Deferred);
        self
    }

    pub(super) const fn has_journal(&self) -> bool {
        self.journal.is_some()
    }

    /// True if the session of the journal is closed.
    pub(super) async fn finds_closed(self) -> Result<bool, StartError> {
        match self.prepare()?.read().await {
            Ok(_) => Ok(false),
            Err(StartError::SessionClosed { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    pub(super) const fn manager(&self) -> &AsyncToolManager {
        &self.manager
    }

    pub(super) const fn bounds_mut(&mut self) -> &mut Bounds {
        &mut self.bounds
    }

    /// Opens the session and starts its agent, which runs until it is closed or its last handle is dropped.
    ///
    /// # Errors
    ///
    /// [`StartError`]: the session is open in this process or has entries already, the journal can't be written, the manager has
    /// no tool of a name in [`tools`](Self::tools), the schema of a tool can't be said in the [dialect](crate::model::Capabilities::dialect) of the
    /// model's provider, or there is no tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the session may have been opened in the journal: start again under another name, or
    /// [resume](Self::resume) it.
    pub async fn start(self) -> Result<AsyncAgent, StartError> {
        let nonce = random();
        let works_for = self.bounds.works_for;
        self.prepare()?
            .begin(Ledger::new(), Seq::START, AgentInput::Open { nonce, works_for })
            .await
    }

    /// Takes up a session that is in the journal and not closed, whose process has ended or has [left](AsyncAgent::leave) it, or
    /// whose journal had failed. [`AsyncAgent::resumption`] says what became of its tasks.
    ///
    /// # What holds
    ///
    /// 1. Nothing is done before the journal says that the session is this process's: of two that take it up at once, one gets
    ///    [`AppendError::Conflict`](crate::journal::AppendError::Conflict), and has run nothing. Whoever had it before can't write to it any more, and stops when it tries.
    /// 2. Results that were in the journal and that the model had not been told are delivered, once.
    /// 3. Tasks that may be repeated ([`Effect::Read`](crate::tool::Effect::Read), [`Effect::Idempotent`](crate::tool::Effect::Idempotent)) are submitted again under
    ///    the same id, so with the same idempotency key, as the next attempt; at most [`AgentPolicy::attempts`] times in all.
    /// 4. Tasks that must not happen twice end as [`Unknown`](crate::task::TaskOutcome::Unknown), or as what their tool's
    ///    [`reconcile`](crate::tool::FunctionTool::reconcile) function finds out. They are never run again, unless it says that they had not begun.
    /// 5. Tasks whose call waits for consent ask for it again. Tasks that were [deferred](crate::tool::ToolContext::defer) go on waiting, and so do those
    ///    whose function had [asked](crate::tool::ToolContext::request_input) and must not run twice: complete them with
    ///    [`AsyncToolManager::resolve`]. Of a function that may run twice, the question comes again.
    /// 6. Tasks whose tool is not registered any more fail, and the error says so.
    /// 7. A turn whose end is not in the journal is asked again. The model is told with the next results that the program was restarted.
    /// 8. On a [`Backend`](crate::backend::Backend) that keeps tasks, they go on there and are found again by their ids.
    ///
    /// # Errors
    ///
    /// [`StartError`]: as for [`start`](Self::start); the journal has no such session, it is closed, or it can't be read.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the session may have been taken up in the journal; resume it again.
    pub async fn resume(self) -> Result<AsyncAgent, StartError> {
        let start = self.prepare()?;
        let (ledger, seq) = start.read().await?;
        start.begin(ledger, seq, AgentInput::Recover { by: random() }).await
    }

    /// [Resumes](Self::resume) the session if the journal has it, and [starts](Self::start) it otherwise. A session that is closed is neither: an
    /// agent whose last handle is dropped closes its session, so a process that is to be started again [leaves](AsyncAgent::leave) it.
    ///
    /// # Errors
    ///
    /// As for [`resume`](Self::resume).
    ///
    /// # Cancel safety
    ///
    /// As for [`resume`](Self::resume).
    pub async fn resume_or_start(self) -> Result<AsyncAgent, StartError> {
        match self.clone().resume().await {
            Err(StartError::UnknownSession { .. }) => self.start().await,
            resumed => resumed,
        }
    }

    /// Resumes the session, unless it works for a call: then `None`.
    pub(super) async fn resume_top(self) -> Result<Option<AsyncAgent>, StartError> {
        let start = self.prepare()?;
        let (ledger, seq) = start.read().await?;
        if ledger.works_for().is_some() {
            return Ok(None);
        }
        start
            .begin(ledger, seq, AgentInput::Recover { by: random() })
            .await
            .map(Some)
    }

    /// Checks all that can be wrong without a look at the journal.
    fn prepare(mut self) -> Result<Start, StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let definitions = self
            .bounds
            .definitions(self.manager.registry(), self.policy.task_tool)?;
        let capabilities = self.model.capabilities();
        for tool in definitions.iter() {
            tool.for_dialect(capabilities.dialect)
                .map_err(|error| StartError::Schema {
                    tool: Arc::clone(&tool.name),
                    error,
                })?;
        }
        self.policy.ack = self.ack.unwrap_or(if capabilities.native_async {
            AckPolicy::Deferred
        } else {
            AckPolicy::default()
        });
        self.policy.is_attached = self.manager.keeps_tasks();
        let journal = self.journal.take().unwrap_or_else(|| Arc::new(MemoryJournal::new()));
        Ok(Start {
            builder: self,
            definitions,
            journal,
            runtime,
        })
    }
}

fn random() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// An agent about to start.
struct Start {
    builder: AsyncAgentBuilder,
    definitions: Arc<[ToolDefinition]>,
    journal: Arc<dyn Journal>,
    runtime: Handle,
}

impl Start {
    /// The session as the journal has it.
    async fn read(&self) -> Result<(Ledger, Seq), StartError> {
        let session = &self.builder.session;
        let kept = self.journal.snapshot(session).await.map_err(StartError::Read)?;
        let kept = kept.and_then(|snapshot| Some((Ledger::from_snapshot(&snapshot)?, snapshot.seq)));
        let (mut ledger, mut seq) = kept.unwrap_or_default();
        let snapshot = seq;
        let mut entries = self.journal.read(session, seq);
        while let Some(entry) = next(&mut entries).await {
            let (at, entry) = entry.map_err(StartError::Read)?;
            ledger
                .apply(&entry)
                .map_err(|error| StartError::Fold { seq: at, error })?;
            seq = at;
            consume_budget().await;
        }
        let session = session.clone();
        if seq == Seq::START {
            return Err(StartError::UnknownSession { session });
        }
        if ledger.is_closed() {
            return Err(StartError::SessionClosed { session });
        }
        if shell::is_due(&*self.journal, seq, snapshot) {
            shell::keep_snapshot(&*self.journal, &session, &ledger, seq).await;
        }
        Ok((ledger, seq))
    }

    /// Takes the first step, and lets the agent run.
    async fn begin(self, ledger: Ledger, seq: Seq, input: AgentInput) -> Result<AsyncAgent, StartError> {
        let builder = self.builder;
        let (route, results) = mpsc::unbounded_channel();
        builder
            .manager
            .route(builder.session.clone(), route)
            .map_err(|session| StartError::SessionTaken { session })?;
        let session = builder.session;
        let redactor = Redactor::new(builder.manager.registry(), builder.redact, &ledger);
        let machine = AgentMachine::new(
            session.clone(),
            builder.system,
            self.definitions,
            builder.policy,
            ledger,
        );
        let (mut agent, mut shell, commands) =
            Shell::new(machine, session, builder.model, builder.manager, self.journal, results);
        shell.bounds = builder.bounds;
        shell.seq = seq;
        shell.snapshot = seq;
        shell.redactor = redactor;
        #[cfg(any(test, feature = "testing"))]
        {
            shell.tap = builder.tap;
        }
        shell.open(input).await.map_err(StartError::Journal)?;
        agent.resumption = shell.resumption();
        self.runtime.spawn(Box::new(shell).run(commands));
        Ok(agent)
    }
}

impl fmt::Debug for AsyncAgentBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncAgentBuilder")
            .field("session", &self.session)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
