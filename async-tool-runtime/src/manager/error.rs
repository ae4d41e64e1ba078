//! Why a call was not accepted.

use std::fmt;

use crate::tool::{ToolCall, ToolError, ToolErrorKind};

/// A call was not accepted; nothing has run. The call is handed back.
#[derive(Debug)]
pub struct SubmitError(Box<(ToolCall, ToolError)>);

impl SubmitError {
    pub(crate) fn new(call: ToolCall, error: ToolError) -> Self {
        Self(Box::new((call, error)))
    }

    /// Kind of the refusal: [`UnknownTool`](ToolErrorKind::UnknownTool),
    /// [`InvalidArguments`](ToolErrorKind::InvalidArguments), [`Overloaded`](ToolErrorKind::Overloaded),
    /// [`Unavailable`](ToolErrorKind::Unavailable) while the manager shuts down, or
    /// [`Internal`](ToolErrorKind::Internal) outside of a tokio runtime.
    #[must_use]
    pub fn kind(&self) -> ToolErrorKind {
        self.error().kind()
    }

    /// The refusal as an error that the model can read.
    #[must_use]
    pub fn error(&self) -> &ToolError {
        &self.0.1
    }

    /// The call that was refused.
    #[must_use]
    pub fn call(&self) -> &ToolCall {
        &self.0.0
    }

    /// The call that was refused, and why.
    #[must_use]
    pub fn into_parts(self) -> (ToolCall, ToolError) {
        *self.0
    }
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call of `{}` refused: {}", self.call().name, self.error())
    }
}

impl std::error::Error for SubmitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(self.error())
    }
}
