//! Calls and reply of a custom agent's turn.

use std::{collections::VecDeque, error::Error, fmt, sync::Arc};

use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{
    model::{ModelEvent, StopReason, TurnEnd, Usage},
    task::TaskAck,
    tool::{Arguments, CallId, ToolCall},
};

/// Handle of an [`Agent`](super::Agent) to its running turn. Cheap to clone.
///
/// ```
/// # use async_tool_runtime::{
/// #     agent::custom::{Agent, TurnContext, TurnInput, TurnReply},
/// #     async_tool, model::ModelError, tools, AsyncAgent, AsyncToolManager,
/// # };
/// # use serde_json::json;
/// # /// Counts the words of a text.
/// # #[async_tool(effect = "read")]
/// # async fn count_words(text: String) -> usize { text.split_whitespace().count() }
/// # struct Counter;
/// impl Agent for Counter {
///     type Error = ModelError;
///
///     async fn turn(&mut self, input: TurnInput, cx: TurnContext) -> Result<TurnReply, ModelError> {
///         if let Some(result) = input.results().next() {
///             return Ok(format!("{:?} words", result.outcome.value().and_then(|words| words.as_u64())).into());
///         }
///         cx.say("One moment. ");
///         cx.call("count_words", json!({"text": input.user_text()}))?;
///         Ok(TurnReply::default())
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![count_words]).build()?;
/// # let agent = AsyncAgent::wrap(Counter, manager).start().await?;
/// assert_eq!(agent.run_to_completion("to be or not").await?.text, "Some(4) words");
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TurnContext {
    events: mpsc::UnboundedSender<ModelEvent>,
}

impl TurnContext {
    pub(super) const fn new(events: mpsc::UnboundedSender<ModelEvent>) -> Self {
        Self { events }
    }

    /// Adds text to the turn. The user sees it at once, and it stays if the turn is completed. After the turn, this
    /// does nothing.
    pub fn say(&self, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() {
            let _the_turn_is_over = self.events.send(ModelEvent::Text(text));
        }
    }

    /// Tells some reasoning. Readers of the agent's events get it at once; it is not part of the conversation. After the
    /// turn, this does nothing.
    pub fn reason(&self, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() {
            let _the_turn_is_over = self.events.send(ModelEvent::Reasoning(text));
        }
    }

    /// Calls a tool in the background. The input of a later turn has the result. It has an error if the tool doesn't
    /// exist or the arguments don't fit. To wait for the result, end the turn.
    ///
    /// A tool that only reads starts at once. Any other tool starts when the turn is complete.
    ///
    /// # Errors
    ///
    /// [`TurnOverError`] if the turn is over.
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

    /// True if the turn is over or was dropped. For work that the agent has spawned.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.events.is_closed()
    }

    /// Waits until the turn is over or was dropped.
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

/// Receipt of a call in the background. It is valid once its turn is completed.
///
/// The task has no number yet; the [acknowledgement](crate::agent::custom::TurnItem::Acknowledged) in the next input
/// has it.
///
/// ```
/// # use async_tool_runtime::{
/// #     agent::custom::{Agent, TurnContext, TurnInput, TurnReply},
/// #     async_tool, model::ModelError, tools, AsyncAgent, AsyncToolManager,
/// # };
/// # use serde_json::json;
/// # /// Counts the words of a text.
/// # #[async_tool(effect = "read")]
/// # async fn count_words(text: String) -> usize { text.split_whitespace().count() }
/// # #[derive(Default)]
/// struct Counter {
///     open: Option<async_tool_runtime::agent::custom::CallReceipt>,
/// }
///
/// impl Agent for Counter {
///     type Error = ModelError;
///
///     async fn turn(&mut self, input: TurnInput, cx: TurnContext) -> Result<TurnReply, ModelError> {
///         if let Some(result) = input.results().next() {
///             assert_eq!(self.open.take().map(|receipt| receipt.call), Some(result.call.clone()));
///             return Ok("counted".into());
///         }
///         let receipt = cx.call("count_words", json!({"text": input.user_text()}))?;
///         assert_eq!(receipt.to_model_json()["status"], "accepted"); // For a model in the agent's own loop.
///         self.open = Some(receipt);
///         Ok(TurnReply::default())
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![count_words]).build()?;
/// # let agent = AsyncAgent::wrap(Counter::default(), manager).start().await?;
/// # assert_eq!(agent.run_to_completion("to be or not").await?.text, "counted");
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CallReceipt {
    /// Id of the call. The result has the same one: [`AsyncTaskResult::call`](crate::task::AsyncTaskResult::call).
    pub call: CallId,
    /// Name of the tool.
    pub tool: Arc<str>,
    /// Arguments of the call.
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

/// Error of a call after its turn.
///
/// ```
/// # use async_tool_runtime::{
/// #     agent::custom::{Agent, TurnContext, TurnInput, TurnOverError, TurnReply},
/// #     model::ModelError, AsyncAgent, AsyncToolManager,
/// # };
/// # use serde_json::json;
/// # use std::sync::{Arc, Mutex};
/// #[derive(Clone, Default)]
/// struct Keeper(Arc<Mutex<Option<TurnContext>>>);
///
/// impl Agent for Keeper {
///     type Error = ModelError;
///
///     async fn turn(&mut self, _input: TurnInput, cx: TurnContext) -> Result<TurnReply, ModelError> {
///         *self.0.lock().unwrap() = Some(cx); // Kept longer than the turn.
///         Ok("done".into())
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let keeper = Keeper::default();
/// # let agent = AsyncAgent::wrap(keeper.clone(), AsyncToolManager::builder().build()?).start().await?;
/// agent.run_to_completion("hello").await?;
/// let cx = keeper.0.lock().unwrap().take().expect("a turn has run");
/// assert!(cx.is_over());
/// assert_eq!(cx.call("search", json!({})), Err(TurnOverError));
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurnOverError;

impl fmt::Display for TurnOverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the turn is over; make calls only while it runs")
    }
}

impl Error for TurnOverError {}

impl From<TurnOverError> for crate::model::ModelError {
    fn from(error: TurnOverError) -> Self {
        Self::permanent(error.to_string()).with_source(error)
    }
}

/// End of a custom agent's turn: the rest of its text, and the cost of the turn. Default: no text, no cost.
///
/// ```
/// # use async_tool_runtime::{
/// #     agent::custom::{Agent, TurnContext, TurnInput, TurnReply},
/// #     model::{ModelError, Usage}, AsyncAgent, AsyncToolManager,
/// # };
/// # struct Echo;
/// impl Agent for Echo {
///     type Error = ModelError;
///
///     async fn turn(&mut self, input: TurnInput, _cx: TurnContext) -> Result<TurnReply, ModelError> {
///         Ok(TurnReply::new(input.user_text()).with_usage(Usage::new(12, 0, 3)))
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = AsyncAgent::wrap(Echo, AsyncToolManager::builder().build()?).start().await?;
/// let summary = agent.run_to_completion("hello").await?;
/// assert_eq!((&*summary.text, summary.totals.usage.output), ("hello", 3));
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use = "a reply is what `turn` returns"]
pub struct TurnReply {
    text: String,
    usage: Usage,
}

impl TurnReply {
    /// Ends the turn with this text, after the text of [`say`](TurnContext::say).
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            usage: Usage::default(),
        }
    }

    /// Sets the cost of the turn.
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
