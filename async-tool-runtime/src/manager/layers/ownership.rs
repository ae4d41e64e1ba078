//! Check that a session is still its agent's, just before the function of a call.

use std::sync::Arc;

use tokio::time::Instant;

use super::service::{cancelled, past_deadline, sleep_until_some};
use crate::{
    future::BoxFuture,
    manager::{Inner, TaskCell},
    tool::ToolError,
};

/// Proof that a call needs before its function begins, because it must not happen twice. `None` if its session was
/// confirmed of late as its agent's.
///
/// Looked at just before the function and not when the call is submitted: it may have waited for hours. A box, because
/// few calls need it.
pub(crate) fn proof_needed(
    cell: &Arc<TaskCell>,
    deadline: Option<Instant>,
) -> Option<BoxFuture<'_, Result<(), ToolError>>> {
    let host = must_not_happen_twice(cell)?;
    (!host.is_owned(cell)).then(|| prove(host, cell, deadline))
}

/// Proof that a call needs if the confirmation of its session has grown too old since [`proof_needed`].
pub(crate) fn proof_lapsed(
    cell: &Arc<TaskCell>,
    deadline: Option<Instant>,
) -> Option<BoxFuture<'_, Result<(), ToolError>>> {
    let host = must_not_happen_twice(cell)?;
    host.has_lapsed(cell).then(|| prove(host, cell, deadline))
}

/// Manager of a call that must not happen twice.
fn must_not_happen_twice(cell: &TaskCell) -> Option<Arc<Inner>> {
    let layers = cell.layers.as_ref()?;
    let is_once = !layers.options.effect.is_repeatable();
    is_once.then(|| cell.manager())?
}

fn prove(host: Arc<Inner>, cell: &Arc<TaskCell>, deadline: Option<Instant>) -> BoxFuture<'_, Result<(), ToolError>> {
    Box::pin(async move {
        for _ in 0..PROOFS {
            tokio::select! {
                biased;
                () = cell.cancellation().cancelled() => return Err(cancelled()),
                proved = host.prove_owned(cell) => proved?,
                () = sleep_until_some(deadline) => return Err(past_deadline()),
            }
            if !host.has_lapsed(cell) {
                break;
            }
        }
        Ok(())
    })
}

/// Most proofs before a function begins. The process may be stopped while a proof is on its way, so an old one doesn't count. A lease
/// that is shorter than a proof takes would ask for proofs for ever.
const PROOFS: usize = 3;
