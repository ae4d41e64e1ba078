//! A task as the entries of its session tell it.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    AsyncTaskResult, AsyncToolManager, SessionId, TaskOutcome, ToolCall,
    journal::{Entry, ReadError, Seq, find_media},
};
use serde::{Deserialize, Serialize};

use super::{
    outcome::End,
    principal::Principal,
    record::{CANCELLED, Record},
    store::{Store, next},
    tasks::Tasks,
};

/// First message of a session: what the journal doesn't have of a task otherwise.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Label {
    /// Hash of the principal.
    pub(super) owner: Principal,
    pub(super) kept_ms: u64,
    pub(super) takes_forms: bool,
    /// True for a call that becomes a task only after its first questions.
    #[serde(default)]
    pub(super) asks_first: bool,
}

/// Second message of a session whose call asked first: it is a task now, and its client has the id.
pub(super) const IS_TASK: &str = "it is a task";

/// Session of the journal.
pub(super) enum Found {
    Task(Kept),
    /// A session of this crate in which no call was made, so no client has its id.
    Empty,
    /// A session of others, or none.
    Foreign,
}

/// A task as the entries of its session tell it.
pub(super) struct Kept {
    pub(super) label: Label,
    pub(super) is_closed: bool,
    /// False for a call that died before it became a task, so its client waits for nothing.
    pub(super) is_task: bool,
    id: SessionId,
    call: ToolCall,
    accepted: u64,
    result: Option<Arc<AsyncTaskResult>>,
}

impl Store {
    /// Reads a session.
    pub(super) async fn read(&self, session: &SessionId) -> Result<Found, ReadError> {
        if !Self::is_name(session) {
            return Ok(Found::Foreign);
        }
        let (mut label, mut called, mut result) = (None, None, None);
        let (mut is_there, mut is_closed, mut is_marked) = (false, false, false);
        let mut entries = self.journal().read(session, Seq::START);
        while let Some(entry) = next(&mut entries).await {
            let (_, entry) = entry?;
            is_there = true;
            is_closed = matches!(entry, Entry::Closed { .. });
            match entry {
                Entry::UserMessage { text, .. } if label.is_none() => match serde_json::from_str::<Label>(&text) {
                    Ok(read) => label = Some(read),
                    Err(_) => return Ok(Found::Foreign),
                },
                Entry::UserMessage { text, .. } => is_marked |= text == IS_TASK,
                Entry::Accepted { call, at, .. } if called.is_none() => called = Some((call, at.as_millis())),
                Entry::Settled { result: settled } if result.is_none() => result = Some(settled),
                _ => {}
            }
        }
        Ok(match (label, called) {
            (Some(label), Some((call, accepted))) => Found::Task(Kept {
                is_task: !label.asks_first || is_marked || result.is_some(),
                label,
                is_closed,
                id: session.clone(),
                call,
                accepted,
                result,
            }),
            _ if is_there => Found::Empty,
            _ => Found::Foreign,
        })
    }
}

impl Kept {
    /// Record of the task, without its end.
    pub(super) fn record(&self, tasks: &Tasks) -> Arc<Record> {
        let record = Record::new(
            self.id.clone(),
            self.label.owner.clone(),
            self.call.clone(),
            self.label.takes_forms,
            Duration::from_millis(self.label.kept_ms),
            tasks.clock(),
        );
        let record = record.kept(self.accepted);
        record.make_task();
        Arc::new(record)
    }

    /// End of the task and its time; `None` if the journal has none.
    pub(super) async fn end(&self, store: &Store, manager: &AsyncToolManager) -> Result<Option<(End, u64)>, ReadError> {
        let Some(result) = &self.result else { return Ok(None) };
        let mut entry = Entry::Settled {
            result: Arc::clone(result),
        };
        // A journal may have the bytes of images, sounds and files beside its entries.
        find_media(store.journal(), &self.id, &mut entry).await?;
        Ok(match &entry {
            Entry::Settled { result } => Some((end_of(result, manager), result.timing.settled.as_millis())),
            _ => None,
        })
    }

    /// Rest of the retention; zero if it is over. Never longer than the whole, so that a clock that was ahead keeps nothing for longer.
    pub(super) fn left(&self, now: u64) -> Duration {
        let ended = self.result.as_ref().map(|result| result.timing.settled.as_millis());
        let until = ended.unwrap_or(self.accepted).saturating_add(self.label.kept_ms);
        Duration::from_millis(until.saturating_sub(now).min(self.label.kept_ms))
    }
}

/// End of a kept task from its result.
pub(super) fn end_of(result: &AsyncTaskResult, manager: &AsyncToolManager) -> End {
    let by_client = matches!(&result.outcome, TaskOutcome::Cancelled(reason) if reason == CANCELLED);
    End::of(result, manager.registry(), by_client)
}
