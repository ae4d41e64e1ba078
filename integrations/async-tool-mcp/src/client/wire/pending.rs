//! A request that was sent, until its answer.

use std::{sync::Arc, time::Duration};

use rmcp::{
    RoleClient,
    model::{ErrorData, ServerResult},
    service::{RequestHandle, ServiceError},
};
use serde_json::Value;
use tokio::{
    runtime::Handle,
    sync::mpsc::UnboundedReceiver,
    time::{Instant, sleep_until},
};

use super::in_flight::{Ask, InFlight, Report, Word};
use crate::client::{
    failure::{ENDED, Failure},
    wire::transport,
};

/// Limits of a request.
#[derive(Clone, Copy, Debug)]
pub(in crate::client) struct Limits {
    /// Longest time without an answer and without progress.
    pub(in crate::client) idle: Duration,
    /// Longest time altogether.
    pub(in crate::client) total: Duration,
}

/// Next event of a request.
#[derive(Debug)]
pub(in crate::client) enum Step {
    Progress(Report),
    Ask(Ask),
    /// The answer, after which nothing follows.
    Answered(Result<Value, Failure>),
}

/// Request that was sent. If it is dropped before its answer, the server is told that it is cancelled.
pub(in crate::client) struct Pending {
    handle: Option<RequestHandle<RoleClient>>,
    words: UnboundedReceiver<Word>,
    in_flight: Arc<InFlight>,
    limits: Limits,
    silent_since: Instant,
    end: Option<Instant>,
    /// Begin of a wait for people.
    paused_since: Option<Instant>,
}

impl Pending {
    pub(super) fn new(
        handle: RequestHandle<RoleClient>,
        words: UnboundedReceiver<Word>,
        in_flight: Arc<InFlight>,
        limits: Limits,
    ) -> Self {
        let now = Instant::now();
        Self {
            handle: Some(handle),
            words,
            in_flight,
            limits,
            silent_since: now,
            end: now.checked_add(limits.total),
            paused_since: None,
        }
    }

    /// Next event. Cancel safe.
    pub(in crate::client) async fn next(&mut self) -> Step {
        let Some(handle) = &mut self.handle else {
            return std::future::pending().await;
        };
        let is_timed = self.paused_since.is_none();
        let idle = self.silent_since.checked_add(self.limits.idle).filter(|_| is_timed);
        let end = self.end.filter(|_| is_timed);
        let answer = tokio::select! {
            biased;
            // Progress that came before the answer is told before it.
            Some(word) = self.words.recv() => {
                self.silent_since = Instant::now();
                return match word {
                    Word::Progress(report) => Step::Progress(report),
                    Word::Ask(ask) => Step::Ask(ask),
                };
            }
            answer = &mut handle.rx => match answer {
                Ok(answer) => answer.map_err(failure).and_then(to_json),
                Err(_) => Err(Failure::Lost(ENDED.to_owned())),
            },
            () = at(idle) => return self.give_up(Failure::Idle(self.limits.idle)),
            () = at(end) => return self.give_up(Failure::Overdue(self.limits.total)),
        };
        self.finish();
        Step::Answered(answer)
    }

    /// Waits for the answer, whatever the server says meanwhile.
    pub(in crate::client) async fn answer(mut self) -> Result<Value, Failure> {
        loop {
            // A question is declined when its channel is dropped.
            if let Step::Answered(answer) = self.next().await {
                return answer;
            }
        }
    }

    /// Stops the limits while the server waits for people.
    pub(in crate::client) fn pause(&mut self) {
        self.paused_since.get_or_insert_with(Instant::now);
    }

    /// Lets the limits go on with the time that was left.
    pub(in crate::client) fn go_on(&mut self) {
        if let Some(since) = self.paused_since.take() {
            self.silent_since = Instant::now();
            self.end = self.end.and_then(|end| end.checked_add(since.elapsed()));
        }
    }

    fn give_up(&mut self, failure: Failure) -> Step {
        self.cancel("the request has timed out");
        Step::Answered(Err(failure))
    }

    fn finish(&mut self) {
        if let Some(handle) = self.handle.take() {
            self.in_flight.leave(&handle.id);
        }
    }

    fn cancel(&mut self, reason: &'static str) {
        let Some(handle) = self.handle.take() else { return };
        self.in_flight.leave(&handle.id);
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                let _the_server_may_be_gone = handle.cancel(Some(reason.to_owned())).await;
            });
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.cancel("the result is not wanted any more");
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

fn to_json(result: ServerResult) -> Result<Value, Failure> {
    serde_json::to_value(result).map_err(|error| Failure::Invalid(error.to_string()))
}

pub(super) fn failure(error: ServiceError) -> Failure {
    match error {
        ServiceError::McpError(error) if is_of_the_stream(&error) => Failure::Lost(error.message.into_owned()),
        ServiceError::McpError(error) => Failure::Rpc {
            code: error.code.0.into(),
            message: error.message.into_owned(),
        },
        ServiceError::TransportSend(error) => transport::failure(&*error.error),
        ServiceError::TransportClosed => Failure::Lost(ENDED.to_owned()),
        ServiceError::Cancelled { reason } => Failure::Lost(format!(
            "it was cancelled: {}",
            reason.as_deref().unwrap_or("no reason")
        )),
        other => Failure::Invalid(other.to_string()),
    }
}

/// True for the errors that rmcp makes itself when the stream of an answer ends before the answer.
fn is_of_the_stream(error: &ErrorData) -> bool {
    const MARK: &str = "io.modelcontextprotocol/transportClosed";
    let is_marked = error.data.as_ref().is_some_and(|data| data.get(MARK).is_some());
    is_marked || error.message.starts_with("streamable HTTP session was re-initialized")
}
