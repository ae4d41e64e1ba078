//! [`GenaiModel`]: one request to a provider for each turn.

use std::{
    fmt,
    future::{Future, poll_fn},
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
use futures_core::Stream;
use genai::{
    ModelIden,
    adapter::AdapterKind,
    chat::{CacheControl, ChatOptions, ChatRequest, ChatStreamEvent},
    resolver::Endpoint,
};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    time::{Instant, timeout_at},
};

use crate::{
    GenaiModelBuilder, Provider, Timeouts, ToolMode,
    assembly::{Assembly, End},
    failure::model_error,
    frames::{Frames, Seen},
    json_mode, lower, plain,
    secret::Secret,
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
    pub(crate) iden: ModelIden,
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) client: genai::Client,
    pub(crate) key: Secret,
    pub(crate) stream: bool,
    pub(crate) strict: bool,
    pub(crate) tool_mode: ToolMode,
    pub(crate) max_tokens: Option<u32>,
    pub(crate) timeouts: Timeouts,
    pub(crate) capabilities: Capabilities,
}

impl GenaiModel {
    /// Makes a builder for the model `provider/name`, such as `anthropic/claude-sonnet-4-5`. [`Provider`] lists
    /// the providers' names. The part after the first `/` is the provider's own name of the model.
    ///
    /// The endings `-low`, `-medium` and `-high` ask a reasoning model for that effort; genai removes them from
    /// the name.
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
}

type Events = UnboundedSender<Result<ModelEvent, ModelError>>;

impl Inner {
    async fn turn(&self, request: &ModelRequest, events: &Events) -> Result<(), ModelError> {
        let end = Instant::now() + self.timeouts.turn;
        let turn = async {
            match self.tool_mode {
                ToolMode::Json if !request.tools.is_empty() => self.json_turn(request, events).await,
                _ if self.stream => self.streamed_turn(request, events).await,
                _ => self.plain_turn(request, events).await,
            }
        };
        match timeout_at(end, pin!(unlogged(turn))).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ModelError::transient(format!(
                "{}: the turn took longer than {:?}",
                self.provider, self.timeouts.turn
            ))),
        }
    }

    async fn streamed_turn(&self, request: &ModelRequest, events: &Events) -> Result<(), ModelError> {
        let chat = lower::lower(&self.lowering(), request)?;
        let mut assembly = Assembly::new(self.provider, request, self.invents_nulls());
        let end = self
            .stream(chat, self.options(), |part| {
                let parts = match part {
                    Part::Text(text) => assembly.text(text).into_iter().collect(),
                    Part::Call(call) => assembly.call(call),
                    Part::WholeCall { id, name, arguments } => assembly.whole_call(id, name, arguments),
                    Part::BlockEnded => assembly.block_ended(),
                };
                send(events, parts);
            })
            .await?;
        send(events, assembly.end(end)?);
        Ok(())
    }

    async fn plain_turn(&self, request: &ModelRequest, events: &Events) -> Result<(), ModelError> {
        let chat = lower::lower(&self.lowering(), request)?;
        let mut assembly = Assembly::new(self.provider, request, self.invents_nulls());
        let end = self.exec(chat, self.options()).await?;
        let text = end.content.as_ref().and_then(|content| assembly.whole_text(content));
        send(events, text);
        send(events, assembly.end(end)?);
        Ok(())
    }

    async fn json_turn(&self, request: &ModelRequest, events: &Events) -> Result<(), ModelError> {
        let chat = json_mode::lower(request)?;
        let options = json_mode::options(self.provider, request, self.options())?;
        let (text, end) = if self.stream {
            let mut text = String::new();
            let end = self
                .stream(chat, options, |part| {
                    if let Part::Text(more) = part {
                        text.push_str(&more);
                    }
                })
                .await?;
            (text, end)
        } else {
            let end = self.exec(chat, options).await?;
            let text = end.content.as_ref().map(|content| content.texts().concat());
            (text.unwrap_or_default(), end)
        };
        let assembly = Assembly::new(self.provider, request, false);
        send(events, json_mode::read(assembly, &text, end)?);
        Ok(())
    }

    /// Streams one answer. Passes every part to `take` as it arrives.
    async fn stream(
        &self,
        chat: ChatRequest,
        options: ChatOptions,
        mut take: impl FnMut(Part),
    ) -> Result<End, ModelError> {
        let fail = |error| model_error(self.provider, error, &self.key);
        let (seen, mut frames) = mpsc::unbounded_channel();
        let options = options.with_raw_frame_sink(Frames::new(self.provider, seen));
        let target = self.target().await.map_err(fail)?;
        let response = self.client.exec_chat_stream(target, chat, Some(&options));
        let mut stream = response.await.map_err(fail)?.stream;
        let mut limit = self.timeouts.first_token;
        let mut reasoning = None;
        let mut held = None;
        loop {
            let next = next(&mut stream, &mut frames, &mut held);
            let item = timeout_at(Instant::now() + limit, next)
                .await
                .map_err(|_| ModelError::silent(limit))?;
            match item {
                Item::Seen(Seen::Life) => limit = self.timeouts.stall,
                Item::Seen(Seen::Reasoning(tokens)) => reasoning = Some(tokens),
                Item::Seen(Seen::BlockEnded) => take(Part::BlockEnded),
                Item::Seen(Seen::Call { id, name, arguments }) => take(Part::WholeCall { id, name, arguments }),
                Item::Seen(Seen::Unreadable) => {
                    return Err(ModelError::transient(format!(
                        "{}: a part of the stream can't be read",
                        self.provider
                    )));
                }
                Item::Event(Some(Ok(event))) => match event {
                    ChatStreamEvent::Chunk(chunk) => take(Part::Text(chunk.content)),
                    ChatStreamEvent::ToolCallChunk(chunk) => take(Part::Call(chunk.tool_call)),
                    ChatStreamEvent::End(end) => {
                        let mut usage = end.captured_usage;
                        if let (Some(usage), Some(_)) = (&mut usage, reasoning) {
                            usage.completion_tokens_details.get_or_insert_default().reasoning_tokens = reasoning;
                        }
                        return Ok(End {
                            content: end.captured_content,
                            reasoning: end.captured_reasoning_content,
                            stop: end.captured_stop_reason,
                            usage,
                        });
                    }
                    ChatStreamEvent::Start
                    | ChatStreamEvent::Heartbeat
                    | ChatStreamEvent::ReasoningChunk(_)
                    | ChatStreamEvent::ThoughtSignatureChunk(_) => {}
                },
                Item::Event(Some(Err(error))) => return Err(fail(error)),
                Item::Event(None) => return Err(ModelError::truncated()),
            }
        }
    }

    /// Requests one answer as a whole.
    async fn exec(&self, chat: ChatRequest, options: ChatOptions) -> Result<End, ModelError> {
        let fail = |error| model_error(self.provider, error, &self.key);
        // The raw body is needed if genai refuses the whole answer because of one call.
        let options = options.with_capture_raw_body(true);
        let target = self.target().await.map_err(fail)?;
        match self.client.exec_chat(target, chat, Some(&options)).await {
            Ok(answer) => Ok(End {
                content: Some(answer.content),
                reasoning: answer.reasoning_content,
                stop: answer.stop_reason,
                usage: Some(answer.usage),
            }),
            Err(genai::Error::ChatResponseGeneration {
                response_body, cause, ..
            }) => plain::read(self.provider, &response_body).ok_or_else(|| {
                ModelError::transient(format!(
                    "{}: the answer can't be read: {}",
                    self.provider,
                    self.key.redact(&cause)
                ))
            }),
            Err(error) => Err(fail(error)),
        }
    }

    fn lowering(&self) -> lower::Target {
        lower::Target {
            provider: self.provider,
            iden: self.iden.clone(),
            dialect: self.capabilities.dialect,
            strict: self.strict,
        }
    }

    fn invents_nulls(&self) -> bool {
        self.capabilities.dialect == Dialect::OpenAiStrict
    }

    fn options(&self) -> ChatOptions {
        let mut options = ChatOptions::default()
            .with_capture_usage(true)
            .with_capture_content(true)
            .with_capture_tool_calls(true)
            .with_capture_reasoning_content(self.keeps_reasoning());
        if let Some(tokens) = self.max_tokens {
            options = options.with_max_tokens(tokens);
        }
        if matches!(self.iden.adapter_kind, AdapterKind::OpenAI | AdapterKind::OpenAIResp) {
            // If no cache control is set, genai turns caching off for GPT-5.6 and later
            // (`prompt_cache_options`). The value set here isn't sent.
            options = options.with_cache_control(CacheControl::Ephemeral5m);
        }
        options
    }

    /// True if genai must keep thoughts. For Gemini and for OpenAI Responses, genai then also requests them, which
    /// models without thinking refuse. Gemini's signatures come without a request.
    fn keeps_reasoning(&self) -> bool {
        match self.provider {
            Provider::Gemini | Provider::Vertex => false,
            Provider::OpenAiResponses => !["gpt-3", "gpt-4", "chatgpt"]
                .iter()
                .any(|family| self.model.starts_with(family)),
            _ => true,
        }
    }
}

fn send(events: &Events, parts: impl IntoIterator<Item = ModelEvent>) {
    for part in parts {
        // The receiver can't be gone: it belongs to the turn that polls this future.
        let _ = events.send(Ok(part));
    }
}

/// A part of a streamed answer.
enum Part {
    Text(String),
    Call(genai::chat::ToolCall),
    WholeCall {
        id: String,
        name: String,
        arguments: String,
    },
    BlockEnded,
}

enum Item {
    Seen(Seen),
    Event(Option<Result<ChatStreamEvent, genai::Error>>),
}

/// Returns the next observation or event. Polling it drives the request.
///
/// One poll of genai's stream can read many frames, so its event is held back until their observations are
/// read.
async fn next(
    stream: &mut genai::chat::ChatStream,
    frames: &mut UnboundedReceiver<Seen>,
    held: &mut Option<Item>,
) -> Item {
    poll_fn(|cx| {
        if held.is_none()
            && let Poll::Ready(event) = Pin::new(&mut *stream).poll_next(cx)
        {
            *held = Some(Item::Event(event));
        }
        match frames.poll_recv(cx) {
            Poll::Ready(Some(seen)) => Poll::Ready(Item::Seen(seen)),
            // genai may drop the frame sink before its last event is read.
            Poll::Ready(None) | Poll::Pending => held.take().map_or(Poll::Pending, Poll::Ready),
        }
    })
    .await
}

/// Runs the future without a tracing subscriber. genai logs errors with their whole bodies, and some servers
/// repeat the key there.
async fn unlogged<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let silent = tracing::Dispatch::none();
    poll_fn(|cx| tracing::dispatcher::with_default(&silent, || future.as_mut().poll(cx))).await
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
