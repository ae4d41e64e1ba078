//! [`OpenAiModel`], and the run of one turn.

use std::{
    collections::VecDeque,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_tool_runtime::{
    Model,
    content::MediaRules,
    model::{Capabilities, ModelError, ModelEvent, ModelRequest, ModelStream},
    task::Timestamp,
};
use futures_util::stream;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::{
    OpenAiModelBuilder, Timeouts,
    lowering::Rules,
    request::Shape,
    transport::{Answer, Transport},
    turn::Turn,
};

/// A model behind the OpenAI Responses API. Cheap to clone.
///
/// Requests are stateless: each holds the whole conversation, with the model's own items unchanged. Each request is
/// sent once; the agent retries.
///
/// # Native asynchronous calls
///
/// If the model supports them, every tool except the agent's own `task` is declared with `"async": true`. The call of a
/// running task stays open, and its result is the output of that call in a later request. This crate adds rules that
/// the protocol lacks:
///
/// - The output of a cancelled, failed or lost task says so.
/// - A call beyond [`max_open_calls`](OpenAiModelBuilder::max_open_calls), or open for longer than
///   [`open_call_ttl`](OpenAiModelBuilder::open_call_ttl), is answered with its acknowledgement. Its result comes as a
///   user message.
/// - Nothing is remembered between requests: after a restart, the model sees the same conversation.
///
/// Other models get each answer at once, and late results in messages.
#[derive(Clone)]
pub struct OpenAiModel(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) transport: Transport,
    pub(crate) shape: Shape,
    pub(crate) native: bool,
    pub(crate) max_open: usize,
    pub(crate) ttl: Duration,
    pub(crate) media: MediaRules,
    pub(crate) timeouts: Timeouts,
}

impl OpenAiModel {
    /// Makes a builder for the model of this name, such as `"gpt-6-astra"`.
    pub fn builder(model: impl Into<String>) -> OpenAiModelBuilder {
        OpenAiModelBuilder::new(model.into())
    }

    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }
}

impl Model for OpenAiModel {
    fn generate(&self, request: ModelRequest) -> ModelStream {
        let inner = Arc::clone(&self.0);
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let rules = Rules {
            native: inner.native,
            max_open: inner.max_open,
            ttl: inner.ttl,
            now: Timestamp::default().after(since_epoch),
            media: inner.media,
        };
        let body = match inner.shape.body(&request, &rules) {
            Ok(body) => body,
            Err(error) => return ModelStream::failed(ModelError::permanent(error.to_string())),
        };
        let own_ids = format!("call_{:x}", since_epoch.as_micros());
        let failures = inner.transport.failures.clone();
        let turn = Turn::new(request.tools, inner.shape.strict, inner.native, own_ids, failures);
        let running = Running {
            inner,
            turn,
            ready: VecDeque::new(),
            step: Step::Ask(body),
        };
        ModelStream::new(stream::unfold(running, Running::next))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
            .with_dialect(self.0.shape.dialect())
            .with_native_async(self.0.native)
            .with_media(self.0.media)
    }

    fn name(&self) -> Option<&str> {
        Some(&self.0.shape.model)
    }

    fn provider(&self) -> Option<&str> {
        Some("openai")
    }
}

impl fmt::Debug for OpenAiModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiModel")
            .field("transport", &self.0.transport)
            .field("shape", &self.0.shape)
            .field("native_async", &self.0.native)
            .field("max_open_calls", &self.0.max_open)
            .field("open_call_ttl", &self.0.ttl)
            .field("timeouts", &self.0.timeouts)
            .finish_non_exhaustive()
    }
}

/// A turn in progress. Dropping it closes the connection.
struct Running {
    inner: Arc<Inner>,
    turn: Turn,
    ready: VecDeque<ModelEvent>,
    step: Step,
}

enum Step {
    /// The request has not been sent.
    Ask(Value),
    Read {
        answer: Box<Answer>,
        /// Time by which the next event must arrive.
        due: Instant,
        /// Length of that wait, for the error.
        limit: Duration,
        /// Time by which the whole turn must end.
        end: Instant,
    },
    /// The turn has failed, and its events so far are to be told first.
    Fail(ModelError),
    Over,
}

impl Running {
    async fn next(mut self) -> Option<(Result<ModelEvent, ModelError>, Self)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some((Ok(event), self));
            }
            match self.go_on().await {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.step = Step::Over;
                    return Some((Err(error), self));
                }
            }
        }
    }

    /// Takes one step; returns false if the turn is over.
    async fn go_on(&mut self) -> Result<bool, ModelError> {
        let inner = &self.inner;
        let (timeouts, failures) = (inner.timeouts, &inner.transport.failures);
        match std::mem::replace(&mut self.step, Step::Over) {
            Step::Ask(body) => {
                let now = Instant::now();
                let end = now + timeouts.turn;
                let limit = timeouts.first_token;
                let due = if inner.shape.stream { end.min(now + limit) } else { end };
                let asked = timeout_at(due, inner.transport.ask(&body)).await;
                let answer = asked.map_err(|_| match inner.shape.stream {
                    true => late("the provider did not begin to answer", limit),
                    false => late("the turn was not complete", timeouts.turn),
                })??;
                if inner.shape.stream && answer.is_streamed() {
                    self.step = Step::Read {
                        answer: Box::new(answer),
                        due,
                        limit,
                        end,
                    };
                } else {
                    let text = timeout_at(end, answer.text(failures)).await;
                    let text = text.map_err(|_| late("the turn was not complete", timeouts.turn))??;
                    self.ready.extend(self.turn.on_answer(&text)?);
                }
                Ok(true)
            }
            Step::Read {
                mut answer,
                due,
                limit,
                end,
            } => {
                let Ok(events) = timeout_at(due.min(end), answer.events(failures)).await else {
                    return Err(match due < end {
                        true => ModelError::silent(limit),
                        false => late("the turn was not complete", timeouts.turn),
                    });
                };
                // A cleanly closed connection doesn't end a turn; only the final event does.
                for event in events?.ok_or_else(ModelError::truncated)? {
                    // Events before a broken one come first.
                    match self.turn.on_streamed(&event) {
                        Ok(events) => self.ready.extend(events),
                        Err(error) => {
                            self.step = Step::Fail(error);
                            return Ok(true);
                        }
                    }
                    if self.ready.iter().any(|event| matches!(event, ModelEvent::Done(_))) {
                        return Ok(true);
                    }
                }
                let limit = timeouts.stall;
                let due = Instant::now() + limit;
                self.step = Step::Read {
                    answer,
                    due,
                    limit,
                    end,
                };
                Ok(true)
            }
            Step::Fail(error) => Err(error),
            Step::Over => Ok(false),
        }
    }
}

fn late(what: &str, limit: Duration) -> ModelError {
    ModelError::transient(format!("{what} within {limit:?}"))
}
