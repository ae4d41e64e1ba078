//! Tasks of an earlier process, and of other processes that use the same journal.
//!
//! A task runs where its session is. So one whose session another process has is not failed and not run again: its end is read from the journal
//! once it is there, and the task is resumed if the other process is gone.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Weak},
    time::Duration,
};

use async_tool_runtime::{
    AsyncAgent, SessionId,
    agent::{Recovery, StartError},
    journal::{ReadError, SessionFilter},
};
use tokio::time::sleep;

use super::{
    kept::{Found, Kept, end_of},
    outcome::{End, INTERRUPTED},
    record::Record,
    store::{Store, next},
    tasks::Tasks,
};

/// Pauses between two looks at a session that another process has, or whose journal is away. They double.
const SOON: Duration = Duration::from_millis(100);
const LATER: Duration = Duration::from_secs(10);

/// Failures of the journal, one after the other, after which a task is given up.
const FAILURES: u32 = 30;

impl Store {
    /// Resumes the tasks of an earlier process.
    pub(super) async fn recover(&self, tasks: &Arc<Tasks>) -> Result<(), ReadError> {
        let (mut open, mut empty) = (HashMap::new(), HashSet::new());
        let mut sessions = self.journal().sessions(SessionFilter::Open);
        while let Some(session) = next(&mut sessions).await {
            let session = session?;
            match self.read(&session).await {
                Ok(Found::Task(kept)) if kept.is_task => {
                    // Known before its first event.
                    let record = kept.record(tasks);
                    tasks.insert(&record);
                    open.insert(session, record);
                }
                // No client waits for them.
                Ok(Found::Task(_) | Found::Empty) => drop(empty.insert(session)),
                Ok(Found::Foreign) => {}
                Err(error) => {
                    tracing::warn!(target: "async_tool::mcp", %error, %session, "a task can't be read");
                }
            }
        }
        drop(sessions);
        let builder = |session: &SessionId| {
            let is_ours = open.contains_key(session) || empty.contains(session);
            is_ours.then(|| self.builder(tasks.manager(), session, None))
        };
        let Recovery { agents, failed, .. } = tasks.manager().recover(self.shared(), builder).await?;
        for agent in agents {
            match open.remove(agent.session()) {
                Some(record) => drop(tokio::spawn(keep(Arc::downgrade(tasks), record, agent))),
                None => drop(tokio::spawn(discard(Arc::downgrade(tasks), agent))),
            }
        }
        for failure in failed {
            if let Some(record) = open.remove(&failure.session) {
                tokio::spawn(resume(self.clone(), Arc::downgrade(tasks), record, Some(failure.error)));
            }
        }
        // Tasks of another server with the same manager.
        for record in open.into_values() {
            tokio::spawn(resume(self.clone(), Arc::downgrade(tasks), record, None));
        }
        Ok(())
    }

    /// Record of a task that this process doesn't know: one that has ended, or that another process has begun.
    pub(super) async fn adopt(&self, kept: &Kept, tasks: &Arc<Tasks>) -> Result<Arc<Record>, ReadError> {
        let record = kept.record(tasks);
        let end = kept.end(self, tasks.manager()).await?;
        if kept.is_closed {
            let _it_is_new = match end {
                Some((end, time)) => record.settle_at(end, time),
                None => record.settle(End::Broken(INTERRUPTED.to_owned())),
            };
            return Ok(record);
        }
        let (record, is_new) = tasks.insert_new(record);
        if is_new {
            if let Some((end, _)) = end {
                tasks.end(&record, end);
            }
            tokio::spawn(resume(self.clone(), Arc::downgrade(tasks), Arc::clone(&record), None));
        }
        Ok(record)
    }
}

/// Holds the agent of a task until the end of the task is in the journal.
pub(super) async fn keep(tasks: Weak<Tasks>, record: Arc<Record>, agent: AsyncAgent) {
    let ran = agent.run_until_idle().await;
    let task = agent
        .tasks()
        .await
        .ok()
        .and_then(|all| all.first().map(|task| task.task));
    if let Some(tasks) = tasks.upgrade() {
        let result = task.and_then(|task| tasks.manager().task(task)?.result());
        let end = match (ran, result) {
            (Ok(()), Some(result)) => end_of(&result, tasks.manager()),
            (Ok(()), None) => match tasks.read_end(&record.id).await {
                Ok(Some((end, _))) => end,
                Ok(None) => End::Broken(INTERRUPTED.to_owned()),
                Err(error) => End::Broken(format!("the end of the task can't be read: {error}")),
            },
            (Err(error), _) => End::Broken(format!("the end of the task could not be kept: {error}")),
        };
        tasks.end(&record, end);
    }
    match agent.close().await {
        Ok(()) => {
            if let Some(tasks) = tasks.upgrade() {
                tasks.remove_later(&record);
            }
        }
        Err(error) => tracing::warn!(target: "async_tool::mcp", %error, "the session of a task can't be closed"),
    }
}

/// Closes a session that no client waits for, and removes it.
async fn discard(tasks: Weak<Tasks>, agent: AsyncAgent) {
    let session = agent.session().clone();
    for task in agent.tasks().await.unwrap_or_default() {
        // It may have ended.
        let _not_found = agent.cancel(task.number, "its caller is gone").await;
    }
    let _its_rule_has_nothing_to_do = agent.run_until_idle().await;
    if agent.close().await.is_ok()
        && let Some(tasks) = tasks.upgrade()
    {
        tasks.remove_now(session);
    }
}

/// Resumes a task once its session can be taken, unless the process that has it closes it. `error` is that of the last attempt.
async fn resume(store: Store, tasks: Weak<Tasks>, record: Arc<Record>, mut error: Option<StartError>) {
    let (mut failures, mut pause) = (0, SOON);
    loop {
        match &error {
            // The other process lives.
            None | Some(StartError::SessionTaken { .. }) => failures = 0,
            // Another process was faster, or the store is busy or away.
            Some(StartError::Journal(_) | StartError::Read(_)) if failures < FAILURES => failures += 1,
            Some(_) => break,
        }
        sleep(pause).await;
        pause = LATER.min(pause * 2);
        let Some(held) = tasks.upgrade() else { return };
        // The other process may have ended it, and not be there to close it.
        if record.end().is_none()
            && let Ok(Some((end, _))) = held.read_end(&record.id).await
        {
            held.end(&record, end);
        }
        let resumed = store.builder(held.manager(), &record.id, None).resume().await;
        match resumed {
            Ok(agent) => {
                drop(held);
                return keep(tasks, record, agent).await;
            }
            Err(StartError::SessionClosed { .. }) if record.end().is_some() => return held.remove_later(&record),
            Err(closed @ StartError::SessionClosed { .. }) => match held.read_end(&record.id).await {
                // The other process has ended and closed it since the look above.
                Ok(Some((end, _))) => {
                    held.end(&record, end);
                    return held.remove_later(&record);
                }
                Ok(None) => {
                    error = Some(closed);
                    break;
                }
                Err(away) => error = Some(StartError::Read(away)),
            },
            Err(next) => error = Some(next),
        }
    }
    let why = error.map_or_else(|| INTERRUPTED.to_owned(), |error| format!("{INTERRUPTED}: {error}"));
    tracing::warn!(target: "async_tool::mcp", session = %record.id, why, "a task can't be resumed");
    if let Some(tasks) = tasks.upgrade() {
        tasks.end(&record, End::Broken(why));
    }
}
