//! Circles of waits: tasks that would wait for themselves.
//!
//! A task waits for the tasks that it has submitted, for its shared run, and for the tasks that hold its resources. Its function can wait
//! for any task by a handle, and for an agent, which waits for the tasks of its session ([`inside`](super::inside)).
//! Before such a wait begins, the tasks that wait for the caller are searched for the task that the caller would wait for.
//!
//! # Invariants
//!
//! 1. The search and the registration of the wait are one step under one lock ([`registering`]). So of two waits that close a circle
//!    together, exactly one is refused. The lock is shared by all managers, because a sub-agent can work on another manager.
//! 2. A task that no other task waits for takes no lock: it can't close a circle. A function can begin to wait for such a task at that
//!    moment. So the task looks again after it has registered its wait.
//! 3. A shared run never has a waiter among its own descendants. So it is stopped when the last caller from outside has left.

use std::{
    collections::HashSet,
    fmt, slice,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Inner, task::TaskCell};
use crate::{
    id::TaskId,
    session::SessionId,
    tool::{ToolError, ToolErrorKind},
};

/// Most tasks that an error names.
const NAMED: usize = 16;

/// Lock under which a wait is checked and registered. It comes before all other locks of the manager, except that of the equal calls.
pub(super) fn registering() -> MutexGuard<'static, ()> {
    static REGISTERING: Mutex<()> = Mutex::new(());
    REGISTERING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tasks of which each waits for the next one, and the last for the first.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Circle(Vec<String>);

impl Circle {
    /// Circle that a wait of `cell` would close, if it waited for a task that `is_awaited` accepts. Its own claim is not counted: it is
    /// the newest, or is given up.
    pub(super) fn closed_by(cell: &Arc<TaskCell>, is_awaited: impl Fn(&Arc<TaskCell>) -> bool) -> Option<Self> {
        Self::search(cell, false, is_awaited)
    }

    /// Circle that a wait inside of the function of `cell` would close. The function keeps its claims meanwhile.
    pub(super) fn closed_inside(cell: &Arc<TaskCell>, is_awaited: impl Fn(&Arc<TaskCell>) -> bool) -> Option<Self> {
        if is_awaited(cell) {
            return Some(Self::of(slice::from_ref(cell)));
        }
        Self::search(cell, true, is_awaited)
    }

    fn search(cell: &Arc<TaskCell>, keeps_claims: bool, is_awaited: impl Fn(&Arc<TaskCell>) -> bool) -> Option<Self> {
        // Tasks that wait for `cell`, each with the position of the task that it waits for.
        let mut line = vec![(Arc::clone(cell), 0)];
        let mut seen = HashSet::from([Arc::as_ptr(cell)]);
        let mut at = 0;
        while let Some((next, _)) = line.get(at) {
            for waiting in waiting_for(next, keeps_claims || at > 0) {
                if !seen.insert(Arc::as_ptr(&waiting)) {
                    continue;
                }
                if is_awaited(&waiting) {
                    let mut circle = vec![waiting];
                    while let Some((next, before)) = line.get(at) {
                        circle.push(Arc::clone(next));
                        if at == 0 {
                            break;
                        }
                        at = *before;
                    }
                    return Some(Self::of(&circle));
                }
                line.push((waiting, at));
            }
            at += 1;
        }
        None
    }

    fn of(circle: &[Arc<TaskCell>]) -> Self {
        let is_of_one = are_of_one_session(circle);
        let mut names: Vec<String> = circle.iter().map(|cell| name_of(cell, is_of_one)).collect();
        // A shared run has the name of the call that started it.
        names.dedup();
        Self(names)
    }

    /// Circle of tasks that are known by their ids.
    pub(super) fn of_ids(host: &Inner, circle: &[TaskId]) -> Self {
        let cells: Vec<_> = circle.iter().map(|task| host.tasks().find(*task)).collect();
        let known: Vec<_> = cells.iter().flatten().cloned().collect();
        let is_of_one = are_of_one_session(&known);
        let name = |(task, cell): (&TaskId, &Option<Arc<TaskCell>>)| match cell {
            Some(cell) => name_of(cell, is_of_one),
            None => task.to_string(),
        };
        let mut names: Vec<String> = circle.iter().zip(&cells).map(name).collect();
        names.dedup();
        Self(names)
    }

    /// This circle with the session whose tasks the last wait is for.
    pub(super) fn through(mut self, session: &SessionId) -> Self {
        self.0.push(format!("session `{session}`"));
        self
    }

    /// Error of a wait for a task by its handle.
    pub(super) fn refusal_of_waiting(&self, awaited: &TaskCell) -> ToolError {
        let tool = &awaited.spec.call.name;
        let message = format!("a tool that waits for `{tool}` here would wait for itself: {self}; `{tool}` goes on");
        // The awaited task may have been started.
        ToolError::new(ToolErrorKind::Duplicate, message).with_retryable(false)
    }

    /// Error of a call that would wait for an equal call that waits for it.
    pub(super) fn refusal_of_sharing(&self, tool: &str) -> ToolError {
        let message = format!("`{tool}` would wait for itself: {self}; do without this call");
        refusal(message)
    }

    /// Error of a call that would take the place of a call that waits for it.
    pub(super) fn refusal_of_replacing(&self, tool: &str) -> ToolError {
        let message = format!("`{tool}` would replace a call that waits for it: {self}; do without this call");
        refusal(message)
    }

    /// Error of a call that needs a resource of a task that waits for it. Another try can help, when the other task has ended.
    pub(super) fn refusal_of_resource(&self, tool: &str) -> ToolError {
        ToolError::new(
            ToolErrorKind::Unavailable,
            format!("`{tool}` would wait for a task that waits for one above it: {self}"),
        )
        .with_not_started()
        .with_model_message(format!(
            "another task needs the same and waits for this one: {self}; try again when it has ended"
        ))
    }
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(names) = self;
        let left_out = names.len().saturating_sub(NAMED);
        let (first, last) = match left_out {
            0 => (&names[..], &[][..]),
            _ => (&names[..NAMED / 2], &names[NAMED / 2 + left_out..]),
        };
        for name in first {
            write!(f, "{name} → ")?;
        }
        if left_out > 0 {
            write!(f, "{left_out} more → ")?;
        }
        for name in last {
            write!(f, "{name} → ")?;
        }
        f.write_str(names.first().map_or("", String::as_str))
    }
}

fn refusal(message: String) -> ToolError {
    // A retry would find the same circle.
    ToolError::new(ToolErrorKind::Duplicate, message)
        .with_not_started()
        .with_retryable(false)
}

fn are_of_one_session(tasks: &[Arc<TaskCell>]) -> bool {
    let mut sessions = tasks.iter().map(|cell| &cell.spec.session);
    let first = sessions.next();
    sessions.all(|session| Some(session) == first)
}

/// Tool and number of a task; the id, if the task has no number, or the models of several sessions could read of it.
fn name_of(cell: &TaskCell, is_of_one_session: bool) -> String {
    let spec = &cell.spec;
    let tool = &spec.call.name;
    match spec.number.filter(|_| is_of_one_session) {
        Some(number) => format!("`{tool}` ({number})"),
        None => format!("`{tool}` ({})", spec.task),
    }
}

/// Tasks that wait for a task directly; `by_claims` includes those that wait for its resources.
fn waiting_for(cell: &Arc<TaskCell>, by_claims: bool) -> Vec<Arc<TaskCell>> {
    let mut waiting: Vec<_> = cell.awaited_by().into_iter().chain(cell.waiters()).collect();
    waiting.extend(cell.awaiting());
    let host = cell.manager();
    if let Some(host) = host.as_ref().filter(|_| cell.spec.number.is_some()) {
        waiting.extend(host.session_waits.of(&cell.spec.session));
    }
    if let Some(host) = host.filter(|_| by_claims) {
        for task in host.conflicts.behind(cell.spec.task) {
            let known = host.tasks().find(task);
            // The claim is the call's, or that of its shared run.
            waiting.extend(known.as_ref().and_then(|call| call.shared_run()));
            waiting.extend(known);
        }
    }
    waiting.retain(|cell| !cell.has_ended());
    waiting
}
