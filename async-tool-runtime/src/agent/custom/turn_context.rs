//! Turn of an agent with its own loop: its calls and its reply.

use std::{collections::VecDeque, error::Error, fmt, sync::Arc};

use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{
    model::{ModelEvent, StopReason, TurnEnd, Usage},
    task::TaskAck,
    tool::{Arguments, CallId, ToolCall},
};

/// Handle of an [`Agent`](super::Agent) to its running turn. Cheap to clone.
#[derive(Clone)]
pub struct TurnContext {
    events: mpsc::UnboundedSender<ModelEvent>,
}

impl TurnContext {
    pub(super) const fn new(events: mpsc::UnboundedSender<ModelEvent>) -> Self {
        Self { events }
    }

    /// Says some more. It is shown at once, and stays if the turn is completed. After the turn it says nothing.
    pub fn say(&self, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() {
            let _the_turn_is_over = self.events.send(ModelEvent::Text(text));
        }
    }

    /// Calls a tool in the background. The result comes with the input of a later turn; so does an error, if there is no such tool or
    /// the arguments don't fit. To wait for it, end the turn.
    ///
    /// A tool that only reads starts at once, any other when the turn is complete.
    ///
    /// # Errors
    ///
    /// [`TurnOverError`], where the context was kept longer than the turn.
    pub fn call(
        &self,
        tool: impl Into<Arc<str>>,
        arguments: impl Into<Arguments>,
    ) -> Result<CallReceipt, TurnOverError> {
        let receipt = CallReceipt {
            call: CallId::new(format!("call_{}", uuid::Uuid::new_v4().simple())),
            tool: tool.into(),
            arguments: arguments.into(),
        };
        let call = ToolCall::new(
            receipt.call.clone(),
            Arc::clone(&receipt.tool),
            receipt.arguments.clone(),
        );
        self.events
            .send(ModelEvent::ToolCall(call))
            .map_err(|_| TurnOverError)?;
        Ok(receipt)
    }

    /// True if the turn is over, or was dropped: for what the agent has spawned.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.events.is_closed()
    }

    /// Waits until the turn is over, or was dropped.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn over(&self) {
        self.events.closed().await;
    }
}

impl fmt::Debug for TurnContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TurnContext").field("is_over", &self.is_over()).finish()
    }
}

/// Receipt for a call in the background. It counts when its turn is completed.
///
/// The task has no number before its call is accepted; the [acknowledgement](crate::agent::custom::TurnItem::Acknowledged) in the next input has it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CallReceipt {
    /// The name of the call, by which its result can be told: [`AsyncTaskResult::call`](crate::task::AsyncTaskResult::call).
    pub call: CallId,
    /// The name of the tool.
    pub tool: Arc<str>,
    /// The arguments.
    pub arguments: Arguments,
}

impl CallReceipt {
    /// Answer for a model in the agent's own loop: a JSON object with `call`, `tool`, `status` and
    /// [`TaskAck::INSTRUCTION`].
    #[must_use]
    pub fn to_model_json(&self) -> Value {
        json!({
            "call": self.call,
            "tool": self.tool,
            "status": "accepted",
            "instruction": TaskAck::INSTRUCTION,
        })
    }
}

/// The turn is over, and nothing can be called in its name any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurnOverError;

impl fmt::Display for TurnOverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the turn is over; calls are made while it runs")
    }
}

impl Error for TurnOverError {}

impl From<TurnOverError> for crate::model::ModelError {
    fn from(error: TurnOverError) -> Self {
        Self::permanent(error.to_string()).with_source(error)
    }
}

/// End of an agent's turn: the rest of its text, and the cost of the turn. By default nothing.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use = "a reply is what `turn` returns"]
pub struct TurnReply {
    text: String,
    usage: Usage,
}

impl TurnReply {
    /// Ends the turn with this, which comes after what was [said](TurnContext::say) during it.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            usage: Usage::default(),
        }
    }

    /// The same reply with what the turn cost.
    pub fn with_usage(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }

    pub(super) fn into_events(self, mark: Value) -> VecDeque<ModelEvent> {
        let text = Some(self.text).filter(|text| !text.is_empty()).map(ModelEvent::Text);
        let end = TurnEnd::new(StopReason::EndTurn)
            .with_usage(self.usage)
            .with_provider(mark);
        text.into_iter().chain([ModelEvent::Done(end)]).collect()
    }
}

impl From<String> for TurnReply {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for TurnReply {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}
