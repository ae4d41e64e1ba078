//! Tasks that run on a backend, as the manager follows them.

mod heartbeats;
mod outage;
mod refusal;

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::{
    sync::SetOnce,
    time::{Instant, sleep, timeout},
};

use self::{
    heartbeats::Watched,
    outage::{Outage, log},
};
pub(super) use refusal::check;

use super::{TaskCell, remote_engine::Remote};
use crate::{
    backend::{BackendError, BackendErrorKind, CancelMode, Settlement},
    clock::Timestamp,
    manager::layers::{STOP_SLACK, ToolRequest, ToolService, past_deadline, proof_needed, sleep_until_some},
    task::TaskOutcome,
    tool::{Effect, ToolError, ToolErrorKind},
};

/// Time after the deadline of a task that is not known to run, for an end that is on its way.
const LATE_SLACK: Duration = Duration::from_millis(300);

/// Longest outage that a cancellation waits out. Its caller waits too.
const OUTAGE_AT_STOP: Duration = Duration::from_secs(30);

impl Remote {
    /// Innermost service of a tool whose calls run on the backend.
    pub(super) fn service(self: &Arc<Self>) -> ToolService {
        let remote = Arc::clone(self);
        ToolService::new(move |request: ToolRequest| {
            let remote = Arc::clone(&remote);
            async move {
                let cell = request.cell();
                if let Some(proof) = proof_needed(cell, request.deadline()) {
                    proof.await?;
                }
                match remote.follow(cell, request.deadline()).await {
                    TaskOutcome::Completed(value) => {
                        if cell.is_cancelled() {
                            cell.set_partial();
                        }
                        Ok(value)
                    }
                    TaskOutcome::Failed(error) => Err(error),
                    TaskOutcome::Cancelled(reason) => Err(ToolError::new(ToolErrorKind::Cancelled, reason)),
                    TaskOutcome::Unknown(why) => Err(ToolError::new(ToolErrorKind::Unknown, why)),
                }
            }
        })
    }

    /// Hands a task to the engine, and waits for its end there. An outage lasts no longer than until the deadline.
    pub(super) async fn follow(&self, cell: &Arc<TaskCell>, deadline: Option<Instant>) -> TaskOutcome {
        let watched = Watched::new(cell);
        let following = Following {
            remote: self,
            cell,
            watched: &watched,
            is_taken: SetOnce::new(),
            was_told: SetOnce::new(),
            outage: Outage::default(),
            sent_from: cell.manager().map(|manager| cell.spec.sent_from(manager.now())),
        };
        let Settlement { outcome, attempts } = following.settlement(deadline).await;
        watched.end(attempts);
        outcome
    }
}

/// A task, on its way through the engine.
struct Following<'a> {
    remote: &'a Remote,
    cell: &'a Arc<TaskCell>,
    watched: &'a Watched,
    /// Set once the engine has the task, as far as this process knows.
    is_taken: SetOnce<()>,
    /// Set once the engine was told to stop the task.
    was_told: SetOnce<()>,
    outage: Outage,
    /// Earliest time at which the engine can have got the task.
    sent_from: Option<Timestamp>,
}

impl Following<'_> {
    async fn settlement(&self, deadline: Option<Instant>) -> Settlement {
        enum Stop {
            Told,
            Late,
        }

        let mut end = pin!(self.end());
        let stop = tokio::select! {
            biased;
            settlement = &mut end => return settlement,
            () = self.cell.cancellation().cancelled() => Stop::Told,
            () = sleep_until_some(deadline) => Stop::Late,
        };
        match stop {
            // It goes on there, for the next process of its session.
            Stop::Told if self.cell.is_abandoned() => self.given_up(TaskOutcome::Cancelled(String::new())),
            Stop::Told => {
                let modes: &[CancelMode] = match self.cell.is_aborted() {
                    true => &[CancelMode::Abort],
                    false => &[CancelMode::Cancel, CancelMode::Abort],
                };
                let reason = self.cell.cancel_reason().unwrap_or_default();
                for mode in modes {
                    let stopped = self.stop(*mode, &reason);
                    tokio::select! {
                        biased;
                        settlement = &mut end => return settlement,
                        is_heard = stopped => if !is_heard { break },
                    }
                }
                let is_taken = self.is_taken.get().is_some();
                self.given_up(match is_taken || !self.is_repeatable() {
                    true => TaskOutcome::Unknown("the task was told to stop and did not say that it has".to_owned()),
                    false => TaskOutcome::Cancelled(String::new()),
                })
            }
            Stop::Late => {
                let grace = match self.cell.started() {
                    // Its worker's clock may be another, and its function may tidy up.
                    Some(_) => self.grace(),
                    None => LATE_SLACK,
                };
                let limit = sleep(grace);
                let stopped = async {
                    self.cancel(CancelMode::Cancel, "the task's deadline has passed").await;
                    std::future::pending::<()>().await;
                };
                let settlement = tokio::select! {
                    biased;
                    settlement = &mut end => Some(settlement),
                    () = limit => None,
                    () = stopped => None,
                };
                match settlement {
                    // It was told to stop for its deadline only.
                    Some(Settlement {
                        outcome: TaskOutcome::Cancelled(_),
                        attempts,
                    }) => Settlement::new(TaskOutcome::Failed(past_deadline()), attempts),
                    Some(settlement) => settlement,
                    None if self.outage.is_on() && !self.is_repeatable() => {
                        let why = "its engine could not be reached until the task's deadline";
                        self.given_up(TaskOutcome::Unknown(why.to_owned()))
                    }
                    None => self.given_up(TaskOutcome::Failed(past_deadline())),
                }
            }
        }
    }

    /// Waits until the engine has the end of the task.
    async fn end(&self) -> Settlement {
        match self.submit().await {
            Ok(()) => {
                let _it_may_be_told_to_stop = self.is_taken.set(());
            }
            Err(_) if self.may_be_forgotten() => {}
            // Told to stop, after a submit that may have reached the engine. Its answer to the stop tells.
            Err(error) if error.kind() == BackendErrorKind::Unreachable => return self.end_without_answer().await,
            Err(error) => return Settlement::new(self.refused(error), 0),
        }
        match self.found().await {
            Ok(settlement) => settlement,
            Err(error) => {
                log(self.cell, &error, "the engine lost sight of a task");
                let why = match error.kind() {
                    BackendErrorKind::NotFound => "its engine has no record of it any more",
                    _ => "its engine doesn't say what became of it",
                };
                self.given_up(TaskOutcome::Unknown(why.to_owned()))
            }
        }
    }

    /// Waits until the engine was told to stop a task that it may have, and for its end, if it has it.
    async fn end_without_answer(&self) -> Settlement {
        self.was_told.wait().await;
        match self.found().await {
            Ok(settlement) => settlement,
            Err(error) if error.kind() == BackendErrorKind::NotFound => {
                Settlement::new(TaskOutcome::Cancelled(String::new()), 0)
            }
            // The stop has its own limits.
            Err(_) => std::future::pending().await,
        }
    }

    async fn found(&self) -> Result<Settlement, BackendError> {
        let Self { remote, cell, .. } = self;
        let found = || remote.backend.outcome(cell.spec.task, self.watched.heartbeats());
        self.outage
            .wait_out(cell, "an engine can't be reached", found, || true)
            .await
    }

    async fn submit(&self) -> Result<(), BackendError> {
        let Self { remote, cell, .. } = self;
        if self.may_be_forgotten() {
            return Ok(());
        }
        let submit = || remote.backend.submit(cell.spec_to_send());
        // A task that was told to stop is not submitted again, nor one that grew too old meanwhile.
        let goes_on = || !cell.is_cancelled() && !self.may_be_forgotten();
        self.outage
            .wait_out(cell, "an engine takes no task", submit, goes_on)
            .await
    }

    /// True if the engine may have had the task, and forgotten it.
    fn may_be_forgotten(&self) -> bool {
        let Self { remote, cell, .. } = self;
        let age = self.sent_from.and_then(|sent| Some(cell.manager()?.now().since(sent)));
        let retention = remote.capabilities.retention;
        retention.is_some_and(|retention| age.is_some_and(|age| age > retention))
    }

    /// Outcome of a task that the engine has not taken, as far as this process knows.
    fn refused(&self, error: BackendError) -> TaskOutcome {
        let may_have_been_taken = self.outage.was_on();
        if may_have_been_taken && !self.is_repeatable() {
            let why = "the tool could not be reached, and may have been started all the same";
            return TaskOutcome::Unknown(why.to_owned());
        }
        if self.cell.is_cancelled() {
            return TaskOutcome::Cancelled(String::new());
        }
        log(self.cell, &error, "the engine refused a task");
        let error = ToolError::from_error(error).with_kind(ToolErrorKind::Internal);
        TaskOutcome::Failed(error.with_model_message("the tool can't be run: the system that runs it refused the call"))
    }

    /// Tells the engine to stop the task, and gives the task its time for that. False if the engine could not be told.
    async fn stop(&self, mode: CancelMode, reason: &str) -> bool {
        // The engine can't stop what it doesn't have yet.
        let _it_may_have_it = timeout(self.remote.stop_timeout, self.is_taken.wait()).await;
        let is_heard = timeout(OUTAGE_AT_STOP, self.cancel(mode, reason)).await.is_ok();
        if is_heard {
            let _the_second_time_it_is_set = self.was_told.set(());
            sleep(self.grace()).await;
        }
        is_heard
    }

    async fn cancel(&self, mode: CancelMode, reason: &str) {
        let Self { remote, cell, .. } = self;
        let cancel = || remote.backend.cancel(cell.spec.task, mode, reason);
        let taken = self
            .outage
            .wait_out(cell, "an engine can't be told to stop a task", cancel, || true)
            .await;
        if let Err(error) = taken {
            log(cell, &error, "the engine did not take a cancellation");
        }
    }

    /// Time for a task on a worker to stop.
    fn grace(&self) -> Duration {
        let Remote {
            capabilities,
            stop_timeout,
            ..
        } = self.remote;
        stop_timeout
            .saturating_add(capabilities.cancel_latency)
            .saturating_add(2 * STOP_SLACK)
    }

    fn is_repeatable(&self) -> bool {
        let effect = self.cell.layers.as_ref().map(|layers| layers.options.effect);
        effect.is_some_and(Effect::is_repeatable)
    }

    /// End of a task that this process stops to follow.
    fn given_up(&self, outcome: TaskOutcome) -> Settlement {
        let may_have_run = matches!(outcome, TaskOutcome::Unknown(_));
        Settlement::new(outcome, self.watched.starts().max(may_have_run.into()))
    }
}
