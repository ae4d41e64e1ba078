//! A call of a remote tool, from its request to its outcome.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    Effect, ToolContext, ToolError, ToolErrorKind,
    tool::{LostTask, Reconciled},
};
use serde_json::{Map, Value, json};
use tokio::time::{sleep, timeout};

use super::{
    backoff::Backoff,
    catalog::Offer,
    failure::{Failure, shown},
    follow::{Followed, Following},
    kept::Kept,
    link::Link,
    outcome::of_result,
    question::Question,
    reply::Reply,
    state::TaskState,
    wire::{Ask, Pending, Report, Step},
};

/// Rounds of questions before a call begins, against a server that never stops asking.
const ROUNDS: u32 = 10;
/// Requests for a call that may be repeated.
const TRIES: u32 = 4;
/// Time that a cancelled request has to answer: its answer may name a task, which must be cancelled by its id.
const LAST_WORD: Duration = Duration::from_millis(300);

/// Tool of a server, as its calls need it.
pub(super) struct Remote {
    pub(super) link: Arc<Link>,
    pub(super) offer: Arc<Offer>,
}

/// End of the exchange with which a call begins.
enum Begun {
    Complete(Value),
    Task(TaskState),
}

impl Remote {
    /// Runs a call. A later attempt goes on with the task that an earlier one began.
    pub(super) async fn run(self: Arc<Self>, arguments: Value, cx: ToolContext) -> Result<Value, ToolError> {
        if let Some(kept) = Kept::of(&cx) {
            match self.follow(&cx, kept, None).await {
                Followed::Ended(result) => return result,
                Followed::Forgotten(why) if !self.is_repeatable() => return Err(forgotten(&why)),
                Followed::Forgotten(_) => Kept::forget(&cx).await?,
            }
        }
        let task = match self.begin(arguments, &cx).await? {
            Begun::Complete(result) => return of_result(result),
            Begun::Task(task) => task,
        };
        let kept = Kept::new(task.id.clone());
        kept.save(&cx).await?;
        match self.follow(&cx, kept, Some(task)).await {
            Followed::Ended(result) => result,
            Followed::Forgotten(why) => Err(forgotten(&why)),
        }
    }

    /// Finds out the outcome of a call whose process has ended: follows its task, if the journal has one.
    pub(super) async fn reconcile(self: Arc<Self>, lost: LostTask) -> Result<Reconciled, ToolError> {
        let cx = lost.context();
        let Some(kept) = Kept::of(cx) else {
            let why = "the process that called the server has ended, and the server had not named a task; the call may have been done";
            return Ok(Reconciled::Unknown(why.to_owned()));
        };
        match self.follow(cx, kept, None).await {
            Followed::Ended(Ok(value)) => Ok(Reconciled::Completed(value)),
            // Found out by the process that goes on with the session.
            Followed::Ended(Err(error)) if cx.is_leaving() => Err(error),
            Followed::Ended(Err(error)) => Ok(Reconciled::Failed(error)),
            Followed::Forgotten(_) if self.is_repeatable() => {
                Kept::forget(cx).await?;
                Ok(Reconciled::NotStarted)
            }
            Followed::Forgotten(why) => Ok(Reconciled::Failed(forgotten(&why))),
        }
    }

    pub(super) fn effect(&self) -> Effect {
        self.offer.effect
    }

    fn is_repeatable(&self) -> bool {
        self.effect().is_repeatable()
    }

    async fn follow(&self, cx: &ToolContext, kept: Kept, first: Option<TaskState>) -> Followed {
        Following::new(Arc::clone(&self.link), cx.clone(), kept)
            .run(first)
            .await
    }

    /// Asks the server until it has begun: answers its questions, and repeats what may be repeated.
    async fn begin(&self, arguments: Value, cx: &ToolContext) -> Result<Begun, ToolError> {
        let owner: Arc<str> = cx.session().as_str().into();
        let mut params = Map::new();
        params.insert("name".to_owned(), self.offer.remote.clone().into());
        params.insert("arguments".to_owned(), arguments);
        let (mut rounds, mut tries, mut backoff) = (0, 1, Backoff::new());
        loop {
            if tries == 1 {
                self.link.check(&self.offer)?;
            }
            let answer = match self.link.call(Value::Object(params.clone()), &owner).await {
                Ok(pending) => self.exchange(pending, cx).await?,
                Err(failure) => Err(failure),
            };
            match self.link.noted(answer.and_then(Reply::of_call)) {
                Ok(Reply::Complete(result)) => return Ok(Begun::Complete(result)),
                Ok(Reply::Task(task)) => return Ok(Begun::Task(task)),
                Ok(Reply::InputRequired { requests, state }) => {
                    rounds += 1;
                    if rounds > ROUNDS {
                        let why = format!("the server has asked {ROUNDS} times and still not begun");
                        return Err(ToolError::failed(why));
                    }
                    if requests.is_empty() {
                        pause(cx, backoff.next(None)).await?;
                    }
                    let answers = answers(&requests, cx).await?;
                    params.remove("inputResponses");
                    params.remove("requestState");
                    let answers = (!answers.is_empty()).then_some(Value::Object(answers));
                    params.extend(answers.map(|answers| ("inputResponses".to_owned(), answers)));
                    params.extend(state.map(|state| ("requestState".to_owned(), state)));
                }
                Err(failure) => {
                    let does_no_harm = failure.is_unbegun() || self.is_repeatable();
                    if !does_no_harm || !failure.is_passing() || tries >= TRIES {
                        return Err(failure.into_error(self.effect()));
                    }
                    tries += 1;
                    pause(cx, backoff.next(failure.retry_after())).await?;
                }
            }
        }
    }

    /// Waits for the answer to a request, and passes on what the server says meanwhile.
    async fn exchange(&self, mut pending: Pending, cx: &ToolContext) -> Result<Result<Value, Failure>, ToolError> {
        loop {
            let step = tokio::select! {
                biased;
                step = pending.next() => step,
                () = cx.cancellation().cancelled() => return self.cancelled(pending).await,
            };
            match step {
                Step::Answered(answer) => return Ok(answer),
                Step::Progress(report) => tell(cx, report),
                Step::Ask(ask) => {
                    if let Some(answer) = put(ask, &mut pending, cx).await {
                        return Ok(answer);
                    }
                }
            }
        }
    }

    /// Ends a cancelled request. If its answer still comes, it counts, and a task is cancelled by its id.
    async fn cancelled(&self, pending: Pending) -> Result<Result<Value, Failure>, ToolError> {
        let last = timeout(LAST_WORD, pending.answer()).await;
        match last.ok().and_then(Result::ok).map(Reply::of_call) {
            Some(Ok(Reply::Complete(result))) => Ok(Ok(result)),
            Some(Ok(Reply::Task(task))) => {
                super::follow::cancel(&self.link, &task.id);
                Err(told_to_stop())
            }
            _ => Err(told_to_stop()),
        }
    }
}

/// Puts a question of a server that asks while it works. Returns the answer of the request, if that comes first.
async fn put(ask: Ask, pending: &mut Pending, cx: &ToolContext) -> Option<Result<Value, Failure>> {
    let Ask { params, answer: mut to } = ask;
    let Ok(question) = Question::of_params(&params) else {
        let _the_request_may_have_ended = to.send(json!({"action": "cancel"}));
        return None;
    };
    pending.pause();
    let mut asking = Box::pin(question.put(cx.clone()));
    let answer = loop {
        tokio::select! {
            biased;
            answer = &mut asking => {
                let _the_request_may_have_ended = to.send(answer);
                break None;
            }
            // The server has withdrawn it.
            () = to.closed() => break None,
            step = pending.next() => match step {
                Step::Answered(answer) => break Some(answer),
                Step::Progress(report) => tell(cx, report),
                // One question at a time; this one is declined.
                Step::Ask(second) => drop(second),
            },
            () = cx.cancellation().cancelled() => break None,
        }
    };
    pending.go_on();
    answer
}

/// Answers questions one after the other, because a task has one open question at a time.
async fn answers(requests: &Map<String, Value>, cx: &ToolContext) -> Result<Map<String, Value>, ToolError> {
    let mut answers = Map::new();
    for (key, request) in requests {
        let question = Question::read(request).map_err(|kind| undeclared(&kind))?;
        let answer = tokio::select! {
            answer = question.put(cx.clone()) => answer,
            () = cx.cancellation().cancelled() => return Err(told_to_stop()),
        };
        answers.insert(key.clone(), answer);
    }
    Ok(answers)
}

async fn pause(cx: &ToolContext, pause: Duration) -> Result<(), ToolError> {
    tokio::select! {
        () = sleep(pause) => Ok(()),
        () = cx.cancellation().cancelled() => Err(told_to_stop()),
    }
}

fn tell(cx: &ToolContext, report: Report) {
    let message = report.message.map(|message| shown(&message));
    let progress = cx.progress();
    match report.total.filter(|total| *total > 0.0) {
        Some(total) => progress.report(report.progress / total, message.unwrap_or_default()),
        None => progress.message(message.unwrap_or_else(|| report.progress.to_string())),
    }
}

pub(super) fn told_to_stop() -> ToolError {
    ToolError::new(ToolErrorKind::Cancelled, "it was told to stop")
}

/// Error of a call whose server asks for something that this client has not declared.
pub(super) fn undeclared(kind: &str) -> ToolError {
    ToolError::failed(format!(
        "the server asks for `{kind}`, which its client has not offered"
    ))
}

fn forgotten(why: &str) -> ToolError {
    let message = format!("the server does not know the task any more: {why}; what it had done by then is not known");
    ToolError::new(ToolErrorKind::Unknown, message)
}
