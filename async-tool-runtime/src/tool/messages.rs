//! Messages from the host to a running task.

use std::fmt;

use tokio::runtime::Handle;

use super::{FromToolContext, ToolContext, ToolError};

/// Receiver of messages to the running task: `#[inject] mut messages: Messages`, or [`ToolContext::messages`].
///
/// Messages come from [`TaskHandle::send`](crate::manager::TaskHandle::send) and [`AsyncToolManager::send`](crate::manager::AsyncToolManager::send),
/// in the order in which they were sent.
///
/// - Messages are kept until the tool reads them, also while the task waits in the queue. Messages that one attempt hasn't read go to the
///   next attempt. When the task ends, unread messages are dropped.
/// - Each message is received once. If a task has several `Messages`, the first one to ask gets it.
/// - If calls share one run, that run receives the messages to all of them.
///
/// A task that waits for a message keeps its slot, and its timeout goes on.
///
/// ```
/// use async_tool_runtime::{async_tool, tool::Messages};
///
/// /// Explores a topic until it is told to stop.
/// #[async_tool(effect = "read")]
/// async fn explore(topic: String, #[inject] mut messages: Messages) -> Vec<String> {
///     let mut notes = vec![topic];
///     while let Some(message) = messages.recv().await {
///         if message == "enough" {
///             break;
///         }
///         notes.push(message);
///     }
///     notes
/// }
/// ```
pub struct Messages(ToolContext);

impl ToolContext {
    /// Receiver of the messages that are sent to the task.
    #[must_use]
    pub fn messages(&self) -> Messages {
        Messages(self.clone())
    }
}

impl Messages {
    /// Waits for the next message; `None` if no message can come any more.
    ///
    /// It returns `None` if the attempt was told to stop (by a cancellation or its timeout) or the task has ended. It also does so outside
    /// of a manager and on a [`Backend`](crate::backend::Backend), where messages can't be sent. [`ToolContext::is_cancelled`] tells the
    /// first case from the rest. A tool that waits here when its timeout passes may tidy up, like a tool that has taken its
    /// [token](ToolContext::cancellation).
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: no message is lost if the future is dropped.
    pub async fn recv(&mut self) -> Option<String> {
        let host = self.0.host()?;
        tokio::select! {
            biased;
            () = self.0.cancellation().cancelled() => None,
            message = host.next_message() => message,
        }
    }

    /// Next message, if one is there. Never waits.
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, tool::Messages, tools, AsyncToolManager, SessionId, ToolCall};
    /// use serde_json::json;
    ///
    /// /// Adds up numbers, and a bonus if there is a message.
    /// #[async_tool(effect = "read")]
    /// fn total(numbers: Vec<i64>, #[inject] mut messages: Messages) -> i64 {
    ///     let bonus = messages.try_recv().and_then(|text| text.parse().ok()).unwrap_or(0);
    ///     numbers.iter().sum::<i64>() + bonus
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = AsyncToolManager::builder().tools(tools![total]).build()?;
    /// let call = ToolCall::new("call_1", "total", json!({"numbers": [1, 2]}));
    /// let task = manager.submit(&SessionId::new("example"), call)?;
    /// task.send("10")?;
    /// assert_eq!(task.outcome().await.outcome.value(), Some(&json!(13)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_recv(&mut self) -> Option<String> {
        self.0.host()?.take_message()
    }

    /// Blocks the thread until a message is there or none can come any more; otherwise like [`recv`](Self::recv).
    ///
    /// For functions that aren't async, which run on the blocking pool.
    ///
    /// # Panics
    ///
    /// Panics in an async function, whose thread must not be blocked.
    pub fn blocking_recv(&mut self) -> Option<String> {
        // Without a runtime no message can come: a unit test calls the function like this.
        let runtime = Handle::try_current().ok()?;
        runtime.block_on(self.recv())
    }
}

impl FromToolContext for Messages {
    fn from_tool_context(cx: &ToolContext) -> Result<Self, ToolError> {
        Ok(cx.messages())
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Messages(..)")
    }
}
