//! One turn's answer, as it comes.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ModelError;
use crate::{future::BoxStream, tool::ToolCall};

/// A part of a turn.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ModelEvent {
    /// Some more text.
    Text(String),
    /// A complete call.
    ToolCall(ToolCall),
    /// The turn is complete. Nothing follows.
    Done(TurnEnd),
}

/// End of a turn.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TurnEnd {
    /// Reason for which the model stopped.
    pub stop: StopReason,
    /// Cost of the turn, where the provider tells it.
    #[serde(default)]
    pub usage: Usage,
    /// The provider's own blocks of this turn, to be sent back unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Value>,
}

impl TurnEnd {
    /// The end of a turn for this reason, without usage.
    #[must_use]
    pub fn new(stop: StopReason) -> Self {
        Self {
            stop,
            ..Self::default()
        }
    }

    /// The same end with what the turn cost.
    #[must_use]
    pub fn with_usage(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }

    /// The same end with the provider's own blocks.
    #[must_use]
    pub fn with_provider(mut self, provider: Value) -> Self {
        self.provider = Some(provider);
        self
    }
}

/// Reason for which a model stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StopReason {
    /// It had said what it wanted to say.
    #[default]
    EndTurn,
    /// It waits for the answers to its calls.
    ToolCalls,
    /// It ran into the limit of tokens.
    MaxTokens,
    /// It refused, or was stopped by a filter.
    Refused,
}

/// Cost of a turn, in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// Tokens read, those from a cache included.
    pub input: u64,
    /// Tokens read from the provider's cache.
    pub cached: u64,
    /// Tokens written, reasoning included.
    pub output: u64,
    /// Tokens written to think, where the provider says so.
    #[serde(default)]
    pub reasoning: u64,
}

impl Usage {
    /// Tokens read, read from a cache, and written.
    #[must_use]
    pub const fn new(input: u64, cached: u64, output: u64) -> Self {
        Self {
            input,
            cached,
            output,
            reasoning: 0,
        }
    }

    /// The same with how many of the tokens written were reasoning.
    #[must_use]
    pub const fn with_reasoning(mut self, reasoning: u64) -> Self {
        self.reasoning = reasoning;
        self
    }

    /// The sum of two costs.
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

/// The events of one turn.
#[must_use = "a turn does nothing until its events are read"]
pub struct ModelStream(BoxStream<'static, Result<ModelEvent, ModelError>>);

impl ModelStream {
    /// Wraps a stream of events.
    pub fn new(stream: impl Stream<Item = Result<ModelEvent, ModelError>> + Send + 'static) -> Self {
        Self(Box::pin(stream))
    }

    /// A turn whose events are all there already.
    pub fn from_events(events: impl IntoIterator<Item = ModelEvent>) -> Self {
        Self::new(Ready(events.into_iter().map(Ok).collect()))
    }

    /// A turn that says this and calls nothing.
    pub fn text(text: impl Into<String>) -> Self {
        Self::from_events([ModelEvent::Text(text.into()), ModelEvent::Done(TurnEnd::default())])
    }

    /// A turn that makes these calls.
    pub fn calls(calls: impl IntoIterator<Item = ToolCall>) -> Self {
        let calls = calls.into_iter().map(ModelEvent::ToolCall);
        Self::from_events(calls.chain([ModelEvent::Done(TurnEnd::new(StopReason::ToolCalls))]))
    }

    /// A turn that fails.
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
