//! A scripted turn with pauses and failures.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_core::Stream;
use serde_json::Value;
use tokio::time::sleep;

use crate::{
    future::BoxFuture,
    model::{ModelError, ModelEvent, ModelStream, StopReason, TurnEnd},
    tool::{CallId, ToolCall},
};

/// A turn of a model: pieces in order, with pauses between them, and the end that the test chooses.
///
/// ```
/// use async_tool_runtime::testing::{ScriptedModel, ScriptedTurn};
/// use async_tool_runtime::model::ModelError;
/// use serde_json::json;
/// use std::time::Duration;
///
/// let model = ScriptedModel::new()
///     .turn(|_| ScriptedTurn::new().text("Let me").pause(Duration::from_secs(2)).text(" look.").call("1", "search", json!({})).done())
///     .turn(|_| ScriptedTurn::new().text("The").pause(Duration::from_secs(1)).fails(ModelError::transient("overloaded")))
///     .turn(|_| ScriptedTurn::new().text("The re").truncated())
///     .turn(|_| ScriptedTurn::new().hangs());
/// # drop(model);
/// ```
#[derive(Debug, Default)]
#[must_use = "a turn needs an end: `done`, `fails`, `truncated` or `hangs`"]
pub struct ScriptedTurn {
    steps: VecDeque<Step>,
    calls: bool,
}

#[derive(Debug)]
enum Step {
    Pause(Duration),
    Give(Result<ModelEvent, ModelError>),
    Hang,
}

impl ScriptedTurn {
    /// An empty turn.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds text.
    pub fn text(self, text: impl Into<String>) -> Self {
        self.step(Step::Give(Ok(ModelEvent::Text(text.into()))))
    }

    /// Adds a tool call.
    pub fn call(mut self, id: impl Into<CallId>, tool: &str, arguments: Value) -> Self {
        self.calls = true;
        let call = ToolCall::new(id, tool, arguments);
        self.step(Step::Give(Ok(ModelEvent::ToolCall(call))))
    }

    /// Adds a pause, measured with tokio's clock.
    pub fn pause(self, pause: Duration) -> Self {
        self.step(Step::Pause(pause))
    }

    /// Ends the turn normally: with `ToolCalls` if it has calls, else with `EndTurn`.
    pub fn done(self) -> ModelStream {
        let stop = if self.calls {
            StopReason::ToolCalls
        } else {
            StopReason::EndTurn
        };
        self.ends(TurnEnd::new(stop))
    }

    /// Ends the turn with this end.
    pub fn ends(self, end: TurnEnd) -> ModelStream {
        self.step(Step::Give(Ok(ModelEvent::Done(end)))).stream()
    }

    /// Ends the turn with an error.
    pub fn fails(self, error: ModelError) -> ModelStream {
        self.step(Step::Give(Err(error))).stream()
    }

    /// Ends the stream without an end of the turn, as a closed connection does.
    pub fn truncated(self) -> ModelStream {
        self.stream()
    }

    /// Never ends: no event follows.
    pub fn hangs(self) -> ModelStream {
        self.step(Step::Hang).stream()
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push_back(step);
        self
    }

    fn stream(self) -> ModelStream {
        ModelStream::new(Played {
            steps: self.steps,
            pause: None,
        })
    }
}

struct Played {
    steps: VecDeque<Step>,
    pause: Option<BoxFuture<'static, ()>>,
}

impl Stream for Played {
    type Item = Result<ModelEvent, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            match self.steps.pop_front() {
                Some(Step::Pause(pause)) => self.pause = Some(Box::pin(sleep(pause))),
                Some(Step::Give(event)) => return Poll::Ready(Some(event)),
                Some(Step::Hang) => self.pause = Some(Box::pin(std::future::pending())),
                None => return Poll::Ready(None),
            }
        }
    }
}
