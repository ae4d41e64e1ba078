//! Start of an agent: the checks before it, the ledger of its session, and its first step.

use std::sync::Arc;

use tokio::{runtime::Handle, sync::mpsc, task::coop::consume_budget};

use super::{AsyncAgentBuilder, random};
use crate::{
    agent::{
        AckPolicy, AgentState, AsyncAgent, Ledger, StartError,
        machine::{AgentInput, AgentMachine},
        redaction::Redactor,
        remembered,
        setup::Setup,
        shell::{Shell, blobs, snapshots},
        sub::{End, Survey},
    },
    broadcast::next,
    journal::{Claim, Entry, GuardedJournal, Journal, MemoryJournal, Seq, find_media},
    manager::TaskNews,
    tool::ToolDefinition,
    unwind,
};

/// Name of the code that starts an agent, in the error of a panic.
const PART: &str = "a part of the agent";

/// Agent that is about to start.
pub(super) struct Start {
    builder: AsyncAgentBuilder,
    definitions: Arc<[ToolDefinition]>,
    journal: Arc<dyn Journal>,
    runtime: Handle,
}

impl Start {
    /// Waits for an earlier agent of the session that has lost its last handle.
    pub(super) async fn vacated(&self) {
        self.builder.manager.vacated(&self.builder.session).await;
    }

    /// Ledger of the session in the journal once no earlier agent here writes to it, and its last entry.
    pub(super) async fn find(&self) -> Result<(Ledger, Seq), StartError> {
        self.vacated().await;
        self.read().await
    }

    /// Ledger of the session in the journal, and its last entry.
    pub(super) async fn read(&self) -> Result<(Ledger, Seq), StartError> {
        let session = &self.builder.session;
        let kept = self.journal.snapshot(session).await.map_err(StartError::Read)?;
        let kept = kept.and_then(|snapshot| Some((Ledger::from_snapshot(&snapshot)?, snapshot.seq)));
        let (mut ledger, mut seq) = kept.unwrap_or_default();
        let found = blobs::find_all(&*self.journal, session, &mut ledger).await;
        found.map_err(StartError::Read)?;
        let snapshot = seq;
        let mut entries = self.journal.read(session, seq);
        while let Some(entry) = next(&mut entries).await {
            let (at, mut entry) = entry.map_err(StartError::Read)?;
            let found = find_media(&*self.journal, session, &mut entry).await;
            found.map_err(StartError::Read)?;
            if let Some(found) = entry.format().filter(|format| format.is_newer()) {
                return Err(StartError::Newer {
                    session: session.clone(),
                    seq: at,
                    found,
                });
            }
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
            // A result from outside that comes now is too late, and is told so.
            let manager = &self.builder.manager;
            manager.enter(ledger.statuses());
            manager.depart(ledger.statuses().map(|(task, _)| task));
            return Err(StartError::SessionClosed { session });
        }
        if snapshots::is_due(&*self.journal, seq, snapshot) {
            snapshots::keep_snapshot(&*self.journal, &session, &ledger, seq).await;
        }
        Ok((ledger, seq))
    }

    /// Takes the session up where its journal ends.
    pub(super) async fn resume(self, ledger: Ledger, seq: Seq) -> Result<AsyncAgent, StartError> {
        let (claim, news) = self.route()?;
        let known = remembered::results(&self.builder.manager, &ledger).await;
        let input = AgentInput::Recover { by: random(), known };
        let agent = self.begin(ledger, seq, input, claim, news).await?;
        agent.manager.cancel_strays(&agent.session);
        Ok(agent)
    }

    /// Claim of the session, and the channel for the news of its tasks.
    pub(super) fn route(&self) -> Result<(Claim, mpsc::UnboundedReceiver<TaskNews>), StartError> {
        let (route, news) = mpsc::unbounded_channel();
        let claim = Claim::new();
        let Self { builder, .. } = self;
        builder
            .manager
            .route(builder.session.clone(), route, &claim)
            .map_err(|session| StartError::SessionTaken {
                session,
                retry_after: None,
            })?;
        Ok((claim, news))
    }

    /// Makes the first step, and spawns the agent.
    pub(super) async fn begin(
        self,
        ledger: Ledger,
        seq: Seq,
        input: AgentInput,
        claim: Claim,
        results: mpsc::UnboundedReceiver<TaskNews>,
    ) -> Result<AsyncAgent, StartError> {
        let builder = self.builder;
        let session = builder.session;
        let redactor = Redactor::new(builder.manager.registry(), builder.redact, &ledger);
        let machine = AgentMachine::new(
            session.clone(),
            builder.system,
            self.definitions,
            builder.policy,
            ledger,
        );
        let (system, tools) = machine.prompt();
        let setup = Setup {
            journal: Arc::downgrade(&self.journal),
            redacts: redactor.is_some(),
            system,
            tools,
        };
        let (mut agent, mut shell, commands) = Shell::new(
            machine,
            session,
            builder.model,
            builder.manager,
            (self.journal, claim),
            results,
        );
        shell.bounds = builder.bounds;
        if let Some(audience) = builder.audience {
            agent.events.tell(agent.session.clone(), audience);
        }
        shell.seq = seq;
        shell.snapshot = seq;
        shell.redactor = redactor;
        #[cfg(any(test, feature = "testing"))]
        {
            shell.tap = builder.tap;
        }
        shell.open(input).await?;
        agent.resumption = shell.resumption();
        agent.setup = Some(Arc::new(setup));
        shell.admit(&agent);
        self.runtime.spawn(Box::new(shell).run(commands));
        Ok(agent)
    }
}

impl AsyncAgentBuilder {
    /// State of the session in the journal. If it has begun to close, the state just before counts.
    pub(in crate::agent) async fn survey(self) -> Result<Survey, StartError> {
        let start = self.prepare()?;
        let session = &start.builder.session;
        // Not from a snapshot, which may be of a later state.
        let (mut ledger, mut end) = (Ledger::new(), None);
        let mut entries = start.journal.read(session, Seq::START);
        while let Some(entry) = next(&mut entries).await {
            let (seq, entry) = entry.map_err(StartError::Read)?;
            if matches!(entry, Entry::Closing { .. }) {
                end = Some(End::of(&ledger, &start.builder.policy));
            }
            ledger.apply(&entry).map_err(|error| StartError::Fold { seq, error })?;
            consume_budget().await;
        }
        drop(entries);
        if ledger == Ledger::new() {
            return Err(StartError::UnknownSession {
                session: session.clone(),
            });
        }
        // A result from outside that comes now is not taken for one of a task that never existed.
        start.builder.manager.enter_unrouted(session, ledger.statuses());
        Ok(Survey {
            is_closed: ledger.is_closed(),
            end,
        })
    }

    /// Resumes the session; `None` if it works for a call.
    pub(in crate::agent) async fn resume_top(self) -> Result<Option<AsyncAgent>, StartError> {
        let start = self.prepare()?;
        let (ledger, seq) = start.find().await?;
        if ledger.works_for().is_some() {
            // Its call takes it up later. Until then, a result from outside is not taken for one of an unknown task.
            let builder = &start.builder;
            builder.manager.enter_unrouted(&builder.session, ledger.statuses());
            return Ok(None);
        }
        start.resume(ledger, seq).await.map(Some)
    }

    /// Resumes the session if it has work of its own; `None` if it waits for its host alone, or works for a call.
    pub(in crate::agent) async fn resume_working(self) -> Result<Option<AsyncAgent>, StartError> {
        let _resuming = self.manager.resuming();
        let start = self.prepare()?;
        let (ledger, seq) = start.find().await?;
        let builder = &start.builder;
        if ledger.works_for().is_some() {
            // Its call takes it up later. Until then, a result from outside is not taken for one of an unknown task.
            builder.manager.enter_unrouted(&builder.session, ledger.statuses());
            return Ok(None);
        }
        let (session, definitions, policy) = (&builder.session, &start.definitions, &builder.policy);
        let machine = AgentMachine::new(
            session.clone(),
            None,
            Arc::clone(definitions),
            policy.clone(),
            ledger.clone(),
        );
        let is_open = ledger.state() != AgentState::Closing && ledger.open_turn().is_none();
        if is_open && machine.is_quiescent() {
            return Ok(None);
        }
        start.resume(ledger, seq).await.map(Some)
    }

    /// Checks everything that can be checked without the journal.
    pub(super) fn prepare(self) -> Result<Start, StartError> {
        unwind::call(PART, || self.checked()).unwrap_or_else(|panic| Err(StartError::Panicked(panic.to_string())))
    }

    fn checked(mut self) -> Result<Start, StartError> {
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
        self.policy.result_limit = self.manager.result_limit();
        let journal = self.journal.take().unwrap_or_else(|| Arc::new(MemoryJournal::new()));
        Ok(Start {
            builder: self,
            definitions,
            journal: Arc::new(GuardedJournal::new(journal)),
            runtime,
        })
    }
}
