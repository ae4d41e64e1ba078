//! A call that is ready to run.

use serde_json::Value;

use super::{context::ToolContext, error::ToolError};
use crate::future::BoxFuture;

/// A call whose arguments have been checked, ready to run once.
pub struct BoundCall(pub(crate) Run);

/// Function of a bound call, for the async threads or for the blocking pool.
pub(crate) enum Run {
    Async(Box<dyn FnOnce(ToolContext) -> BoxFuture<'static, Result<Value, ToolError>> + Send>),
    Blocking(Box<dyn FnOnce(ToolContext) -> Result<Value, ToolError> + Send>),
}

impl BoundCall {
    /// A call that runs on the async threads. It must not block: use [`BoundCall::blocking`] for what does.
    #[must_use]
    pub fn future<F, Fut>(run: F) -> Self
    where
        F: FnOnce(ToolContext) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Value, ToolError>> + Send + 'static,
    {
        Self(Run::Async(Box::new(|cx| Box::pin(run(cx)))))
    }

    /// A call that runs on tokio's blocking pool.
    #[must_use]
    pub fn blocking<F>(run: F) -> Self
    where
        F: FnOnce(ToolContext) -> Result<Value, ToolError> + Send + 'static,
    {
        Self(Run::Blocking(Box::new(run)))
    }
}

impl std::fmt::Debug for BoundCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Run::Async(_) => "BoundCall::future(..)",
            Run::Blocking(_) => "BoundCall::blocking(..)",
        })
    }
}
