//! A session: the fold of its entries for the page, and of the events that no journal has.

mod changes;
mod entries;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use async_tool_runtime::{
    AgentEventKind, AsyncTaskResult, SessionId, TaskId, TaskNo,
    journal::Seq,
    task::{TaskSnapshot, Timestamp},
};
use serde_json::Value;

use super::{Delivery, Mark, Task, Totals, Turn, UserMessage, cut, turn::TEXT};
use changes::Dirty;

/// Text of the running turn.
#[derive(Debug, Default)]
struct Live {
    turn: u32,
    text: String,
    reasoning: String,
    /// Length of the text that was sent; `None` if it has to be sent from its start.
    sent: Option<(usize, usize)>,
}

/// Longest text of a running turn that is kept, in bytes.
const LIVE: usize = 256 * 1_024;

/// A session, as the page shows it.
#[derive(Debug)]
pub(crate) struct SessionBook {
    session: SessionId,
    seq: Seq,
    pub(crate) totals: Totals,
    pub(crate) redacts: bool,
    user: Vec<UserMessage>,
    turns: BTreeMap<u32, Turn>,
    tasks: HashMap<TaskId, Task>,
    numbers: HashMap<TaskNo, TaskId>,
    /// Tasks whose arguments need the result of an open one.
    dependents: HashMap<TaskNo, Vec<TaskId>>,
    deliveries: Vec<Delivery>,
    /// Deliveries that no turn has seen.
    unseen: Vec<usize>,
    marks: Vec<Mark>,
    groups: BTreeMap<Arc<str>, Vec<TaskNo>>,
    /// States of tasks that the journal has not told yet.
    early: HashMap<TaskId, Vec<TaskSnapshot>>,
    live: Option<Live>,
    pub(crate) error: Option<String>,
    /// Owner of the session, if it is another process.
    pub(crate) owner: Option<String>,
    pub(crate) row: Value,
    dirty: Dirty,
}

impl SessionBook {
    pub(crate) fn new(session: SessionId, redacts: bool) -> Self {
        Self {
            session,
            seq: Seq::START,
            totals: Totals::default(),
            redacts,
            user: Vec::new(),
            turns: BTreeMap::new(),
            tasks: HashMap::new(),
            numbers: HashMap::new(),
            dependents: HashMap::new(),
            deliveries: Vec::new(),
            unseen: Vec::new(),
            marks: Vec::new(),
            groups: BTreeMap::new(),
            early: HashMap::new(),
            live: None,
            error: None,
            owner: None,
            row: Value::Null,
            dirty: Dirty {
                row: true,
                ..Dirty::default()
            },
        }
    }

    /// Last entry that the book has.
    pub(crate) const fn seq(&self) -> Seq {
        self.seq
    }

    pub(crate) const fn session(&self) -> &SessionId {
        &self.session
    }

    pub(crate) fn task(&self, task: TaskId) -> Option<&Task> {
        self.tasks.get(&task)
    }

    pub(crate) fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values()
    }

    /// Adds what the journal doesn't have. `hides` leaves out what may have secrets.
    pub(crate) fn hear(&mut self, kind: &AgentEventKind, at: Timestamp) {
        let hides = self.redacts;
        match kind {
            AgentEventKind::Text { turn, text } if !hides => self.say(turn.as_u32(), text, ""),
            AgentEventKind::Reasoning { turn, text } if !hides => self.say(turn.as_u32(), "", text),
            AgentEventKind::TurnSoFar { turn, text, reasoning } if !hides => {
                self.live = Some(Live {
                    turn: turn.as_u32(),
                    ..Live::default()
                });
                self.say(turn.as_u32(), text, reasoning);
            }
            AgentEventKind::ModelFailed { turn, retry_at, .. } => {
                if let Some(known) = self.turns.get_mut(&turn.as_u32()) {
                    known.retry_at = *retry_at;
                    self.dirty.turns.insert(turn.as_u32());
                }
            }
            // A task below one of the session asks; its own questions are in the journal.
            AgentEventKind::InputRequired {
                number,
                asking,
                request,
            } => {
                let asking = *asking;
                self.with(*number, |task| match request {
                    Some(request) => task.ask(asking, request, hides),
                    None => task.asks = None,
                });
            }
            // Some of the text is lost; the end of the turn has all of it.
            AgentEventKind::Missed { .. } => self.live = None,
            AgentEventKind::LimitReached { limit } => self.mark(at, "limit", Some(format!("{limit:?}"))),
            AgentEventKind::CallRefused { call, reason } => {
                let reason = if hides {
                    String::new()
                } else {
                    format!(": {}", cut(reason, TEXT).0)
                };
                self.mark(at, "refused", Some(format!("{}{reason}", call.name)));
            }
            AgentEventKind::Left => self.mark(at, "left", None),
            AgentEventKind::JournalFailed { reason } | AgentEventKind::Stopped { reason } => {
                self.mark(at, "stopped", Some(cut(reason, TEXT).0));
            }
            AgentEventKind::Defect { reason } => self.mark(at, "defect", Some(cut(reason, TEXT).0)),
            _ => {}
        }
    }

    /// Adds the state of a task of the session, or of a task below one.
    /// `is_secret` says that its tool has secrets.
    pub(crate) fn observe(&mut self, snapshot: &TaskSnapshot, is_secret: bool) {
        // The journal of another session says what it may show. A task below one with secrets may have been given them.
        let above = snapshot.parent.and_then(|parent| self.tasks.get(&parent));
        let is_below_secret = above.is_some_and(|above| above.is_secret || above.is_foreign);
        let is_foreign = snapshot.session != self.session || is_below_secret && snapshot.number.is_none();
        let hides = self.redacts || is_foreign;
        if let Some(task) = self.tasks.get_mut(&snapshot.task) {
            task.is_secret |= is_secret;
            task.observe(snapshot, hides);
            self.dirty.tasks.insert(snapshot.task);
            self.dirty.row = true;
            return;
        }
        let is_told_by_the_journal =
            snapshot.number.is_some() && snapshot.session == self.session && self.seq != Seq::START;
        if is_told_by_the_journal {
            let early = self.early.entry(snapshot.task).or_default();
            if early.len() < 64 {
                early.push(snapshot.clone());
            }
            return;
        }
        let mut task = Task::new(
            snapshot.task,
            self.session.clone(),
            Arc::clone(&snapshot.tool),
            snapshot.accepted,
        );
        task.number = snapshot.number.filter(|_| snapshot.session == self.session);
        task.parent = snapshot.parent;
        task.is_foreign = is_foreign;
        task.is_secret = is_secret;
        if hides {
            task.arguments = super::task::HIDDEN.to_owned();
        }
        task.observe(snapshot, hides);
        self.dirty.tasks.insert(snapshot.task);
        self.dirty.row = true;
        self.tasks.insert(snapshot.task, task);
    }

    /// Adds the arguments of a task that is in no journal.
    pub(crate) fn show_arguments(&mut self, task: TaskId, arguments: &Value) {
        if let Some(task) = self
            .tasks
            .get_mut(&task)
            .filter(|task| !self.redacts && !task.is_foreign)
        {
            task.show_arguments(arguments);
        }
    }

    /// True if the book has the task, and the journal doesn't.
    pub(crate) fn is_unwritten(&self, task: TaskId) -> bool {
        self.tasks.get(&task).is_some_and(|task| task.seqs.0.is_none())
    }

    /// Ends a task that is in no journal.
    pub(crate) fn end_unwritten(&mut self, result: &AsyncTaskResult, hides: bool) {
        let hides = hides || self.redacts;
        if let Some(task) = self.tasks.get_mut(&result.task).filter(|task| task.seqs.0.is_none()) {
            task.settle(result, hides || task.is_foreign);
            self.dirty.tasks.insert(result.task);
            self.dirty.row = true;
        }
    }

    /// Forgets ended tasks that are in no journal, beyond this number, so that a manager's tasks don't fill the memory.
    pub(crate) fn forget_unwritten(&mut self, keep: usize) {
        let mut ended: Vec<(Timestamp, TaskId)> = self
            .tasks
            .values()
            .filter(|task| task.seqs.0.is_none() && task.settled.is_some())
            .map(|task| (task.accepted, task.task))
            .collect();
        if ended.len() <= keep {
            return;
        }
        ended.sort_unstable();
        for (_, task) in &ended[..ended.len() - keep] {
            self.tasks.remove(task);
            self.dirty.tasks.remove(task);
        }
    }

    fn with(&mut self, number: TaskNo, change: impl FnOnce(&mut Task)) {
        let Some(id) = self.numbers.get(&number) else { return };
        if let Some(task) = self.tasks.get_mut(id) {
            change(task);
            self.dirty.tasks.insert(*id);
        }
    }

    fn mark(&mut self, at: Timestamp, kind: &'static str, text: Option<String>) {
        self.marks.push(Mark { at, kind, text });
    }

    fn say(&mut self, turn: u32, text: &str, reasoning: &str) {
        let Some(live) = self.live.as_mut().filter(|live| live.turn == turn) else {
            return;
        };
        if live.text.len() + live.reasoning.len() < LIVE {
            live.text.push_str(text);
            live.reasoning.push_str(reasoning);
            self.dirty.live = true;
        }
    }
}
