//! Cancellation of a running tool.

use std::sync::Arc;

use tokio::sync::SetOnce;

use crate::future::BoxFuture;

/// Signal for a tool to stop: `#[inject] cancellation: CancellationToken`, or [`ToolContext::cancellation`](super::ToolContext::cancellation).
///
/// Cancellation is cooperative: a tool that doesn't react is dropped after the stop timeout. Clones are the same token. Cheap to clone.
///
/// ```
/// use async_tool_runtime::{async_tool, tools, AsyncToolManager, CancellationToken, SessionId, TaskOutcome, ToolCall};
/// use serde_json::json;
///
/// /// Watches a folder until it is stopped.
/// #[async_tool(effect = "read")]
/// async fn watch(#[inject] cancellation: CancellationToken) -> Result<(), String> {
///     cancellation.cancelled().await;
///     Err("saw 3 changes".to_owned()) // The model reads this with the reason.
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tools(tools![watch]).build()?;
/// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "watch", json!({})))?;
/// # tokio::task::yield_now().await;
/// task.cancel("enough");
/// assert!(matches!(&task.outcome().await.outcome, TaskOutcome::Cancelled(reason) if reason.starts_with("enough")));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct CancellationToken(Arc<Node>);

/// A token knows its parent, but not its children. So there is no list to maintain, and no lock.
#[derive(Debug, Default)]
struct Node {
    fired: SetOnce<()>,
    parent: Option<CancellationToken>,
}

impl CancellationToken {
    /// Token that isn't cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Child token: cancelled with this one, and can be cancelled alone.
    ///
    /// ```
    /// use async_tool_runtime::CancellationToken;
    ///
    /// let task = CancellationToken::new();
    /// let (download, index) = (task.child(), task.child());
    /// download.cancel();
    /// assert!(download.is_cancelled() && !index.is_cancelled() && !task.is_cancelled());
    /// task.cancel();
    /// assert!(index.is_cancelled());
    /// ```
    #[must_use]
    pub fn child(&self) -> Self {
        Self(Arc::new(Node {
            fired: SetOnce::new(),
            parent: Some(self.clone()),
        }))
    }

    /// Cancels this token, its clones and its children.
    pub fn cancel(&self) {
        let _was_cancelled_before = self.0.fired.set(());
    }

    /// True if the token or one of its ancestors has been cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        let mut token = self;
        loop {
            if token.0.fired.initialized() {
                return true;
            }
            match &token.0.parent {
                Some(parent) => token = parent,
                None => return false,
            }
        }
    }

    /// Waits until the token is cancelled.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn cancelled(&self) {
        match &self.0.parent {
            Some(parent) => self.with(parent).await,
            None => {
                self.0.fired.wait().await;
            }
        }
    }

    /// Waits until this token or its parent is cancelled. Boxed, because the type of the future would contain itself; most tokens have no
    /// parent, and so need no box.
    fn with<'a>(&'a self, parent: &'a Self) -> BoxFuture<'a, ()> {
        Box::pin(async {
            tokio::select! {
                biased;
                _ = self.0.fired.wait() => {}
                () = parent.cancelled() => {}
            }
        })
    }

    /// Runs `work` to its end, or until the token is cancelled: then drops it and returns `None`.
    ///
    /// ```
    /// use async_tool_runtime::CancellationToken;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let cancellation = CancellationToken::new();
    /// assert_eq!(cancellation.run_until_cancelled(async { 5 }).await, Some(5));
    /// cancellation.cancel();
    /// assert_eq!(cancellation.run_until_cancelled(std::future::pending::<u8>()).await, None);
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe if `work` is.
    pub async fn run_until_cancelled<F: Future>(&self, work: F) -> Option<F::Output> {
        tokio::select! {
            biased;
            () = self.cancelled() => None,
            output = work => Some(output),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CancellationToken;

    #[tokio::test]
    async fn a_child_is_cancelled_with_its_parent_and_alone() {
        let parent = CancellationToken::new();
        let (one, other) = (parent.child(), parent.child().child());
        one.cancel();
        one.cancelled().await;
        assert!(!parent.is_cancelled() && !other.is_cancelled());

        let waiting = tokio::spawn({
            let other = other.clone();
            async move { other.cancelled().await }
        });
        tokio::task::yield_now().await;
        parent.cancel();
        waiting.await.unwrap();
        assert!(other.is_cancelled() && parent.child().is_cancelled());
    }
}
