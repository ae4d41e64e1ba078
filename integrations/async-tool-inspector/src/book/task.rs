//! Task of a session, as the page shows it.

use std::sync::Arc;

use async_tool_runtime::{
    AsyncTaskResult, SessionId, TaskId, TaskNo, TaskOutcome, TaskStatus,
    journal::Seq,
    task::{TaskAttempt, TaskSnapshot, Timestamp, TurnNo, WaitsFor},
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
    /// Latest attempts, as its manager has told of them.
    tried: Vec<TaskAttempt>,
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
            tried: Vec::new(),
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
        if let Some(next) = self.changes.get_mut(place).filter(|next| next.what == what) {
            next.at = at;
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

    /// Leaves the task to be completed from outside. A state that was seen later is older: its news was on the way.
    pub(crate) fn defer(&mut self, until: Option<Timestamp>, at: Timestamp) {
        let wait = WaitsFor::Outside { until };
        self.deferred = true;
        self.status = TaskStatus::Running.as_str();
        self.waits_for = Some(wait.clone());
        self.changes.retain(|change| change.at < at);
        self.change(at, What::Waits(wait));
    }

    /// Submits the task again after a restart.
    pub(crate) fn submit_again(&mut self, attempt: u32, at: Timestamp) {
        self.attempts = attempt.saturating_sub(1);
        self.started = None;
        self.deferred = false;
        self.tried.clear();
        self.change(at, What::Waits(WaitsFor::Slot));
    }

    /// True if a state is older than the latest one: threads tell of their tasks in any order, and a journal may be read first.
    fn is_behind(&self, snapshot: &TaskSnapshot) -> bool {
        if self.deferred || snapshot.deferred {
            return !snapshot.deferred;
        }
        let place = |last: &TaskAttempt| (last.number, last.ended.is_some());
        match (snapshot.latest_attempts.last(), self.tried.last()) {
            (Some(shown), Some(known)) => place(shown) < place(known),
            _ => false,
        }
    }

    /// Notes when the function was started, and when an attempt was followed by a pause. No event tells that a task that waited for a slot
    /// has one again.
    fn note_attempts(&mut self, snapshot: &TaskSnapshot) {
        let latest = &snapshot.latest_attempts;
        for (place, attempt) in latest.iter().enumerate() {
            if self.tried.contains(attempt) {
                continue;
            }
            self.change(attempt.started, What::Runs(attempt.number));
            let next = match latest.get(place + 1) {
                Some(next) => Some(next.started),
                None if self.settled.is_none() => match snapshot.waits_for {
                    Some(WaitsFor::Retry { at }) => Some(at),
                    _ => None,
                },
                None => None,
            };
            if let (Some(ended), Some(next)) = (attempt.ended, next) {
                self.change(ended, What::Waits(WaitsFor::Retry { at: next }));
            }
        }
        self.tried.clone_from(latest);
    }

    /// State of an open task, as its manager has it now, or of one that has ended meanwhile: then only its phases are of interest.
    pub(crate) fn observe(&mut self, snapshot: &TaskSnapshot, hides: bool) {
        self.started = self.started.or(snapshot.started);
        self.attempts = self.attempts.max(snapshot.attempts);
        if self.is_behind(snapshot) {
            return;
        }
        self.note_attempts(snapshot);
        if snapshot.status.is_terminal() {
            return;
        }
        let last = snapshot.latest_attempts.last();
        let what = match (&snapshot.waits_for, snapshot.status) {
            (Some(wait), _) => Some(What::Waits(wait.clone())),
            (None, TaskStatus::Queued) => match self.doing() {
                Some(What::Depends(_)) => return,
                _ => Some(What::Waits(WaitsFor::Slot)),
            },
            (None, TaskStatus::InputRequired) => Some(What::Waits(WaitsFor::Input)),
            // Between two attempts.
            (None, _) if last.is_some_and(|last| last.ended.is_some()) => None,
            (None, _) => Some(What::Runs(snapshot.attempts.max(1))),
        };
        // Within one millisecond, a wait before the start is before it.
        let at = match (snapshot.started, self.started) {
            (None, Some(started)) => snapshot
                .at
                .min(Timestamp::from_millis(started.as_millis().saturating_sub(1))),
            _ => snapshot.at,
        };
        if let Some(what) = what {
            self.change(at, what);
        }
        if self.settled.is_some() {
            return;
        }
        let hides = hides || self.is_secret;
        self.status = snapshot.status.as_str();
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

    /// Latest attempts, as far as they are known exactly.
    pub(crate) fn tried(&self) -> &[TaskAttempt] {
        &self.tried
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn task() -> Task {
        let id = "0193e2f0-0000-7000-8000-000000000001".parse().unwrap();
        let mut task = Task::new(id, SessionId::new("s"), "order".into(), at(0));
        task.change(at(0), What::Waits(WaitsFor::Slot));
        task
    }

    /// State of the task at a time, from what differs from one that has just begun.
    fn state(at: u64, parts: Value) -> TaskSnapshot {
        let mut state = json!({
            "task": "0193e2f0-0000-7000-8000-000000000001", "number": "t1", "session": "s", "tool": "order", "at": at, "status": "running",
            "accepted": 0, "started": 10, "attempts": 1, "latest_attempts": [{"number": 1, "started": 10}], "deferred": false,
        });
        state
            .as_object_mut()
            .unwrap()
            .extend(parts.as_object().unwrap().clone());
        serde_json::from_value(state).unwrap()
    }

    fn shown(task: &Task) -> Vec<(&'static str, u64, Option<u32>)> {
        let phases = task.phases();
        phases
            .iter()
            .map(|phase| (phase.kind(), phase.from().as_millis(), phase.attempt()))
            .collect()
    }

    #[test]
    fn late_progress_doesnt_take_a_task_back_from_the_outside() {
        let progress = |at| state(at, json!({"progress": {"fraction": 0.5, "message": "called"}}));
        let deferred = state(20, json!({"deferred": true, "waits_for": {"kind": "outside"}}));
        // The journal, the manager, and both may be the first to tell of it.
        for order in [
            ["progress", "entry", "state"],
            ["entry", "progress", "state"],
            ["state", "progress", "entry"],
        ] {
            let mut task = task();
            task.observe(&state(10, json!({})), false);
            for news in order {
                match news {
                    // Within one millisecond, two threads are at the same time.
                    "progress" => task.observe(&progress(20), false),
                    "state" => task.observe(&deferred, false),
                    _ => task.defer(None, at(20)),
                }
            }
            task.observe(&progress(21), false);
            let expected = [("slot", 0, None), ("running", 10, Some(1)), ("outside", 20, None)];
            assert_eq!(shown(&task), expected, "{order:?}");
            assert!(task.deferred && task.waits_for.is_some());
        }
    }

    #[test]
    fn a_task_that_is_submitted_again_runs_although_it_was_deferred() {
        let mut task = task();
        task.observe(&state(10, json!({})), false);
        task.defer(None, at(20));
        task.submit_again(2, at(30));
        let again = json!({"started": 40, "attempts": 2, "latest_attempts": [{"number": 2, "started": 40}]});
        task.observe(&state(40, again), false);
        let phases = shown(&task);
        assert_eq!(
            phases[2..],
            [("outside", 20, None), ("slot", 30, None), ("running", 40, Some(2))],
            "{phases:?}"
        );
    }

    #[test]
    fn attempts_have_their_exact_times_also_if_only_the_last_state_came() {
        let failed = |number: u32, started: u64, ended: u64| json!({"number": number, "started": started, "ended": ended, "error": {"kind": "unavailable", "message": "busy"}});
        let all = [
            failed(1, 10, 20),
            failed(2, 30, 45),
            json!({"number": 3, "started": 60}),
        ];
        let expected = [
            ("slot", 0, None),
            ("running", 10, Some(1)),
            ("retry", 20, None),
            ("running", 30, Some(2)),
            ("retry", 45, None),
            ("running", 60, Some(3)),
        ];
        let mut task = task();
        task.observe(&state(61, json!({"attempts": 3, "latest_attempts": all})), false);
        assert_eq!(shown(&task), expected);
        // News that was on the way says no more than what is known.
        task.observe(&state(11, json!({})), false);
        let pause = json!({"latest_attempts": all[..1], "waits_for": {"kind": "retry", "at": 30}});
        task.observe(&state(21, pause), false);
        assert_eq!(shown(&task), expected);
        assert_eq!(task.tried().len(), 3);
    }
}
