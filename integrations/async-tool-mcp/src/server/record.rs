//! Record of one call, as the server knows it.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, SessionId, TaskHandle, TaskId, ToolCall,
    agent::WeakAgent,
    manager::ResolveError,
    tool::{InputRequest, ProgressReport},
};
use serde_json::Value;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    clock::{Clock, millis},
    outcome::End,
    principal::Principal,
    question::{Question, Reply},
};

/// Reason of an end that the client has asked for.
pub(super) const CANCELLED: &str = "the client has cancelled the task";

/// Reason of an end for lack of an answer.
pub(super) const UNANSWERED: &str = "no answer came in time";

/// Time that a call gets to stop before it is dropped. The rule is two seconds for any tool that awaits.
const STOPS_WITHIN: Duration = Duration::from_millis(1_500);

/// A call, from its acceptance to the end of its retention.
#[derive(Debug)]
pub(super) struct Record {
    /// Id for the client, which can't be guessed. It is also the session of the call's task.
    pub(super) id: SessionId,
    pub(super) owner: Principal,
    pub(super) call: ToolCall,
    /// True if the caller shows forms to a user.
    pub(super) takes_forms: bool,
    pub(super) retention: Duration,
    /// Time that the call waits for an answer while it is no task.
    pub(super) patience: Duration,
    is_kept: bool,
    asks_first: bool,
    /// Agent that keeps the call in the journal.
    agent: OnceLock<WeakAgent>,
    created: u64,
    clock: Clock,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
    /// Number of requests that wait for the call.
    waiting: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    /// True once the client has the id as that of a task.
    is_task: bool,
    handle: Option<TaskHandle>,
    progress: Option<ProgressReport>,
    reports: u64,
    questions: BTreeMap<String, Question>,
    /// Keys of the questions that a caller is being asked by a request.
    asking: HashSet<String>,
    used_keys: HashSet<String>,
    end: Option<Arc<End>>,
    updated: u64,
    ended: u64,
    cancelled_by_client: bool,
    /// Reason of a stop that came before the handle.
    stopped: Option<&'static str>,
    /// Time at which a call without a waiting request is given up, or an ended one is forgotten.
    until: Option<Instant>,
}

/// State of a call at one moment.
#[derive(Debug)]
pub(super) struct View {
    pub(super) id: SessionId,
    pub(super) message: Option<String>,
    pub(super) created: u64,
    pub(super) updated: u64,
    /// Time from the creation to the end of the retention; `None` while the call runs.
    pub(super) ttl: Option<u64>,
    pub(super) questions: BTreeMap<String, Value>,
    pub(super) end: Option<Arc<End>>,
}

/// Progress that a waiting request passes on.
#[derive(Debug)]
pub(super) struct Reported {
    pub(super) number: u64,
    pub(super) fraction: Option<f64>,
    pub(super) message: Option<String>,
}

/// A request that waits for the call, until it is dropped.
#[derive(Debug)]
pub(super) struct Waiting<'a>(&'a Record);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Record {
    pub(super) fn new(
        id: SessionId,
        owner: Principal,
        call: ToolCall,
        takes_forms: bool,
        retention: Duration,
        clock: Clock,
    ) -> Self {
        let created = clock.now();
        let state = State {
            updated: created,
            ..State::default()
        };
        Self {
            id,
            owner,
            call,
            takes_forms,
            retention,
            patience: Duration::MAX,
            is_kept: false,
            asks_first: false,
            agent: OnceLock::new(),
            created,
            clock,
            state: Mutex::new(state),
            changes: watch::Sender::new(0),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Marks the call as one whose end counts only once it is in the journal.
    pub(super) fn kept(mut self, created: u64) -> Self {
        self.is_kept = true;
        self.created = created;
        self.state().updated = created;
        self
    }

    /// Sets the time that the call waits for an answer.
    pub(super) const fn patient(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Marks the call as one that becomes a task after its first questions.
    pub(super) const fn asking_first(mut self, asks_first: bool) -> Self {
        self.asks_first = asks_first;
        self
    }

    pub(super) const fn asks_first(&self) -> bool {
        self.asks_first
    }

    pub(super) fn set_agent(&self, agent: WeakAgent) {
        let _the_first_one_stays = self.agent.set(agent);
    }

    pub(super) fn agent(&self) -> Option<AsyncAgent> {
        self.agent.get()?.upgrade()
    }

    /// True if the end of the call counts only once it is in the journal.
    pub(super) const fn is_kept(&self) -> bool {
        self.is_kept
    }

    pub(super) const fn created(&self) -> u64 {
        self.created
    }

    pub(super) fn begin(&self, handle: TaskHandle) {
        let stopped = {
            let mut state = self.state();
            state.handle = Some(handle);
            state.stopped
        };
        self.changes.send_modify(|number| *number += 1);
        if let Some(reason) = stopped {
            self.stop(reason, false);
        }
    }

    pub(super) fn handle(&self) -> Option<TaskHandle> {
        self.state().handle.clone()
    }

    /// True if another process runs the task: this one can't tell it anything.
    pub(super) fn is_elsewhere(&self) -> bool {
        let state = self.state();
        self.is_kept && state.handle.is_none() && state.end.is_none()
    }

    pub(super) fn make_task(&self) {
        self.state().is_task = true;
    }

    pub(super) fn is_task(&self) -> bool {
        self.state().is_task
    }

    /// Receives a sign of each change.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(super) fn end(&self) -> Option<Arc<End>> {
        self.state().end.clone()
    }

    pub(super) fn was_cancelled_by_client(&self) -> bool {
        self.state().cancelled_by_client
    }

    pub(super) fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(self)
    }

    pub(super) fn is_awaited(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    pub(super) fn until(&self) -> Option<Instant> {
        self.state().until
    }

    pub(super) fn set_until(&self, until: Instant) {
        self.state().until = Some(until);
    }

    pub(super) fn view(&self) -> View {
        let state = self.state();
        let message = match state.end.as_deref() {
            Some(End::Broken(message) | End::Cancelled(message)) => Some(message.clone()),
            Some(End::Done(_)) => None,
            None => Some(match state.questions.values().next() {
                Some(question) => question.message.clone(),
                None => match state.progress.as_ref().filter(|progress| !progress.message.is_empty()) {
                    Some(progress) => progress.message.clone(),
                    None => format!("{} runs in the background; there is no result yet", self.call.name),
                },
            }),
        };
        let ttl = state.end.as_ref().map(|_| {
            // The clock of an earlier process may have been ahead.
            let ran = state.ended.saturating_sub(self.created);
            ran.saturating_add(millis(self.retention))
        });
        let questions = state.questions.iter();
        View {
            id: self.id.clone(),
            message,
            created: self.created,
            updated: state.updated,
            ttl,
            questions: questions
                .map(|(key, question)| (key.clone(), question.to_json()))
                .collect(),
            end: state.end.clone(),
        }
    }

    /// True if the call has asked its caller.
    pub(super) fn has_asked(&self) -> bool {
        !self.state().used_keys.is_empty()
    }

    /// Open questions by their keys.
    pub(super) fn questions(&self) -> BTreeMap<String, Value> {
        let state = self.state();
        let questions = state.questions.iter();
        questions
            .map(|(key, question)| (key.clone(), question.to_json()))
            .collect()
    }

    pub(super) fn is_asking(&self) -> bool {
        !self.state().questions.is_empty()
    }

    pub(super) fn is_open(&self, key: &str) -> bool {
        self.state().questions.contains_key(key)
    }

    /// Notes that a caller is being asked. False if the question is not open, or one is being asked already.
    pub(super) fn begin_asking(&self, key: &str) -> bool {
        let mut state = self.state();
        state.questions.contains_key(key) && state.asking.insert(key.to_owned())
    }

    pub(super) fn end_asking(&self, key: &str) {
        self.state().asking.remove(key);
        // A question that is still open is put by another request that waits.
        self.changes.send_modify(|number| *number += 1);
    }

    pub(super) fn reported(&self) -> Reported {
        let state = self.state();
        let progress = state.progress.as_ref();
        Reported {
            number: state.reports,
            fraction: progress.and_then(|progress| progress.fraction),
            message: progress
                .map(|progress| progress.message.clone())
                .filter(|message| !message.is_empty()),
        }
    }

    pub(super) fn report(&self, progress: &ProgressReport) {
        let mut state = self.state();
        if state.end.is_some() || state.progress.as_ref() == Some(progress) {
            return;
        }
        state.progress = Some(progress.clone());
        state.reports += 1;
        self.changed(state);
    }

    /// Notes an open question of a task.
    pub(super) fn ask(&self, task: TaskId, tool: &str, request: &InputRequest) {
        let Some(question) = Question::new(task, tool, request) else {
            return;
        };
        let mut state = self.state();
        let is_known = |known: &Question| known.task == task && known.is_same(&question);
        if state.end.is_some() || state.questions.values().any(is_known) {
            return;
        }
        state.questions.retain(|_, known| known.task != task);
        state.open(question);
        self.changed(state);
    }

    /// Notes that a task asks nothing any more.
    pub(super) fn close_questions(&self, task: TaskId) {
        let mut state = self.state();
        let before = state.questions.len();
        state.questions.retain(|_, question| question.task != task);
        if state.questions.len() != before {
            self.changed(state);
        }
    }

    /// Gives a client's responses to the tasks that asked. Unknown and answered keys are ignored.
    pub(super) fn answer<'a>(
        &self,
        manager: &AsyncToolManager,
        responses: impl IntoIterator<Item = (&'a str, &'a Value)>,
    ) {
        for (key, response) in responses {
            let taken = {
                let mut state = self.state();
                let taken = state.questions.remove(key);
                if taken.is_some() {
                    self.changed(state);
                }
                taken
            };
            let Some(question) = taken else { continue };
            let answered = match question.read(response) {
                Reply::Answer(answer) => manager.answer(question.task, answer),
                Reply::Approve => manager.approve(question.task),
                Reply::Refuse(reason) => manager.refuse(question.task, reason),
                Reply::Invalid(problem) => Err(ResolveError::Invalid(problem)),
            };
            // A client answers a key once, so a question that is still open gets another key.
            if let Err(ResolveError::Invalid(problem)) = answered {
                let mut state = self.state();
                if state.end.is_none() {
                    state.open(question.again(&problem));
                    self.changed(state);
                }
            }
        }
    }

    /// Notes the end. Returns false if it is known.
    pub(super) fn settle(&self, end: End) -> bool {
        self.settle_at(end, self.clock.now())
    }

    /// Notes the end and its time.
    pub(super) fn settle_at(&self, end: End, time: u64) -> bool {
        let mut state = self.state();
        if state.end.is_some() {
            return false;
        }
        state.end = Some(Arc::new(end));
        state.questions.clear();
        state.ended = time;
        state.update(time);
        drop(state);
        self.changes.send_modify(|number| *number += 1);
        true
    }

    /// Tells the call to stop, and drops it if it doesn't. Returns before that.
    pub(super) fn stop(&self, reason: &'static str, by_client: bool) {
        let handle = {
            let mut state = self.state();
            if state.end.is_some() {
                return;
            }
            state.cancelled_by_client |= by_client;
            if state.handle.is_none() {
                state.stopped = Some(reason);
            }
            state.handle.clone()
        };
        let Some(handle) = handle else { return };
        handle.cancel(reason);
        let until = Instant::now() + STOPS_WITHIN;
        tokio::spawn(async move {
            if timeout_at(until, handle.outcome()).await.is_err() {
                handle.abort(reason);
            }
        });
    }

    /// Waits until the call has ended, at most until `until`.
    pub(super) async fn ended_by(&self, until: Instant) {
        let mut changes = self.changes();
        let ended = async { while self.end().is_none() && changes.changed().await.is_ok() {} };
        tokio::select! {
            () = ended => {}
            () = sleep_until(until) => {}
        }
    }

    /// True if the end lies so far back that the call is to be forgotten.
    pub(super) fn is_over(&self) -> bool {
        let state = self.state();
        let until = state.ended.saturating_add(millis(self.retention));
        state.end.is_some() && until <= self.clock.now()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self, mut state: MutexGuard<'_, State>) {
        state.update(self.clock.now());
        drop(state);
        self.changes.send_modify(|number| *number += 1);
    }
}

impl State {
    /// Notes a change. Its time is later than that of the change before, also if this process's clock is behind that of an earlier one.
    fn update(&mut self, time: u64) {
        self.updated = time.max(self.updated.saturating_add(1));
    }

    /// Adds a question under a key that was never used.
    fn open(&mut self, question: Question) {
        let stem = question.stem();
        let mut key = stem.clone();
        let mut number = 1;
        while !self.used_keys.insert(key.clone()) {
            number += 1;
            key = format!("{stem}_{number}");
        }
        self.questions.insert(key, question);
    }
}
