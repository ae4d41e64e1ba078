//! A task of the server, followed to its end by polls.

use std::{collections::BTreeSet, future::Future, pin::Pin, sync::Arc, time::Duration};

use async_tool_runtime::{ToolContext, ToolError, ToolErrorKind};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{
    backoff::Backoff,
    call::{told_to_stop, undeclared},
    failure::{Failure, of_task, shown},
    kept::Kept,
    link::Link,
    outcome::of_result,
    pace::Pace,
    question::Question,
    state::{TaskProgress, TaskState},
};

/// Answers without sense, one after the other, that end a call.
const SENSELESS: u32 = 6;
/// Time for the cancellation of a task, with its repetitions.
const CANCELS_FOR: Duration = Duration::from_secs(60);

/// End of a followed task.
#[derive(Debug)]
pub(super) enum Followed {
    Ended(Result<Value, ToolError>),
    /// The server doesn't know the task any more; its words.
    Forgotten(String),
}

/// A task of the server that is followed.
pub(super) struct Following {
    link: Arc<Link>,
    cx: ToolContext,
    kept: Kept,
    pace: Pace,
    /// Time of the first failed poll since the last answer that made sense. Not that of the answer: the server's interval may be long.
    away_since: Option<Instant>,
    senseless: u32,
    status_message: Option<String>,
    asking: Option<Asking>,
    /// Answers that the server has not taken yet.
    answers: Map<String, Value>,
}

struct Asking {
    key: String,
    answer: Pin<Box<dyn Future<Output = Value> + Send>>,
}

enum Event {
    Poll,
    Answered(Value),
    Cancelled,
    Overdue,
}

impl Following {
    pub(super) fn new(link: Arc<Link>, cx: ToolContext, kept: Kept) -> Self {
        Self {
            link,
            cx,
            kept,
            pace: Pace::new(),
            away_since: None,
            senseless: 0,
            status_message: None,
            asking: None,
            answers: Map::new(),
        }
    }

    /// Follows the task to its end. `first` is its state in the answer to the call.
    pub(super) async fn run(mut self, first: Option<TaskState>) -> Followed {
        let end = Instant::now().checked_add(self.link.settings.task);
        let mut due = Instant::now();
        if let Some(first) = first {
            due += self.pace.after_answer(first.poll_interval);
            if let Some(ended) = self.take(first) {
                return Followed::Ended(ended);
            }
        }
        loop {
            let event = self.event(due, end).await;
            let interval = match event {
                Event::Poll => match self.poll().await {
                    Ok(interval) => interval,
                    Err(ended) => return ended,
                },
                Event::Answered(answer) => {
                    if let Some(asked) = self.asking.take() {
                        self.answers.insert(asked.key, answer);
                    }
                    if let Err(ended) = self.send_answers().await {
                        return ended;
                    }
                    continue;
                }
                Event::Cancelled => return Followed::Ended(self.stop().await),
                Event::Overdue => {
                    cancel(&self.link, &self.kept.task);
                    let limit = self.link.settings.task;
                    let why = format!("the server's task did not end within {limit:?}, and was told to stop");
                    return Followed::Ended(Err(ToolError::new(ToolErrorKind::Timeout, why).with_retryable(false)));
                }
            };
            due = Instant::now() + interval;
        }
    }

    async fn event(&mut self, due: Instant, end: Option<Instant>) -> Event {
        let asked = async {
            match &mut self.asking {
                Some(asking) => asking.answer.as_mut().await,
                None => std::future::pending().await,
            }
        };
        let overdue = async {
            match end {
                Some(end) => sleep_until(end).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.cx.cancellation().cancelled() => Event::Cancelled,
            () = overdue => Event::Overdue,
            answer = asked => Event::Answered(answer),
            () = sleep_until(due) => Event::Poll,
        }
    }

    /// Polls once. Returns the time until the next poll, or the end.
    async fn poll(&mut self) -> Result<Duration, Followed> {
        self.send_answers().await?;
        let asked = self.ask("tasks/get", json!({"taskId": self.kept.task})).await?;
        match asked.and_then(|answer| TaskState::read(&answer)) {
            // Another task's state is nonsense.
            Ok(state) if state.id != self.kept.task => {
                self.missed(&Failure::Invalid("it is about another task".to_owned()))
            }
            Ok(state) => {
                self.away_since = None;
                self.senseless = 0;
                let interval = self.pace.after_answer(state.poll_interval);
                match self.take(state) {
                    Some(ended) => Err(Followed::Ended(ended)),
                    None => Ok(interval),
                }
            }
            Err(failure) if failure.is_unknown_task() => Err(Followed::Forgotten(failure.to_string())),
            Err(failure) => self.missed(&failure),
        }
    }

    /// Sends a request; a cancellation comes before its answer.
    async fn ask(&mut self, method: &'static str, params: Value) -> Result<Result<Value, Failure>, Followed> {
        let cancelled = self.cx.cancellation().clone();
        tokio::select! {
            biased;
            answer = self.link.ask(method, params) => Ok(answer),
            () = cancelled.cancelled() => Err(Followed::Ended(self.stop().await)),
        }
    }

    /// Notes a poll without a state. Returns the time until the next one, or gives up.
    fn missed(&mut self, failure: &Failure) -> Result<Duration, Followed> {
        if failure.is_passing() {
            let since = *self.away_since.get_or_insert_with(Instant::now);
            if since.elapsed() < self.link.settings.away {
                return Ok(self.pace.after_failure(failure.retry_after()));
            }
        } else {
            self.senseless += 1;
            if self.senseless < SENSELESS {
                return Ok(self.pace.after_failure(None));
            }
        }
        let known = match &self.status_message {
            Some(message) => format!("; its last word was: {message}"),
            None => String::new(),
        };
        let why = format!("the server's task was running, and its end can't be found out: {failure}{known}");
        Err(Followed::Ended(Err(ToolError::new(ToolErrorKind::Unknown, why))))
    }

    /// Takes in a state. Returns the outcome, if the task has ended.
    fn take(&mut self, state: TaskState) -> Option<Result<Value, ToolError>> {
        if let Some(message) = state.status_message.filter(|message| !message.is_empty()) {
            let message = shown(&message);
            if self.status_message.as_ref() != Some(&message) {
                self.cx.progress().message(message.clone());
                self.status_message = Some(message);
            }
        }
        match state.progress {
            TaskProgress::Working => {
                self.asking = None;
                None
            }
            TaskProgress::InputRequired(requests) => self.consider(&requests).err().map(Err),
            TaskProgress::Completed(result) => Some(of_result(result)),
            TaskProgress::Failed(error) => Some(Err(of_task(&error, self.status_message.as_deref()))),
            TaskProgress::Cancelled => {
                let why = match &self.status_message {
                    Some(message) => format!("the server has cancelled the task: {message}"),
                    None => "the server has cancelled the task".to_owned(),
                };
                Some(Err(ToolError::new(ToolErrorKind::Cancelled, why)))
            }
        }
    }

    /// Asks the first question that is new, and withdraws one that is not open any more.
    fn consider(&mut self, requests: &Map<String, Value>) -> Result<(), ToolError> {
        if let Some(asking) = &self.asking {
            if requests.contains_key(&asking.key) {
                return Ok(());
            }
            self.asking = None;
        }
        let answered: &BTreeSet<String> = &self.kept.answered;
        let mut new = requests.iter();
        let new = new.find(|(key, _)| !answered.contains(*key) && !self.answers.contains_key(*key));
        let Some((key, request)) = new else { return Ok(()) };
        match Question::read(request) {
            Ok(question) => {
                self.asking = Some(Asking {
                    key: key.clone(),
                    answer: Box::pin(question.put(self.cx.clone())),
                });
                Ok(())
            }
            Err(kind) => {
                cancel(&self.link, &self.kept.task);
                Err(undeclared(&kind))
            }
        }
    }

    /// Sends the answers that the server has not taken yet. Those that it doesn't take now are sent again before the next poll.
    async fn send_answers(&mut self) -> Result<(), Followed> {
        if self.answers.is_empty() {
            return Ok(());
        }
        let params = json!({"taskId": self.kept.task, "inputResponses": self.answers});
        match self.ask("tasks/update", params).await? {
            Err(failure) if failure.is_passing() || failure.is_of_server() => {}
            // An answer that the server refuses is not sent again: the next poll tells what it makes of it.
            Ok(_) | Err(_) => {
                let answers = std::mem::take(&mut self.answers);
                self.kept.answered.extend(answers.into_iter().map(|(key, _)| key));
                if let Err(error) = self.kept.save(&self.cx).await {
                    return Err(Followed::Ended(Err(error)));
                }
            }
        }
        Ok(())
    }

    /// Stops following a task that was told to stop. The server is told too, unless another process goes on with the task.
    async fn stop(&mut self) -> Result<Value, ToolError> {
        self.asking = None;
        if self.cx.is_leaving() {
            return Err(told_to_stop());
        }
        let task = json!({"taskId": self.kept.task});
        if cancel(&self.link, &self.kept.task).await.is_err() {
            return Err(told_to_stop());
        }
        // It may have ended before it was told. Then its outcome is known.
        match self
            .link
            .ask("tasks/get", task)
            .await
            .and_then(|answer| TaskState::read(&answer))
        {
            Ok(TaskState {
                progress: TaskProgress::Completed(result),
                ..
            }) => of_result(result),
            _ => Err(told_to_stop()),
        }
    }
}

/// Tells the server to cancel a task, in the background: the call must not wait for a server that is slow or away.
pub(super) fn cancel(link: &Arc<Link>, task: &str) -> tokio::task::JoinHandle<()> {
    let (link, params) = (Arc::clone(link), json!({"taskId": task}));
    tokio::spawn(async move {
        let told = async {
            let mut backoff = Backoff::new();
            while let Err(failure) = link.ask("tasks/cancel", params.clone()).await {
                if !failure.is_passing() {
                    return;
                }
                sleep(backoff.next(failure.retry_after())).await;
            }
        };
        let _in_vain = timeout(CANCELS_FOR, told).await;
    })
}
