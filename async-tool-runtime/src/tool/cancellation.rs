//! The signal to stop.

use tokio_util::sync as tokio_util;

/// Tells a tool to stop. Cancelling is cooperative: a tool that doesn't look is dropped after a grace time.
///
/// Clones are the same token. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct CancellationToken(tokio_util::CancellationToken);

impl CancellationToken {
    /// A token that nobody has cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A token that is cancelled with this one, and can be cancelled alone.
    #[must_use]
    pub fn child(&self) -> Self {
        Self(self.0.child_token())
    }

    /// Cancels this token, its clones and its children.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Whether the token has been cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until the token is cancelled.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn cancelled(&self) {
        self.0.cancelled().await;
    }

    /// Runs `work` unless the token is cancelled first; then it is dropped and `None` is returned.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe if `work` is.
    pub async fn run_until_cancelled<F: Future>(&self, work: F) -> Option<F::Output> {
        self.0.run_until_cancelled(work).await
    }
}
