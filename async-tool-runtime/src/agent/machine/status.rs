//! Status of a task, from the ledger and the reports of the manager.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    agent::ledger::{TaskRecord, Waits},
    id::{TaskId, TaskNo},
    task::{TaskStatus, ToolQuestion},
    tool::InputRequest,
};

/// Open questions of each task and of the tasks below it, by the task that asks.
pub(super) type Asked = BTreeMap<TaskNo, BTreeMap<TaskId, ToolQuestion>>;

/// Status of a task of the session.
pub(super) fn status(record: &TaskRecord, number: TaskNo, running: &BTreeSet<TaskNo>, asked: &Asked) -> TaskStatus {
    if let Some(result) = &record.result {
        return result.status();
    }
    let asks = asked.get(&number).is_some_and(|asked| !asked.is_empty());
    TaskStatus::of_open(
        asks || asked_before(record, number, running).is_some(),
        running.contains(&number),
    )
}

/// Question that a task asked in an earlier process, and has not asked yet in this one.
pub(super) fn asked_before<'a>(
    record: &'a TaskRecord,
    number: TaskNo,
    running: &BTreeSet<TaskNo>,
) -> Option<&'a InputRequest> {
    match &record.waits {
        Waits::Answer(request) if !running.contains(&number) => Some(request),
        _ => None,
    }
}
