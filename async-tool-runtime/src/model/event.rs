//! Events of one turn.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ModelError;
use crate::{future::BoxStream, tool::ToolCall};

/// Part of a turn.
///
/// ```
/// use async_tool_runtime::{ToolCall, model::{ModelEvent, ModelStream, StopReason}};
/// use futures_core::Stream as _;
/// use serde_json::json;
/// use std::{future::poll_fn, pin::Pin};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut turn = ModelStream::calls([ToolCall::new("call_1", "weather", json!({"city": "Rome"}))]);
/// let mut called = Vec::new();
/// // The same as `turn.next()` with `futures::StreamExt`.
/// while let Some(event) = poll_fn(|cx| Pin::new(&mut turn).poll_next(cx)).await {
///     match event? {
///         ModelEvent::Text(text) => print!("{text}"),
///         ModelEvent::ToolCall(call) => called.push(call.name),
///         ModelEvent::Done(end) => assert_eq!(end.stop, StopReason::ToolCalls),
///         _ => {}
///     }
/// }
/// assert_eq!(called, ["weather".into()]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ModelEvent {
    /// Next piece of the text.
    Text(String),
    /// Next piece of the reasoning before the answer, or of its summary. Users may read it; it is not part of the text.
    /// The provider's own form of it belongs into [`TurnEnd::provider`].
    Reasoning(String),
    /// Complete tool call.
    ToolCall(ToolCall),
    /// End of a complete turn; no event follows.
    Done(TurnEnd),
}

/// End of a turn.
///
/// ```
/// use async_tool_runtime::model::{ModelEvent, ModelStream, StopReason, TurnEnd, Usage};
///
/// let end = TurnEnd::new(StopReason::MaxTokens).with_usage(Usage::new(1_200, 1_000, 256));
/// assert_eq!((end.stop, end.usage.output), (StopReason::MaxTokens, 256));
/// let turn = ModelStream::from_events([ModelEvent::Text("It is a long".into()), ModelEvent::Done(end)]);
/// # drop(turn);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TurnEnd {
    /// Reason for the end.
    pub stop: StopReason,
    /// Cost of the turn; zero if the provider doesn't report it.
    #[serde(default)]
    pub usage: Usage,
    /// The provider's own blocks of this turn, which the adapter sends back unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Value>,
}

impl TurnEnd {
    /// Creates the end of a turn, without usage and provider blocks.
    #[must_use]
    pub fn new(stop: StopReason) -> Self {
        Self {
            stop,
            ..Self::default()
        }
    }

    /// Sets the cost of the turn.
    #[must_use]
    pub fn with_usage(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }

    /// Sets the provider's own blocks, which come back in [`Message::Assistant`](crate::Message::Assistant).
    ///
    /// ```
    /// use async_tool_runtime::model::{StopReason, TurnEnd};
    /// use serde_json::json;
    ///
    /// let blocks = json!([{"type": "thinking", "signature": "c2lnbmVk"}]);
    /// let end = TurnEnd::new(StopReason::EndTurn).with_provider(blocks.clone());
    /// assert_eq!(end.provider, Some(blocks));
    /// ```
    #[must_use]
    pub fn with_provider(mut self, provider: Value) -> Self {
        self.provider = Some(provider);
        self
    }
}

/// Reason for the end of a turn.
///
/// ```
/// use async_tool_runtime::model::StopReason;
///
/// let warning = |stop| match stop {
///     StopReason::EndTurn | StopReason::ToolCalls => None,
///     StopReason::MaxTokens => Some("the answer is cut off"),
///     StopReason::Refused => Some("the model refused to answer"),
///     _ => Some("the model stopped for a reason of its own"),
/// };
/// assert_eq!(warning(StopReason::MaxTokens), Some("the answer is cut off"));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StopReason {
    /// The model finished its answer.
    #[default]
    EndTurn,
    /// The model waits for the answers to its calls.
    ToolCalls,
    /// The turn reached the limit of output tokens.
    MaxTokens,
    /// The model refused, or a filter stopped it.
    Refused,
}

/// Cost of a turn, in tokens.
///
/// ```
/// use async_tool_runtime::model::Usage;
///
/// let usage = Usage::new(1_200, 1_000, 256).with_reasoning(200);
/// assert_eq!(usage.input - usage.cached, 200); // at the full price
/// assert_eq!(usage.output - usage.reasoning, 56); // that the user can read
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Usage {
    /// Input tokens, including those from the provider's cache.
    pub input: u64,
    /// Input tokens from the provider's cache.
    pub cached: u64,
    /// Output tokens, including reasoning.
    pub output: u64,
    /// Output tokens of reasoning; zero if the provider doesn't report them.
    #[serde(default)]
    pub reasoning: u64,
}

impl Usage {
    /// Creates a cost from input, cached and output tokens, without reasoning.
    #[must_use]
    pub const fn new(input: u64, cached: u64, output: u64) -> Self {
        Self {
            input,
            cached,
            output,
            reasoning: 0,
        }
    }

    /// Sets the number of output tokens that were reasoning.
    #[must_use]
    pub const fn with_reasoning(mut self, reasoning: u64) -> Self {
        self.reasoning = reasoning;
        self
    }

    /// Adds two costs; a sum that overflows stays at the maximum.
    ///
    /// ```
    /// use async_tool_runtime::model::Usage;
    ///
    /// let turns = [Usage::new(100, 0, 20), Usage::new(140, 100, 5)];
    /// let total = turns.into_iter().fold(Usage::default(), Usage::plus);
    /// assert_eq!(total, Usage::new(240, 100, 25));
    /// ```
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            cached: self.cached.saturating_add(other.cached),
            output: self.output.saturating_add(other.output),
            reasoning: self.reasoning.saturating_add(other.reasoning),
        }
    }
}

/// Stream of the events of one turn.
///
/// A [`Model`](super::Model) returns a stream for each turn. This model answers a greeting itself, and passes other requests on:
///
/// ```
/// # use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner};
/// use async_tool_runtime::{Model, model::{ModelRequest, ModelStream}};
///
/// struct Greeter<M>(M);
///
/// impl<M: Model> Model for Greeter<M> {
///     fn generate(&self, request: ModelRequest) -> ModelStream {
///         match request.last_user_text() {
///             Some("hello") => ModelStream::text("Hello! What can I do for you?"),
///             _ => self.0.generate(request),
///         }
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().build()?;
/// let agent = AsyncAgent::builder(Greeter(RulePlanner::new()), manager).start().await?;
/// agent.send("hello").await?;
/// agent.run_until_idle().await?;
/// assert!(format!("{:?}", agent.transcript().await?).contains("What can I do for you?"));
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a turn does nothing until its events are read"]
pub struct ModelStream(BoxStream<'static, Result<ModelEvent, ModelError>>);

impl ModelStream {
    /// Wraps a stream of events.
    pub fn new(stream: impl Stream<Item = Result<ModelEvent, ModelError>> + Send + 'static) -> Self {
        Self(Box::pin(stream))
    }

    /// Creates a turn from events that are all known already.
    ///
    /// ```
    /// use async_tool_runtime::{ToolCall, model::{ModelEvent, ModelStream, StopReason, TurnEnd}};
    /// # use futures_core::Stream as _;
    /// use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let events = [
    ///     ModelEvent::Text("I'll look it up.".into()),
    ///     ModelEvent::ToolCall(ToolCall::new("call_1", "weather", json!({"city": "Rome"}))),
    ///     ModelEvent::Done(TurnEnd::new(StopReason::ToolCalls)),
    /// ];
    /// let mut turn = Box::pin(ModelStream::from_events(events.clone()));
    /// for event in events {
    ///     assert_eq!(std::future::poll_fn(|cx| turn.as_mut().poll_next(cx)).await, Some(Ok(event)));
    /// }
    /// # }
    /// ```
    pub fn from_events(events: impl IntoIterator<Item = ModelEvent>) -> Self {
        Self::new(Ready(events.into_iter().map(Ok).collect()))
    }

    /// Creates a complete turn with this text and without calls.
    pub fn text(text: impl Into<String>) -> Self {
        Self::from_events([ModelEvent::Text(text.into()), ModelEvent::Done(TurnEnd::default())])
    }

    /// Creates a complete turn with these calls and without text.
    pub fn calls(calls: impl IntoIterator<Item = ToolCall>) -> Self {
        let calls = calls.into_iter().map(ModelEvent::ToolCall);
        Self::from_events(calls.chain([ModelEvent::Done(TurnEnd::new(StopReason::ToolCalls))]))
    }

    /// Creates a turn that fails at once.
    ///
    /// ```
    /// use async_tool_runtime::{AsyncAgent, AsyncToolManager, Model, agent::RunError};
    /// use async_tool_runtime::model::{ModelError, ModelRequest, ModelStream};
    ///
    /// struct NoKey;
    ///
    /// impl Model for NoKey {
    ///     fn generate(&self, _: ModelRequest) -> ModelStream {
    ///         ModelStream::failed(ModelError::permanent("the environment has no `API_KEY`"))
    ///     }
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let agent = AsyncAgent::builder(NoKey, AsyncToolManager::builder().build()?).start().await?;
    /// agent.send("hello").await?;
    /// let error = agent.run_until_idle().await.unwrap_err();
    /// assert!(matches!(error, RunError::Model(error) if !error.retryable()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn failed(error: ModelError) -> Self {
        Self::new(Ready(VecDeque::from([Err(error)])))
    }
}

impl Stream for ModelStream {
    type Item = Result<ModelEvent, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for ModelStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ModelStream(..)")
    }
}

struct Ready(VecDeque<Result<ModelEvent, ModelError>>);

impl Stream for Ready {
    type Item = Result<ModelEvent, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.pop_front())
    }
}
