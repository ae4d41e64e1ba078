//! Tasks of a session that stops in this process, and the results that the manager still has of them.
//!
//! The journal may have failed between the end of a task and its entry. Then the result is known here, and a resumed
//! session uses it.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::Ledger;
use crate::{
    manager::{AsyncToolManager, TaskHandle},
    task::AsyncTaskResult,
};

/// Time that an agent below has to leave its session.
const LEAVES_WITHIN: Duration = Duration::from_secs(10);

/// Reason of the cancellation of tasks whose session was left.
pub(super) const LEFT: &str = "the session was left to another process";
/// Results of the open tasks of a ledger that the manager still has. Waits for tasks that were told to stop. Tasks that
/// stopped only because their session did are forgotten, so that they can run again.
pub(super) async fn results(manager: &AsyncToolManager, ledger: &Ledger) -> Vec<Arc<AsyncTaskResult>> {
    let mut known = Vec::new();
    let open = ledger.open_tasks().filter_map(|number| ledger.tasks().get(&number));
    for (record, task) in open.filter_map(|record| Some((record, manager.task(record.task)?))) {
        let cell = task.cell();
        if !task.status().is_terminal() && !cell.is_cancelled() && !cell.is_abandoned() && !cell.working().is_left() {
            // A backend goes on with it, and its end will be told.
            continue;
        }
        let result = manager.end_of(&task).await;
        // Another process may have tried again since.
        let is_outdated = result.attempts < record.attempt && !result.outcome.is_completed();
        if is_outdated || cell.is_cut_short() {
            manager.forget(&task).await;
        } else {
            known.push(result);
        }
    }
    known
}

/// Tells the agent that carries out a call to leave its session; false if none does. An agent that also works for other
/// calls goes on for them. One whose journal hangs is dropped after a while.
pub(super) fn leave(task: &TaskHandle) -> bool {
    let runs = task.cell().working();
    let leaves = runs.served().len() == 1 && runs.leave();
    if leaves {
        let task = task.clone();
        tokio::spawn(async move {
            if timeout(LEAVES_WITHIN, task.outcome()).await.is_err() {
                task.cancel(LEFT);
            }
        });
    }
    leaves
}
