//! Start of an agent: the checks before it, the ledger of its session, and its first step.

use std::sync::Arc;

use tokio::{runtime::Handle, sync::mpsc, task::coop::consume_budget};

use super::AsyncAgentBuilder;
use crate::{
    agent::{
        AckPolicy, AsyncAgent, Ledger, StartError,
        machine::{AgentInput, AgentMachine},
        redaction::Redactor,
        shell::{Shell, snapshots},
    },
    broadcast::next,
    id::TaskId,
    journal::{Claim, GuardedJournal, Journal, MemoryJournal, Seq},
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
        let snapshot = seq;
        let mut entries = self.journal.read(session, seq);
        while let Some(entry) = next(&mut entries).await {
            let (at, entry) = entry.map_err(StartError::Read)?;
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

    /// Makes the first step, and spawns the agent.
    pub(super) async fn begin(self, ledger: Ledger, seq: Seq, input: AgentInput) -> Result<AsyncAgent, StartError> {
        let builder = self.builder;
        let (route, results) = mpsc::unbounded_channel();
        let claim = Claim::new();
        builder
            .manager
            .route(builder.session.clone(), route, &claim)
            .map_err(|session| StartError::SessionTaken {
                session,
                retry_after: None,
            })?;
        let tasks = ledger.statuses().filter(|(_, status)| status.is_none());
        let open: Vec<TaskId> = tasks.map(|(task, _)| task).collect();
        builder.manager.forget_cut_short(open.into_iter()).await;
        let session = builder.session;
        let redactor = Redactor::new(builder.manager.registry(), builder.redact, &ledger);
        let machine = AgentMachine::new(
            session.clone(),
            builder.system,
            self.definitions,
            builder.policy,
            ledger,
        );
        let (mut agent, mut shell, commands) = Shell::new(
            machine,
            session,
            builder.model,
            builder.manager,
            (self.journal, claim),
            results,
        );
        shell.bounds = builder.bounds;
        shell.seq = seq;
        shell.snapshot = seq;
        shell.redactor = redactor;
        #[cfg(any(test, feature = "testing"))]
        {
            shell.tap = builder.tap;
        }
        shell.open(input).await?;
        agent.resumption = shell.resumption();
        shell.admit(&agent);
        self.runtime.spawn(Box::new(shell).run(commands));
        Ok(agent)
    }
}

impl AsyncAgentBuilder {
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
