//! Questions of a task, and its waiting time for answers.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use serde_json::Value;
use tokio::{sync::oneshot, time::Instant};

use super::{State, TaskCell};
use crate::{
    clock::Timestamp,
    manager::levels::LEVELS,
    task::{NamedTask, ToolQuestion},
    tool::{InputRequest, ToolError},
};

/// Number of a question among those of its task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Question(u32);

/// Receives the answer to a question.
pub(crate) type Answered = oneshot::Receiver<Result<Value, ToolError>>;

#[derive(Default)]
pub(super) struct Questions {
    open: Option<Box<Pending>>,
    last: Question,
    asking_since: Option<Instant>,
    /// Total time of the closed questions.
    asked_for: Duration,
}

struct Pending {
    question: Question,
    request: InputRequest,
    since: Timestamp,
    /// Tasks on another manager that ask through this one, the topmost first.
    below: Vec<NamedTask>,
    answer: oneshot::Sender<Result<Value, ToolError>>,
}

impl Questions {
    /// Open question.
    pub(super) fn request(&self) -> Option<&InputRequest> {
        self.open.as_ref().map(|open| &open.request)
    }
}

impl TaskCell {
    /// Open question of the task, or of its shared run.
    pub(crate) fn request(&self) -> Option<InputRequest> {
        let state = self.state();
        if let Some(shared_run) = state.open_shared_run() {
            drop(state);
            return shared_run.request();
        }
        Some(state.extras.as_ref()?.questions.open.as_ref()?.request.clone())
    }

    /// True if the task, its shared run, or a task below asks.
    pub(crate) fn has_question(&self) -> bool {
        self.has_question_at(0)
    }

    fn has_question_at(&self, level: usize) -> bool {
        let (shared_run, children) = {
            let state = self.state();
            let Some(extras) = &state.extras else { return false };
            if !state.is_open() || level > LEVELS {
                return false;
            }
            if extras.questions.open.is_some() {
                return true;
            }
            let children: Vec<_> = extras.children.iter().filter_map(Weak::upgrade).collect();
            (state.open_shared_run(), children)
        };
        match shared_run {
            Some(shared_run) => shared_run.has_question_at(level + 1),
            None => children.iter().any(|child| child.has_question_at(level + 1)),
        }
    }

    /// Open question of this record, its time, and the tasks on another manager that ask it.
    pub(crate) fn open_question(&self) -> Option<(InputRequest, Timestamp, Vec<NamedTask>)> {
        let state = self.state();
        let open = state.extras.as_ref()?.questions.open.as_ref()?;
        Some((open.request.clone(), open.since, open.below.clone()))
    }

    /// Open question with the tool that asks it.
    pub(crate) fn tool_question(&self) -> Option<ToolQuestion> {
        let state = self.state();
        if let Some(shared_run) = state.open_shared_run() {
            drop(state);
            return shared_run.tool_question();
        }
        let open = state.extras.as_ref()?.questions.open.as_ref()?;
        let tool = open.below.last().map_or(&self.spec.call.name, |asking| &asking.tool);
        Some(ToolQuestion::new(Arc::clone(tool), open.request.clone()))
    }

    /// The task as a part of the way to a question.
    pub(crate) fn named(&self) -> NamedTask {
        NamedTask {
            task: self.spec.task,
            number: self.spec.number,
            session: self.spec.session.clone(),
            tool: Arc::clone(&self.spec.call.name),
        }
    }

    /// Asks a question, in the name of the tasks `below` if there are any; an open one is replaced.
    pub(crate) fn ask(&self, request: InputRequest, below: Vec<NamedTask>) -> (Question, Answered) {
        let since = self.manager().map_or(self.accepted, |manager| manager.now());
        let (answer, answered) = oneshot::channel();
        let mut state = self.state();
        let questions = &mut state.extras().questions;
        questions.last.0 = questions.last.0.wrapping_add(1);
        let question = questions.last;
        let replaced = questions.open.replace(Box::new(Pending {
            question,
            request,
            since,
            below,
            answer,
        }));
        questions.asking_since.get_or_insert_with(Instant::now);
        drop(state);
        drop(replaced);
        (question, answered)
    }

    /// Answers the open question if `check` accepts the answer; `None` if no question is open.
    pub(crate) fn answer<E>(
        &self,
        check: impl FnOnce(&InputRequest) -> Result<Result<Value, ToolError>, E>,
    ) -> Option<Result<(), E>> {
        let (question, request) = {
            let state = self.state();
            let open = state.extras.as_ref()?.questions.open.as_ref()?;
            (open.question, open.request.clone())
        };
        let answer = match check(&request) {
            Ok(answer) => answer,
            Err(error) => return Some(Err(error)),
        };
        let pending = {
            let mut state = self.state();
            let open = &mut state.extras.as_mut()?.questions.open;
            open.take_if(|open| open.question == question)?
        };
        // The function that asked may be gone by now.
        pending.answer.send(answer).ok().map(Ok)
    }

    /// Closes a question, answered or not. A question that replaced it stays open.
    pub(crate) fn stop_asking(&self, question: Question) {
        let mut state = self.state();
        let questions = &mut state.extras().questions;
        if questions.open.as_ref().is_some_and(|open| open.question != question) {
            return;
        }
        let closed = questions.open.take();
        if let Some(since) = questions.asking_since.take() {
            questions.asked_for += since.elapsed();
        }
        drop(state);
        drop(closed);
        self.changed.notify_waiters();
    }

    /// Time that the task has waited for answers until now.
    pub(crate) fn asked_so_far(&self) -> Duration {
        let state = self.state();
        let Some(extras) = &state.extras else {
            return Duration::ZERO;
        };
        let questions = &extras.questions;
        questions.asked_for + questions.asking_since.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// Time that the task has waited for answers; `None` while a question is open.
    pub(crate) fn asked_for(&self) -> Option<Duration> {
        let state = self.state();
        match &state.extras {
            Some(_) if state.is_asking() => None,
            Some(extras) => Some(extras.questions.asked_for),
            None => Some(Duration::ZERO),
        }
    }

    /// Waits until no question is open. Cancel safe.
    pub(crate) async fn answered(&self) {
        self.wait_for(|state| (!state.is_asking()).then_some(())).await;
    }
}

impl State {
    fn is_asking(&self) -> bool {
        let extras = self.extras.as_ref();
        extras.is_some_and(|extras| extras.questions.asking_since.is_some())
    }
}
