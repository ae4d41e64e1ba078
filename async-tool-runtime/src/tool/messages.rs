//! What the host says to a task while it runs.

use std::fmt;

use tokio::runtime::Handle;

use super::{FromToolContext, ToolContext, ToolError};

/// Reads what is said to a task while it runs: `#[inject] mut messages: Messages`, or [`ToolContext::messages`].
///
/// Messages come from [`TaskHandle::send`](crate::manager::TaskHandle::send) and [`AsyncToolManager::send`](crate::manager::AsyncToolManager::send), in the
/// order in which they were sent. Those that were sent before the tool asks, also while the task waited in the queue, are kept; so
/// are those that an attempt has not read, for the next one. What is never read is dropped when the task ends. Each message is
/// given once: of several `Messages` of one task, whichever asks first gets it. Where calls share one run, what is sent to any of them
/// is read by that run.
///
/// A task that waits for a message keeps its slot, and its timeout goes on.
///
/// ```
/// use async_tool_runtime::{async_tool, tool::Messages};
///
/// /// Explores a topic until it is told that it is enough.
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
    /// Reader of the messages that are sent to the task.
    #[must_use]
    pub fn messages(&self) -> Messages {
        Messages(self.clone())
    }
}

impl Messages {
    /// Waits for the next message. `None` means that none will be given any more: the attempt was told to stop (by a cancellation, or
    /// because its time was up), the task has ended, or nobody can send to it, as outside of a manager and on a
    /// [`Backend`](crate::backend::Backend). Ask [`ToolContext::is_cancelled`] where that makes a difference. A tool that has waited here when its
    /// time is up may tidy up, as one that has taken its [token](ToolContext::cancellation).
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: a future that is dropped has taken no message.
    pub async fn recv(&mut self) -> Option<String> {
        let host = self.0.host()?;
        tokio::select! {
            biased;
            () = self.0.cancellation().cancelled() => None,
            message = host.next_message() => message,
        }
    }

    /// The next message, if one is there.
    pub fn try_recv(&mut self) -> Option<String> {
        self.0.host()?.take_message()
    }

    /// Like [`recv`](Self::recv), for functions that aren't async: blocks the thread, which is one of the blocking pool, until a message
    /// is there or none will be given any more.
    ///
    /// # Panics
    ///
    /// In an async function, whose thread must not be blocked.
    pub fn blocking_recv(&mut self) -> Option<String> {
        // Nobody can send without a runtime: a unit test calls the function like this.
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
