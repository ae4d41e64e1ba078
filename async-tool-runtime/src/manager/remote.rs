//! Tasks that run on a backend.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::TaskCell;
use crate::{
    backend::{Backend, BackendError, CancelMode, Settlement},
    manager::layers::{ToolRequest, ToolService, proof_needed},
    model::words_of,
    task::TaskOutcome,
    tool::{Effect, ToolError, ToolErrorKind},
};

/// Pauses before a submit that failed is repeated; the task id makes the repetition harmless.
const SUBMIT_PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];

/// Innermost service of a tool whose calls run on a backend.
pub(super) fn service(backend: Arc<dyn Backend>, stop_timeout: Duration) -> ToolService {
    ToolService::new(move |request: ToolRequest| {
        let backend = Arc::clone(&backend);
        async move {
            let cell = request.cell();
            if let Some(proof) = proof_needed(cell, request.deadline()) {
                proof.await?;
            }
            if let Some(host) = cell.manager() {
                host.begin(cell);
            }
            let Settlement { outcome, attempts } = follow(&*backend, stop_timeout, cell).await;
            cell.set_attempts(attempts);
            match outcome {
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

/// Hands a task to a backend and waits for its outcome.
pub(super) async fn follow(backend: &dyn Backend, stop_timeout: Duration, cell: &TaskCell) -> Settlement {
    let id = cell.spec.task;
    let submitted = cell.cancellation().run_until_cancelled(submit(backend, cell)).await;
    if let Some(Err(error)) = submitted {
        // The backend may have accepted the task even so.
        let effect = cell.layers.as_ref().map(|layers| layers.options.effect);
        let outcome = if effect.is_some_and(Effect::is_repeatable) {
            let error = ToolError::from_error(error).with_kind(ToolErrorKind::Unavailable);
            TaskOutcome::Failed(error.with_model_message("the tool can't be reached now"))
        } else {
            TaskOutcome::Unknown("the tool could not be reached, and may have been started all the same".to_owned())
        };
        return Settlement::new(outcome, 0);
    }
    let outcome = async {
        backend.outcome(id).await.unwrap_or_else(|error| {
            warn(cell, &error, "the backend lost sight of a task");
            Settlement::new(
                TaskOutcome::Unknown("the connection to the task was lost".to_owned()),
                1,
            )
        })
    };
    tokio::pin!(outcome);
    if let Some(settlement) = cell.cancellation().run_until_cancelled(&mut outcome).await {
        return settlement;
    }
    let modes: &[CancelMode] = if cell.is_aborted() {
        &[CancelMode::Abort]
    } else {
        &[CancelMode::Cancel, CancelMode::Abort]
    };
    for mode in modes {
        let cancelled = async {
            if let Err(error) = backend.cancel(id, *mode).await {
                warn(cell, &error, "the backend did not take a cancellation");
            }
            sleep(stop_timeout).await;
        };
        tokio::select! {
            biased;
            settlement = &mut outcome => return settlement,
            () = sleep(stop_timeout.saturating_mul(2)) => {}
            () = cancelled => {}
        }
    }
    Settlement::new(
        TaskOutcome::Unknown("the task was told to stop and did not say that it has".to_owned()),
        1,
    )
}

async fn submit(backend: &dyn Backend, cell: &TaskCell) -> Result<(), BackendError> {
    let mut pauses = SUBMIT_PAUSES.iter();
    loop {
        let Err(error) = backend.submit(cell.spec.clone()).await else {
            return Ok(());
        };
        warn(cell, &error, "the backend took no task");
        match pauses.next() {
            Some(pause) => sleep(*pause).await,
            None => return Err(error),
        }
    }
}

fn warn(cell: &TaskCell, error: &BackendError, what: &'static str) {
    let error = words_of(error);
    tracing::warn!(target: "async_tool::task", task = %cell.spec.task, %error, "{what}");
}
