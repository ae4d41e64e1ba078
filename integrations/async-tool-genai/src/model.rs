//! [`GenaiModel`]: one request to a provider for each turn.

use std::{
    fmt,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use async_tool_runtime::{
    Model,
    future::BoxFuture,
    model::{Capabilities, ModelError, ModelEvent, ModelRequest, ModelStream},
    schema::Dialect,
};
use async_tool_wire::is_mistral;
use futures_core::Stream;
use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    time::{Instant, timeout_at},
};

use crate::{
    GenaiModelBuilder, Provider, Timeouts, ToolMode,
    answer::Reader,
    assembly::{Assembly, End},
    effort::Effort,
    json_mode,
    lower::{self, Conversation},
    request::{self, Ask, Form},
    transport::Transport,
    wire::Wire,
};

/// A provider's language model. Cheap to clone.
///
/// # Cancel safety
///
/// Dropping a turn's stream drops the request and closes the connection.
#[derive(Clone)]
pub struct GenaiModel(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) provider: Provider,
    pub(crate) model: String,
    /// The server's address without secrets, for `Debug` output.
    pub(crate) server: Option<String>,
    pub(crate) transport: Transport,
    pub(crate) stream: bool,
    pub(crate) strict: bool,
    pub(crate) tool_mode: ToolMode,
    pub(crate) max_tokens: Option<u32>,
    pub(crate) effort_in_name: bool,
    pub(crate) reasoning_summaries: bool,
    pub(crate) resends_thoughts: bool,
    pub(crate) timeouts: Timeouts,
    pub(crate) capabilities: Capabilities,
}

impl GenaiModel {
    /// Makes a builder for the model `provider/name`, such as `anthropic/claude-sonnet-4-5`. [`Provider`] lists
    /// the providers' names. The part after the first `/` is the provider's own name of the model.
    ///
    /// The endings `-low`, `-medium` and `-high` ask a reasoning model for that effort; they aren't sent as a
    /// part of the name, unless [`effort_in_name`](GenaiModelBuilder::effort_in_name) is false.
    pub fn builder(name: impl Into<String>) -> GenaiModelBuilder {
        GenaiModelBuilder::new(name.into())
    }

    /// The provider of the model.
    #[must_use]
    pub fn provider(&self) -> Provider {
        self.0.provider
    }

    /// The provider's name of the model.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.model
    }
}

impl fmt::Debug for GenaiModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        f.debug_struct("GenaiModel")
            .field("provider", &inner.provider)
            .field("name", &inner.model)
            .field("server", &inner.server)
            .field("stream", &inner.stream)
            .field("tool_mode", &inner.tool_mode)
            .field("timeouts", &inner.timeouts)
            .finish_non_exhaustive()
    }
}

impl Model for GenaiModel {
    fn generate(&self, request: ModelRequest) -> ModelStream {
        let (events, received) = mpsc::unbounded_channel();
        let inner = Arc::clone(&self.0);
        ModelStream::new(Turn {
            run: Some(Box::pin(async move {
                if let Err(error) = inner.turn(&request, &events).await {
                    // The receiver can't be gone: it belongs to the turn that polls this future.
                    let _ = events.send(Err(error));
                }
            })),
            events: received,
        })
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities
    }

    fn name(&self) -> Option<&str> {
        Some(&self.0.model)
    }

    fn provider(&self) -> Option<&str> {
        Some(self.0.provider.convention())
    }
}

type Events = UnboundedSender<Result<ModelEvent, ModelError>>;

impl Inner {
    async fn turn(&self, request: &ModelRequest, events: &Events) -> Result<(), ModelError> {
        let end = Instant::now() + self.timeouts.turn;
        let turn = async {
            match self.tool_mode {
                ToolMode::Json if !request.tools.is_empty() => self.json_turn(request, events).await,
                _ => self.native_turn(request, events).await,
            }
        };
        match timeout_at(end, pin!(turn)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ModelError::transient(format!(
                "{}: the turn took longer than {:?}",
                self.provider, self.timeouts.turn
            ))),
        }
    }

    async fn native_turn(&self, request: &ModelRequest, events: &Events) -> Result<(), ModelError> {
        let conversation = lower::lower(&self.lowering(), request)?;
        let mut turn = self.assembly(request, self.capabilities.dialect == Dialect::OpenAiStrict);
        let end = self
            .run(conversation, Form::Text, &mut turn, |turn| send(events, turn.events()))
            .await?;
        turn.end(end)?;
        send(events, turn.events());
        Ok(())
    }

    async fn json_turn(&self, request: &ModelRequest, events: &Events) -> Result<(), ModelError> {
        let conversation = json_mode::lower(request)?;
        let form = json_mode::form(self.provider, self.transport.wire, request)?;
        let mut text = String::new();
        let mut turn = self.assembly(request, false);
        let mut take = |turn: &mut Assembly| {
            for event in turn.events() {
                if let ModelEvent::Text(more) = event {
                    text.push_str(&more);
                }
            }
        };
        let end = self.run(conversation, form, &mut turn, &mut take).await?;
        take(&mut turn);
        let mut turn = self.assembly(request, false);
        json_mode::read(&mut turn, &text, end)?;
        send(events, turn.events());
        Ok(())
    }

    /// Asks once, and reads the answer into the turn. Calls `each` after each part of a streamed answer.
    async fn run(
        &self,
        conversation: Conversation,
        form: Form,
        turn: &mut Assembly,
        each: impl FnMut(&mut Assembly),
    ) -> Result<End, ModelError> {
        let wire = self.transport.wire;
        let (effort, model) = match wire {
            Wire::Bedrock | Wire::Ollama => (None, self.model.as_str()),
            Wire::Anthropic if self.provider == Provider::Vertex => (None, self.model.as_str()),
            _ if !self.effort_in_name => (None, self.model.as_str()),
            _ => Effort::of_model(&self.model),
        };
        let ask = Ask {
            provider: self.provider,
            model,
            effort,
            conversation,
            stream: self.stream,
            max_tokens: self.max_tokens,
            form,
            thinks: self.thinks(),
            summarizes: self.reasoning_summaries,
            resends_thoughts: self.resends_thoughts,
        };
        let sent = request::write(wire, &ask);
        let mut reader = Reader::new(self.provider, wire);
        if self.stream {
            self.transport.stream(sent, &mut reader, turn, each).await?;
        } else {
            self.transport.whole(sent, &mut reader, turn).await?;
        }
        Ok(reader.end(turn))
    }

    fn assembly(&self, request: &ModelRequest, invents_nulls: bool) -> Assembly {
        Assembly::new(self.provider, self.transport.wire, request, invents_nulls)
    }

    fn lowering(&self) -> lower::Target {
        lower::Target {
            provider: self.provider,
            wire: self.transport.wire,
            dialect: self.capabilities.dialect,
            strict: self.strict,
            media: self.capabilities.media,
            separates_answers: self.separates_answers(),
        }
    }

    /// True if the user's words may not stand directly behind answers to calls.
    fn separates_answers(&self) -> bool {
        let wire = self.transport.wire;
        let is_mistral = self.provider == Provider::Mistral || is_mistral(&self.model);
        wire.takes_turns() || wire == Wire::Chat && is_mistral
    }

    /// True if the model is asked for its thoughts. Models without thinking refuse that.
    fn thinks(&self) -> bool {
        let never = ["gpt-3", "gpt-4", "chatgpt"];
        !never.iter().any(|family| self.model.starts_with(family))
    }
}

fn send(events: &Events, parts: impl IntoIterator<Item = ModelEvent>) {
    for part in parts {
        // The receiver can't be gone: it belongs to the turn that polls this future.
        let _ = events.send(Ok(part));
    }
}

/// A turn in progress. Yields its events as they are sent; dropping it drops the request.
struct Turn {
    run: Option<BoxFuture<'static, ()>>,
    events: UnboundedReceiver<Result<ModelEvent, ModelError>>,
}

impl Stream for Turn {
    type Item = Result<ModelEvent, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let turn = &mut *self;
        if let Poll::Ready(Some(event)) = turn.events.poll_recv(cx) {
            return Poll::Ready(Some(event));
        }
        if let Some(run) = &mut turn.run
            && run.as_mut().poll(cx).is_ready()
        {
            // This also drops the sender, so the events end.
            turn.run = None;
        }
        turn.events.poll_recv(cx)
    }
}
