//! Requests without an answer yet, and what the server says about them meanwhile.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rmcp::model::{ProgressToken, RequestId};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

/// Reports about unknown requests that are kept: a report can come before its request is entered.
const EARLY: usize = 16;

/// Word of the server about a request that it has not answered yet.
#[derive(Debug)]
pub(in crate::client) enum Word {
    Progress(Report),
    Ask(Ask),
}

/// Progress of a request.
#[derive(Clone, Debug)]
pub(in crate::client) struct Report {
    pub(in crate::client) progress: f64,
    pub(in crate::client) total: Option<f64>,
    pub(in crate::client) message: Option<String>,
}

/// Question of a server that asks by a request of its own, as servers before revision 2026-07-28 do.
#[derive(Debug)]
pub(in crate::client) struct Ask {
    /// `params` of `elicitation/create`.
    pub(in crate::client) params: Value,
    /// Takes the `ElicitResult`.
    pub(in crate::client) answer: oneshot::Sender<Value>,
}

/// Requests without an answer yet.
#[derive(Debug, Default)]
pub(super) struct InFlight(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    calls: Vec<Entry>,
    early: VecDeque<(ProgressToken, Report)>,
}

#[derive(Debug)]
struct Entry {
    id: RequestId,
    token: ProgressToken,
    /// Person or session that the request is for; `None` for requests of the client itself.
    owner: Option<Arc<str>>,
    words: mpsc::UnboundedSender<Word>,
}

impl InFlight {
    pub(super) fn enter(
        &self,
        id: &RequestId,
        token: &ProgressToken,
        owner: Option<Arc<str>>,
    ) -> mpsc::UnboundedReceiver<Word> {
        let (words, receiver) = mpsc::unbounded_channel();
        let mut entries = self.entries();
        for (known, report) in &entries.early {
            if known == token {
                let _the_receiver_is_here = words.send(Word::Progress(report.clone()));
            }
        }
        entries.early.retain(|(known, _)| known != token);
        entries.calls.push(Entry {
            id: id.clone(),
            token: token.clone(),
            owner,
            words,
        });
        receiver
    }

    pub(super) fn leave(&self, id: &RequestId) {
        self.entries().calls.retain(|entry| entry.id != *id);
    }

    pub(super) fn report(&self, token: ProgressToken, report: Report) {
        let mut entries = self.entries();
        match entries.calls.iter().find(|entry| entry.token == token) {
            Some(entry) => drop(entry.words.send(Word::Progress(report))),
            None => {
                if entries.early.len() == EARLY {
                    entries.early.pop_front();
                }
                entries.early.push_back((token, report));
            }
        }
    }

    /// Passes a question to the request that it belongs to; `None` if it can't be told.
    ///
    /// Over HTTP, the stream of the question names the request. Over stdio nothing does, so the newest request gets it if all of them are
    /// for the same session. Otherwise people might read a question that isn't for them.
    pub(super) fn ask(&self, during: Option<&RequestId>, params: Value) -> Option<oneshot::Receiver<Value>> {
        let entries = self.entries();
        let owned = || entries.calls.iter().filter(|entry| entry.owner.is_some());
        let entry = match during {
            Some(id) => owned().find(|entry| entry.id == *id)?,
            None => {
                let newest = owned().next_back()?;
                owned().all(|entry| entry.owner == newest.owner).then_some(newest)?
            }
        };
        let (answer, answered) = oneshot::channel();
        entry.words.send(Word::Ask(Ask { params, answer })).ok()?;
        Some(answered)
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
