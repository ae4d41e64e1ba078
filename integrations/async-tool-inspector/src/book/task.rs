//! Task of a session, as the page shows it.

use std::sync::Arc;

use async_tool_runtime::{
    AsyncTaskResult, SessionId, TaskId, TaskNo, TaskOutcome, TaskStatus,
    journal::Seq,
    task::{TaskSnapshot, Timestamp, TurnNo, WaitsFor},
    tool::{DeliveryPolicy, InputRequest, ProgressReport},
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Change, What, cut,
    phase::{Phase, depends_text, phases},
};

/// Longest text of arguments and results in a row, in characters.
const PREVIEW: usize = 200;
/// Changes that are kept of one task: the first ones, and the last ones.
const CHANGES: (usize, usize) = (32, 224);

/// Question that a task asks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Asks {
    pub(crate) asking: TaskId,
    pub(crate) kind: &'static str,
    pub(crate) prompt: String,
}

/// Task of a session.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) task: TaskId,
    pub(crate) number: Option<TaskNo>,
    pub(crate) session: SessionId,
    pub(crate) tool: Arc<str>,
    pub(crate) turn: Option<TurnNo>,
    pub(crate) parent: Option<TaskId>,
    /// True for a task of another session, such as that of a sub-agent.
    pub(crate) is_foreign: bool,
    /// True if its tool has secrets, so that its live text isn't shown.
    pub(crate) is_secret: bool,
    pub(crate) own: bool,
    pub(crate) repeats: Option<TaskNo>,
    pub(crate) accepted: Timestamp,
    pub(crate) started: Option<Timestamp>,
    pub(crate) settled: Option<Timestamp>,
    pub(crate) status: &'static str,
    pub(crate) attempts: u32,
    changes: Vec<Change>,
    pub(crate) awaits: Vec<TaskNo>,
    pub(crate) waits_for: Option<WaitsFor>,
    pub(crate) progress: Option<ProgressReport>,
    pub(crate) arguments: String,
    pub(crate) result: Option<String>,
    pub(crate) error_kind: Option<&'static str>,
    pub(crate) delivery: Option<DeliveryPolicy>,
    pub(crate) cancel: Option<(Timestamp, String)>,
    pub(crate) group: Option<Arc<str>>,
    pub(crate) asks: Option<Asks>,
    pub(crate) deferred: bool,
    pub(crate) told: &'static str,
    /// Entries with the whole call and the whole result; `None` for a task that is in no journal.
    pub(crate) seqs: (Option<Seq>, Option<Seq>),
    pub(crate) checkpoint: Option<Seq>,
    /// Entry with the open question.
    pub(crate) asked: Option<Seq>,
}

impl Task {
    pub(crate) fn new(task: TaskId, session: SessionId, tool: Arc<str>, accepted: Timestamp) -> Self {
        Self {
            task,
            number: None,
            session,
            tool,
            turn: None,
            parent: None,
            is_foreign: false,
            is_secret: false,
            own: false,
            repeats: None,
            accepted,
            started: None,
            settled: None,
            status: TaskStatus::Queued.as_str(),
            attempts: 0,
            changes: Vec::new(),
            awaits: Vec::new(),
            waits_for: None,
            progress: None,
            arguments: String::new(),
            result: None,
            error_kind: None,
            delivery: None,
            cancel: None,
            group: None,
            asks: None,
            deferred: false,
            told: "nothing",
            seqs: (None, None),
            checkpoint: None,
            asked: None,
        }
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.settled.is_none() && !self.own && self.repeats.is_none()
    }

    /// Notes a change. One that says the same as the one before it adds nothing.
    pub(crate) fn change(&mut self, at: Timestamp, what: What) {
        let place = self.changes.partition_point(|change| change.at <= at);
        if place
            .checked_sub(1)
            .and_then(|last| self.changes.get(last))
            .is_some_and(|last| last.what == what)
        {
            return;
        }
        self.changes.insert(place, Change { at, what });
        let (first, last) = CHANGES;
        if self.changes.len() > first + last {
            self.changes.remove(first);
        }
    }

    /// Latest doing of the task.
    pub(crate) fn doing(&self) -> Option<&What> {
        Some(&self.changes.last()?.what)
    }

    /// Goes on after a wait for people.
    pub(crate) fn go_on(&mut self, at: Timestamp) {
        let what = match self.started {
            Some(_) => What::Runs(self.attempts.max(1)),
            None => What::Waits(WaitsFor::Slot),
        };
        self.change(at, what);
    }

    pub(crate) fn show_arguments(&mut self, arguments: &Value) {
        self.arguments = preview(arguments);
    }

    /// Notes that the function has run since the last change: no event tells that a task that waited for a slot has one again.
    fn ran_meanwhile(&mut self, attempts: u32) {
        let known = self.changes.iter().filter_map(|change| match change.what {
            What::Runs(attempt) => Some(attempt),
            _ => None,
        });
        if attempts <= known.max().unwrap_or(0) {
            return;
        }
        if let Some(last) = self
            .changes
            .last_mut()
            .filter(|last| last.what == What::Waits(WaitsFor::Slot))
        {
            last.what = What::Runs(attempts);
        }
    }

    /// State of an open task, as its manager has it now.
    pub(crate) fn observe(&mut self, snapshot: &TaskSnapshot, at: Timestamp, hides: bool) {
        if self.settled.is_some() || snapshot.status.is_terminal() {
            // Late news of a task that has ended: only its phases are of interest.
            if snapshot.status == TaskStatus::Running && self.started.is_some() {
                self.change(at, What::Runs(snapshot.attempts.max(1)));
            }
            return;
        }
        if self.deferred && !snapshot.deferred {
            // The journal knows more: the snapshot is older than the deferral.
            self.started = self.started.or(snapshot.started);
            self.attempts = self.attempts.max(snapshot.attempts);
            return;
        }
        let hides = hides || self.is_secret;
        self.ran_meanwhile(snapshot.attempts);
        self.status = snapshot.status.as_str();
        self.started = self.started.or(snapshot.started);
        self.attempts = self.attempts.max(snapshot.attempts);
        self.deferred |= snapshot.deferred;
        self.waits_for.clone_from(&snapshot.waits_for);
        self.progress = snapshot.progress.clone().map(|mut progress| {
            progress.output = None;
            if hides {
                progress.message = String::new();
            }
            progress
        });
        match (&snapshot.request, snapshot.status) {
            (Some(request), _) => self.ask(snapshot.task, request, hides),
            (None, TaskStatus::InputRequired) => {}
            (None, _) => self.asks = None,
        }
        let what = match (&snapshot.waits_for, snapshot.status) {
            (Some(wait), _) => What::Waits(wait.clone()),
            (None, TaskStatus::Queued) => match self.doing() {
                Some(What::Depends(_)) => return,
                _ => What::Waits(WaitsFor::Slot),
            },
            (None, TaskStatus::InputRequired) => What::Waits(WaitsFor::Input),
            (None, _) => What::Runs(snapshot.attempts.max(1)),
        };
        self.change(at, what);
    }

    /// Notes a question.
    pub(crate) fn ask(&mut self, asking: TaskId, request: &InputRequest, hides: bool) {
        let (kind, prompt) = match request {
            InputRequest::Input { prompt, .. } if !hides => ("input", cut(prompt, 1_000).0),
            InputRequest::Input { .. } => ("input", String::new()),
            _ => ("approval", format!("consent to {}", self.tool)),
        };
        self.asks = Some(Asks { asking, kind, prompt });
    }

    /// Ends the task. `hides` leaves the result out.
    pub(crate) fn settle(&mut self, result: &AsyncTaskResult, hides: bool) {
        let timing = result.timing;
        self.ran_meanwhile(result.attempts);
        self.settled = Some(timing.settled);
        self.started = timing.started;
        self.attempts = result.attempts;
        self.waits_for = None;
        self.asks = None;
        if let Some(started) = timing.started {
            let has_run = self.changes.iter().any(|change| matches!(change.what, What::Runs(_)));
            if !has_run {
                self.change(started, What::Runs(result.attempts.max(1)));
            }
        }
        self.status = match result.outcome {
            TaskOutcome::Unknown(_) => "unknown",
            _ => result.status().as_str(),
        };
        let text = match &result.outcome {
            TaskOutcome::Completed(value) => preview(value),
            TaskOutcome::Failed(error) => {
                self.error_kind = Some(error.kind().as_str());
                cut(error.message(), PREVIEW).0
            }
            TaskOutcome::Cancelled(text) | TaskOutcome::Unknown(text) => cut(text, PREVIEW).0,
            _ => String::new(),
        };
        self.result = Some(if hides { HIDDEN.to_owned() } else { text });
    }

    pub(crate) fn phases(&self) -> Vec<Phase> {
        if self.own || self.repeats.is_some() {
            return Vec::new();
        }
        let stopping = self.cancel.as_ref().map(|(at, _)| *at);
        phases(&self.changes, self.accepted, stopping, self.settled, &self.session)
    }

    /// Cause of the task's wait in words; `None` while it runs, and once it has ended.
    pub(crate) fn waiting(&self) -> Option<String> {
        match (&self.waits_for, self.doing()) {
            _ if !self.is_open() => None,
            (Some(wait), _) | (None, Some(What::Waits(wait))) => Some(super::waits_text(wait, &self.session)),
            (None, Some(What::Depends(tasks))) => Some(depends_text(tasks)),
            (None, Some(What::Lost)) => Some("lost its process".to_owned()),
            _ => None,
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let words = self.waiting();
        let mut row = json!({
            "task": self.task,
            "tool": self.tool,
            "status": self.status,
            "accepted": self.accepted,
            "attempts": self.attempts,
            "phases": self.phases(),
            "arguments": self.arguments,
            "told": self.told,
        });
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                row[name] = value;
            }
        };
        set("number", self.number.map(|number| json!(number)));
        set("turn", self.turn.map(|turn| json!(turn)));
        set("parent", self.parent.map(|parent| json!(parent)));
        set("own", self.own.then_some(json!(true)));
        set("repeats", self.repeats.map(|number| json!(number)));
        set("started", self.started.map(|at| json!(at)));
        set("settled", self.settled.map(|at| json!(at)));
        set("waits_for", self.waits_for.as_ref().map(|wait| json!(wait)));
        set("words", words.map(Value::String));
        set("progress", self.progress.as_ref().map(|progress| json!(progress)));
        set("result", self.result.clone().map(Value::String));
        set("error_kind", self.error_kind.map(|kind| json!(kind)));
        set("delivery", self.delivery.map(|policy| json!(policy)));
        set("cancel", self.cancel.as_ref().map(|(_, reason)| json!(reason)));
        set("group", self.group.as_ref().map(|group| json!(group)));
        set("asks", self.asks.as_ref().map(|asks| json!(asks)));
        set("deferred", self.deferred.then_some(json!(true)));
        row
    }
}

/// Text in place of a value that may have secrets.
pub(crate) const HIDDEN: &str = "[redacted]";

fn preview(value: &Value) -> String {
    cut(&value.to_string(), PREVIEW).0
}
