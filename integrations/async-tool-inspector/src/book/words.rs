//! Words for waits, and cut texts.

use async_tool_runtime::{
    SessionId,
    task::{NamedTask, WaitsFor},
};

/// Beginning of a text, of at most `limit` characters; true if it was cut.
pub(crate) fn cut(text: &str, limit: usize) -> (String, bool) {
    match text.char_indices().nth(limit) {
        Some((end, _)) => (text[..end].to_owned(), true),
        None => (text.to_owned(), false),
    }
}

/// Name of a task for a page of a session.
pub(super) fn name(task: &NamedTask, session: &SessionId) -> String {
    match task.number {
        Some(number) if task.session == *session => number.to_string(),
        Some(number) => format!("{number} of {}", task.session),
        None => task.tool.to_string(),
    }
}

/// Cause of a wait, to be read after the name of the task.
pub(crate) fn waits_text(wait: &WaitsFor, session: &SessionId) -> String {
    let list = |tasks: &[NamedTask]| {
        const NAMED: usize = 4;
        let names: Vec<String> = tasks.iter().take(NAMED).map(|task| name(task, session)).collect();
        match tasks.len().saturating_sub(NAMED) {
            0 if names.is_empty() => "other tasks".to_owned(),
            0 => names.join(", "),
            more => format!("{} and {more} more", names.join(", ")),
        }
    };
    match wait {
        WaitsFor::Slot => "queued for a slot".to_owned(),
        WaitsFor::Rate { .. } => "waits for its rate".to_owned(),
        WaitsFor::Retry { .. } => "waits for its next attempt".to_owned(),
        WaitsFor::Resource { held_by } => format!("waits for a resource of {}", list(held_by)),
        WaitsFor::Result { of } => format!("waits for {}", list(of)),
        WaitsFor::Agent { session } => format!("waits for the agent of {session}"),
        WaitsFor::Consent => "waits for consent".to_owned(),
        WaitsFor::Input => "waits for an answer".to_owned(),
        WaitsFor::Outside { .. } => "waits for a result from outside".to_owned(),
        WaitsFor::Worker => "a worker has it".to_owned(),
        _ => "waits".to_owned(),
    }
}
