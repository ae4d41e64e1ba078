//! The signal to stop.

use std::sync::Arc;

use tokio::sync::SetOnce;

use crate::future::BoxFuture;

/// Tells a tool to stop. Cancelling is cooperative: a tool that doesn't look is dropped after a grace time.
///
/// Clones are the same token. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct CancellationToken(Arc<Node>);

/// A token knows its parent, and a parent knows no children: so there is no list to keep, and nothing to lock.
#[derive(Debug, Default)]
struct Node {
    fired: SetOnce<()>,
    parent: Option<CancellationToken>,
}

impl CancellationToken {
    /// A token that nobody has cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A token that is cancelled with this one, and can be cancelled alone.
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

    /// Whether the token has been cancelled.
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

    /// Waits until one of both is cancelled. In a box: a future can't be of a type that is made of itself, and most tokens have no parent.
    fn with<'a>(&'a self, parent: &'a Self) -> BoxFuture<'a, ()> {
        Box::pin(async {
            tokio::select! {
                _ = self.0.fired.wait() => {}
                () = parent.cancelled() => {}
            }
        })
    }

    /// Runs `work` unless the token is cancelled first; then it is dropped and `None` is returned.
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
