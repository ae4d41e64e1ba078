//! Starts an agent.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use tokio::{runtime::Handle, sync::mpsc};

use super::{
    AckPolicy, AgentInput, AgentMachine, AgentPolicy, AsyncAgent, DeliveryPolicy, LearnedGrace, Ledger, RunLimits,
    WakePolicy, bounds::Bounds, shell::Shell,
};
use crate::{
    AppendError, AsyncToolManager, Journal, MemoryJournal, Model, PrunePolicy, SchemaError, SessionId, TokenEstimator,
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
    session: SessionId,
    system: Option<Arc<str>>,
    policy: AgentPolicy,
    /// `None` means what fits the kind of agent.
    ack: Option<AckPolicy>,
    bounds: Bounds,
    #[cfg(any(test, feature = "testing"))]
    recorder: Option<crate::testing::Recorder>,
}

impl AsyncAgentBuilder {
    pub(super) fn new(model: Arc<dyn Model>, manager: AsyncToolManager) -> Self {
        Self {
            policy: AgentPolicy::new(manager.registry()),
            model,
            manager,
            journal: None,
            session: SessionId::random(),
            system: None,
            ack: None,
            bounds: Bounds::default(),
            #[cfg(any(test, feature = "testing"))]
            recorder: None,
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

    /// Where the session is written down. Default: a [`MemoryJournal`] of its own.
    pub fn journal(mut self, journal: impl Journal) -> Self {
        self.journal = Some(Arc::new(journal));
        self
    }

    /// Records what goes into the machine of the agent, for tests that play it again.
    #[cfg(any(test, feature = "testing"))]
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn record(mut self, recorder: &crate::testing::Recorder) -> Self {
        self.recorder = Some(recorder.clone());
        self
    }

    /// How long the end of a turn waits for results before it acknowledges calls, whatever has been learned of their tools. Default:
    /// 250 ms, until it is known what is better ([`learned_grace`](Self::learned_grace)).
    pub fn grace(mut self, grace: Duration) -> Self {
        self.policy.grace = grace;
        self.policy.learned_grace = None;
        self
    }

    /// How long the end of a turn waits for tools whose latencies are known. Default: [`LearnedGrace::default`].
    pub fn learned_grace(mut self, learned: LearnedGrace) -> Self {
        self.policy.learned_grace = Some(learned);
        self
    }

    /// How much of a long conversation the model is shown. Default: 100,000 tokens, and 60 % of that after a pruning.
    pub fn prune(mut self, policy: PrunePolicy) -> Self {
        self.policy.prune = policy;
        self
    }

    /// How tokens are estimated. Default: [`ApproximateTokens`](crate::ApproximateTokens).
    pub fn tokens(mut self, estimator: impl TokenEstimator + 'static) -> Self {
        self.policy.tokens = Arc::new(estimator);
        self
    }

    /// How much the agent does for one message of the user's. Default: 100 model calls, 1,000 tool calls, any number of tokens.
    pub fn limits(mut self, limits: RunLimits) -> Self {
        self.policy.limits = limits;
        self
    }

    /// Whether the model has the `task` tool, with which it looks after tools that run in the background. Default: yes, where any tool
    /// can.
    pub fn task_tool(mut self, is_offered: bool) -> Self {
        self.policy.task_tool = is_offered;
        self
    }

    /// How long a model may say nothing before its turn has failed; a turn that failed this way is tried again like others. Default:
    /// 5 minutes.
    pub fn model_timeout(mut self, limit: Duration) -> Self {
        self.policy.model_timeout = Some(limit);
        self
    }

    /// When the model is asked again after acknowledgements. Default: [`AckPolicy::Eager`]; for agents that are tools or have
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

    /// When waiting results wake the agent. Default: 20 ms after the last, at most 250 ms after the first.
    pub fn wake_policy(mut self, policy: WakePolicy) -> Self {
        self.policy.wake = policy;
        self
    }

    /// When late results enter the conversation, for tools that say nothing themselves. Default: [`DeliveryPolicy::WhenIdle`].
    pub fn delivery(mut self, policy: DeliveryPolicy) -> Self {
        self.policy.delivery = policy;
        self
    }

    /// How many times a turn that failed in passing is tried again, and the pause before the first retry, which doubles with
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
    /// no tool of a name in [`tools`](Self::tools), the schema of a tool can't be said in the [dialect](crate::Capabilities::dialect) of the
    /// model's provider, or there is no tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the session may have been opened in the journal: start again under another name.
    pub async fn start(mut self) -> Result<AsyncAgent, StartError> {
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
        let (route, results) = mpsc::unbounded_channel();
        self.manager
            .route(self.session.clone(), route)
            .map_err(|session| StartError::SessionTaken { session })?;
        self.policy.ack = self.ack.unwrap_or(if capabilities.native_async {
            AckPolicy::Deferred
        } else {
            AckPolicy::default()
        });
        let journal = self.journal.unwrap_or_else(|| Arc::new(MemoryJournal::new()));
        let machine = AgentMachine::new(
            self.session.clone(),
            self.system,
            definitions,
            self.policy,
            Ledger::new(),
        );
        let (agent, mut shell, commands) =
            Shell::new(machine, self.session, self.model, self.manager, journal, results);
        shell.bounds = self.bounds;
        #[cfg(any(test, feature = "testing"))]
        {
            shell.recorder = self.recorder;
        }
        let nonce = uuid::Uuid::new_v4().simple().to_string();
        shell
            .open(AgentInput::Open { nonce })
            .await
            .map_err(StartError::Journal)?;
        runtime.spawn(Box::new(shell).run(commands));
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

/// An agent can't be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// Another agent of the same manager has this session.
    SessionTaken {
        /// The session.
        session: SessionId,
    },
    /// The session could not be written down; with [`AppendError::Conflict`], it has entries already.
    Journal(AppendError),
    /// The agent was to be offered a tool that its manager doesn't have.
    UnknownTool {
        /// The name.
        tool: Arc<str>,
    },
    /// The schema of a tool can't be said in the dialect of the model's provider.
    Schema {
        /// The tool's name.
        tool: Arc<str>,
        /// Where, why, and what to do about it.
        error: SchemaError,
    },
    /// Agents must be started within a tokio runtime.
    NoRuntime,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SessionTaken { session } => write!(f, "session `{session}` has an agent already"),
            Self::Journal(_) => f.write_str("the session can't be opened"),
            Self::UnknownTool { tool } => write!(f, "the manager has no tool `{tool}`"),
            Self::Schema { tool, .. } => write!(f, "the model can't be offered `{tool}`"),
            Self::NoRuntime => f.write_str("agents must be started within a tokio runtime"),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Journal(error) => Some(error),
            Self::Schema { error, .. } => Some(error),
            Self::SessionTaken { .. } | Self::UnknownTool { .. } | Self::NoRuntime => None,
        }
    }
}
