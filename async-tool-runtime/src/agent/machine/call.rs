//! Tasks of the machine: acceptance, waiting for other tasks, settlement.

use std::{borrow::Cow, sync::Arc};

use serde_json::Value;

use super::AgentAction;
use super::{AgentMachine, phase::Phase, streamed_turn::TurnCall};
use crate::{
    agent::{
        AgentEventKind, RunLimit,
        ledger::{Life, TaskRecord, Told, Waits},
        redaction::without,
        task_tool,
    },
    id::{TaskId, TaskNo},
    journal::{Awaited, Entry},
    task::{AsyncTaskResult, FutureArgument, TaskOutcome, TaskRef, TaskSpec, Timing, TurnNo},
    tool::{Arguments, InputRequest, TaskTool, ToolCall, ToolError, ToolErrorKind, deep_result, is_too_deep, too_deep},
};

/// Error of a call whose arguments the journal could not read back.
fn deep_arguments() -> ToolError {
    let message = format!("invalid arguments: {}", too_deep("the object"));
    ToolError::new(ToolErrorKind::InvalidArguments, message)
}

/// Longest text of a failure that dependent calls get, in characters.
const PASSED_ON: usize = 500;

/// Start of calls that are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// As soon as the results that their arguments wait for have come.
    Now,
    /// Not at all: the caller stops them.
    Never,
}

impl AgentMachine {
    pub(super) fn on_call(&mut self, turn: TurnNo, call: ToolCall, task: TaskId) {
        let is_repeated = self.turn.calls.iter().any(|known| match known {
            TurnCall::Accepted(number) => self
                .ledger
                .tasks()
                .get(number)
                .is_some_and(|record| record.call.id == call.id),
            TurnCall::Held(held, _) => held.id == call.id,
        });
        // Two calls with one id would need two answers with one id, which every provider refuses.
        if is_repeated {
            let reason = "another call of the turn has the same id".to_owned();
            return self.emit(AgentEventKind::CallRefused { call, reason });
        }
        if self.holds(&call) {
            self.turn.calls.push(TurnCall::Held(call, task));
        } else {
            let number = self.accept(turn, call, task, &[], Start::Now);
            self.turn.calls.push(TurnCall::Accepted(number));
        }
    }

    /// True if the agent answers calls of this tool itself.
    fn is_own(&self, tool: &str) -> bool {
        tool == task_tool::NAME && (self.policy.task_tool != TaskTool::Off || self.ledger.shows_parts())
    }

    /// True if the call is accepted only when the turn has ended.
    fn holds(&self, call: &ToolCall) -> bool {
        // Arguments may name other calls of the turn, so such a call waits until all of them are known.
        let names_others = self.is_own(&call.name) || self.policy.takes_futures(&call.name);
        names_others || !self.policy.starts_early(&call.name)
    }

    /// Accepts the calls of the running turn that waited for its end; returns all calls of the turn, in order.
    pub(super) fn accept_held(&mut self, turn: TurnNo, start: Start) -> Vec<TaskNo> {
        let mut numbers = Vec::with_capacity(self.turn.calls.len());
        for call in std::mem::take(&mut self.turn.calls) {
            let number = match call {
                TurnCall::Accepted(number) => number,
                TurnCall::Held(call, task) => self.accept(turn, call, task, &numbers, start),
            };
            numbers.push(number);
        }
        numbers
    }

    /// Accepts a call and submits its task. `before` holds the earlier calls of the turn.
    fn accept(&mut self, turn: TurnNo, mut call: ToolCall, task: TaskId, before: &[TaskNo], start: Start) -> TaskNo {
        let is_deep = call.arguments.is_too_deep();
        if is_deep {
            // As text they have no levels, so the journal can keep the call.
            call.arguments = Arguments::from(Value::String(call.arguments.to_string()));
        }
        let number = self.ledger.next_number();
        let own = self.is_own(&call.name);
        let awaits = match self.policy.takes_futures(&call.name) {
            true => FutureArgument::find(&call.arguments).and_then(|futures| self.awaited(&call, futures, before)),
            false => Ok(Vec::new()),
        };
        let (awaits, mut problem) = match awaits {
            Ok(awaits) => (awaits, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        if self.names_frames(&call) {
            let message =
                "invalid arguments: they hold the mark of a message with tool results, which is no tool's to know";
            problem = Some(ToolError::new(ToolErrorKind::InvalidArguments, message));
        }
        if is_deep {
            problem = Some(deep_arguments());
        }
        let limit = self.policy.limits.tool_calls;
        if self.ledger.run().tool_calls >= limit && !own {
            let message = RunLimit::ToolCalls(limit).to_string();
            problem = Some(ToolError::new(ToolErrorKind::Refused, message).with_retryable(false));
        }
        let repeats = if problem.is_none() && !own {
            self.repeated(&call, &awaits)
        } else {
            None
        };
        self.record(Entry::Accepted {
            turn,
            task,
            number,
            call,
            awaits,
            own,
            repeats,
            at: self.now,
        });
        let mut settled = Vec::new();
        match problem {
            _ if own || repeats.is_some() => {}
            Some(error) => self.settle_here(number, TaskOutcome::Failed(error), &mut settled),
            None => {
                self.waiting.insert(number);
                if start == Start::Now {
                    self.submit_if_ready(number, &mut settled);
                }
            }
        }
        number
    }

    /// True if the arguments contain the nonce of the tag that frames deliveries. A tool must not learn it.
    fn names_frames(&self, call: &ToolCall) -> bool {
        /// Shortest nonce that is searched for: a shorter text occurs by chance, and no real nonce is so short.
        const SHORTEST: usize = 16;
        let nonce = self.ledger.nonce();
        if nonce.len() < SHORTEST {
            return false;
        }
        match call.arguments.text().filter(|text| !text.contains("\\u")) {
            Some(text) => text.contains(nonce),
            None => call.arguments.value().to_string().contains(nonce),
        }
    }

    /// Tasks that the futures in a call's arguments name.
    fn awaited(
        &self,
        call: &ToolCall,
        futures: Vec<FutureArgument>,
        before: &[TaskNo],
    ) -> Result<Vec<Awaited>, ToolError> {
        let refuse = |position: &str, problem: String| {
            let message = format!("invalid arguments: at \"{position}\": {problem}");
            Err(ToolError::new(ToolErrorKind::InvalidArguments, message))
        };
        let calls: Vec<TaskNo> = before.iter().copied().chain([self.ledger.next_number()]).collect();
        let mut awaits = Vec::with_capacity(futures.len());
        for future in futures {
            let number = match future.source {
                TaskRef::Number(number) => Some(number),
                TaskRef::Call(place) => calls.get(place.wrapping_sub(1)).copied(),
            };
            let no_task = |number: TaskNo| format!("there is no task {number} before this one");
            let mut problem = match (future.source, number) {
                (TaskRef::Number(number), _) => no_task(number),
                (TaskRef::Call(_), Some(number)) if before.contains(&number) => no_task(number),
                (TaskRef::Call(place), _) => {
                    format!("\"#{place}\" is no call of this turn that comes before this one")
                }
            };
            let number = number.map(|number| self.task_of(number));
            let is_task = |number: &TaskNo| self.ledger.tasks().get(number).is_some_and(|record| record.is_task());
            let Some(number) = number.filter(is_task) else {
                if let Some(circle) = number.and_then(|number| self.circle_of_future(call, number, &calls)) {
                    problem = format!("{problem}: {circle}");
                }
                return refuse(&future.position, problem);
            };
            awaits.push(Awaited::new(future.position, number, future.pointer));
        }
        Ok(awaits)
    }

    /// Task of a call: the one that it repeats, or its own.
    fn task_of(&self, call: TaskNo) -> TaskNo {
        let record = self.ledger.tasks().get(&call);
        record.and_then(|record| record.repeats).unwrap_or(call)
    }

    /// Submits a task if all results that its arguments wait for have come.
    pub(super) fn submit_if_ready(&mut self, number: TaskNo, settled: &mut Vec<TaskNo>) {
        self.launch(number, settled, AgentAction::Submit);
    }

    /// Starts `action` for a task if all results that its arguments wait for have come.
    pub(super) fn launch(
        &mut self,
        number: TaskNo,
        settled: &mut Vec<TaskNo>,
        action: impl FnOnce(TaskSpec) -> AgentAction,
    ) {
        let Some(record) = self.ledger.tasks().get(&number) else {
            return;
        };
        let is_in = |awaited: &Awaited| {
            let source = self.ledger.tasks().get(&awaited.task);
            source.is_none_or(|source| source.result.is_some())
        };
        if !record.awaits.iter().all(is_in) {
            return;
        }
        let filled = self.filled(record);
        let is_survivor = self.survivors.contains(&number);
        let refusal = self.refusal_of_unkept(record).or_else(|| {
            let may_not_fit = is_survivor && !self.policy.is_attached;
            let call = filled.as_ref().ok().filter(|_| may_not_fit)?;
            self.refusal_of_unfit(record, call)
        });
        let has_waited = self.waiting.remove(&number);
        let asks = matches!(record.waits, Waits::Answer(InputRequest::Approval { .. }));
        match filled {
            Ok(call) => {
                let spec = TaskSpec {
                    checkpoint: record.checkpoint.clone(),
                    traceparent: record.traceparent.clone(),
                    holds_secret: self.holds_secret(record),
                    keeps_clock: record.waits != Waits::Nothing,
                    // Results and approvals are waited for before a task is sent.
                    is_unsent: !is_survivor || has_waited || asks,
                    ..TaskSpec::named(record.task, self.session.clone(), call)
                        .with_number(number)
                        .with_turn(record.turn)
                        .with_attempt(record.attempt)
                        .with_accepted(record.accepted)
                };
                match (action(spec), refusal) {
                    // `Await` and `Reconcile` identify the task by its id and need no arguments.
                    (AgentAction::Submit(_), Some(error)) => {
                        self.settle_here(number, TaskOutcome::Failed(error), settled);
                    }
                    (action, _) => self.actions.push(action),
                }
            }
            Err(error) => self.settle_here(number, TaskOutcome::Failed(error), settled),
        }
    }

    /// True if a result that fills the arguments of a task is secret.
    fn holds_secret(&self, record: &TaskRecord) -> bool {
        let sources = record
            .awaits
            .iter()
            .filter_map(|awaited| self.ledger.tasks().get(&awaited.task));
        let mut sources = sources.map(|source| (&source.call.name, source.result.as_ref()));
        sources
            .any(|(tool, result)| self.policy.has_secret_result(tool) || result.is_some_and(|result| result.redacted))
    }

    /// Call of a task, with the results that its arguments wait for.
    pub(super) fn filled(&self, record: &TaskRecord) -> Result<ToolCall, ToolError> {
        let call = match record.awaits.is_empty() {
            true => record.call.clone(),
            false => self.fill(&record.call, &record.awaits)?,
        };
        match call.arguments.is_too_deep() {
            // The record of the task holds them too.
            true => Err(deep_arguments()),
            false => Ok(call),
        }
    }

    /// Call with the results in place of its futures. A redacted result leaves a placeholder, and the call is marked as
    /// redacted.
    fn fill(&self, call: &ToolCall, awaits: &[Awaited]) -> Result<ToolCall, ToolError> {
        let unkept: Vec<&str> = awaits
            .iter()
            .filter(|awaited| self.is_unkept(awaited.task))
            .map(|awaited| awaited.position.as_str())
            .collect();
        let arguments = match unkept.is_empty() {
            true => Cow::Borrowed(call.arguments.value()),
            false => Cow::Owned(without(&call.arguments, &unkept)),
        };
        let arguments = FutureArgument::fill(&arguments, |future| {
            let awaited = awaits.iter().find(|awaited| awaited.position == future.position);
            let source = awaited.and_then(|awaited| self.ledger.tasks().get_key_value(&awaited.task));
            let Some((number, source)) = source else {
                return Err(ToolError::new(ToolErrorKind::Internal, "the task is not known"));
            };
            let failed = |what: &str, why: &str| {
                let tool = &source.call.name;
                let why = match why.char_indices().nth(PASSED_ON) {
                    Some((end, _)) => format!("{} […]", &why[..end]),
                    None => why.to_owned(),
                };
                let message = format!("not started, because {number} (`{tool}`), whose result it needs, {what}: {why}");
                Err(ToolError::failed(message))
            };
            match source.result.as_ref().map(|result| &result.outcome) {
                Some(TaskOutcome::Completed(value)) => Ok(value),
                Some(TaskOutcome::Failed(error)) => failed("failed", error.model_message()),
                Some(TaskOutcome::Cancelled(reason)) => failed("was cancelled", reason),
                Some(TaskOutcome::Unknown(why)) => failed("ended with an unknown outcome", why),
                None => failed("has not ended", "it still runs"),
            }
        })?;
        let mut filled = ToolCall::new(call.id.clone(), Arc::clone(&call.name), arguments);
        filled.redacted = call.redacted || !unkept.is_empty();
        Ok(filled)
    }

    pub(super) fn on_settled(&mut self, result: Arc<AsyncTaskResult>) {
        let mut settled = Vec::new();
        self.settle(result, &mut settled);
        self.after_settling(&settled);
    }

    /// Settles a task that is not submitted.
    pub(super) fn settle_here(&mut self, number: TaskNo, outcome: TaskOutcome, settled: &mut Vec<TaskNo>) {
        let Some(record) = self.ledger.tasks().get(&number) else {
            return;
        };
        let spec = TaskSpec::named(record.task, self.session.clone(), record.call.clone()).with_number(number);
        let timing = Timing::new(record.accepted, None, self.now);
        self.settle(Arc::new(AsyncTaskResult::new(&spec, outcome, timing, 0)), settled);
    }

    /// Records the end of a task, and its effects on other tasks. `after_settling` then decides about deliveries, when
    /// all these effects are known.
    pub(super) fn settle(&mut self, mut result: Arc<AsyncTaskResult>, settled: &mut Vec<TaskNo>) {
        let Some(number) = self.open(result.task) else { return };
        if self.survivors.remove(&number)
            && let Some(record) = self.ledger.tasks().get(&number)
        {
            // The manager that ran the task last counts from its own submission, and not from the acceptance.
            Arc::make_mut(&mut result).timing.accepted = record.accepted;
        }
        if result.outcome.value().is_some_and(is_too_deep) {
            // The manager refuses such values itself; this one comes from a host that runs tasks.
            Arc::make_mut(&mut result).outcome = TaskOutcome::Failed(deep_result());
        }
        if result.preview.is_none()
            && let Some(preview) = result.preview_within(self.policy.result_limit_of(&result.tool))
        {
            Arc::make_mut(&mut result).preview = Some(Box::new(preview));
        }
        self.running.remove(&number);
        self.asked.remove(&number);
        self.waits.remove(&number);
        self.progress.remove(&number);
        self.promoted.remove(&number);
        self.waiting.remove(&number);
        self.latencies.note(&result);
        let is_completed = result.outcome.is_completed();
        self.record(Entry::Settled { result });
        settled.push(number);
        let followers = self.ledger.tasks().get(&number).map(|record| record.awaited_by.clone());
        for follower in followers.into_iter().flatten() {
            if self.waiting.contains(&follower) {
                self.submit_if_ready(follower, settled);
            }
        }
        if is_completed {
            self.stop_others(number, settled);
        }
    }

    /// Decides how the model gets the results of tasks that have just ended.
    pub(super) fn after_settling(&mut self, settled: &[TaskNo]) {
        match self.ledger.life() {
            Life::Open => {}
            Life::Closing => return self.close_if_done(),
            Life::Closed => return,
        }
        for number in settled {
            // A turn that started for an earlier task of this loop may have delivered this result.
            if self.told(*number) == Some(Told::Ack) {
                self.on_late(*number);
            }
        }
        if matches!(self.phase, Phase::Answering(_)) {
            self.answer_if_due();
        }
        if !settled.is_empty() {
            self.reconsider();
        }
    }

    pub(super) fn on_cancel(&mut self, number: TaskNo, reason: String) {
        let mut settled = Vec::new();
        self.cancel(number, reason, &mut settled);
        self.after_settling(&settled);
    }

    /// Tells a task to stop.
    pub(super) fn cancel(&mut self, number: TaskNo, reason: String, settled: &mut Vec<TaskNo>) {
        let Some(record) = self.ledger.tasks().get(&number) else {
            return;
        };
        if !self.ledger.is_open(number) || record.cancel.is_some() {
            return;
        }
        let task = record.task;
        self.record(Entry::CancelRequested {
            task: number,
            reason: reason.clone(),
            at: self.now,
        });
        if self.waiting.contains(&number) {
            self.settle_here(number, TaskOutcome::Cancelled(reason), settled);
        } else {
            self.actions.push(AgentAction::CancelTask(task, reason));
        }
    }
}
