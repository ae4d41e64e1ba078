//! Check that a session is still its agent's, just before the function of a call.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    ToolLayers,
    service::{cancelled, past_deadline, sleep_until_some},
};
use crate::{future::BoxFuture, manager::TaskCell, tool::ToolError};

/// Proof that a call needs before its function begins, because it must not happen twice. `None` if its session was
/// confirmed of late as its agent's.
///
/// Looked at just before the function and not when the call is submitted: it may have waited for hours. A box, because
/// few calls need it.
pub(crate) fn proof_needed(
    cell: &Arc<TaskCell>,
    deadline: Option<Instant>,
) -> Option<BoxFuture<'_, Result<(), ToolError>>> {
    let is_once = |layers: &Arc<ToolLayers>| !layers.options.effect.is_repeatable();
    let is_needed = cell.layers.as_ref().is_some_and(is_once);
    let host = cell.manager().filter(|host| is_needed && !host.is_owned(cell))?;
    Some(Box::pin(async move {
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
    }))
}

/// Most proofs before a function begins. The process may be stopped while a proof is on its way, so an old one doesn't count. A lease
/// that is shorter than a proof takes would ask for proofs for ever.
const PROOFS: usize = 3;
