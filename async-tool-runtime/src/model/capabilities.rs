//! Capabilities of a model's provider.

use crate::schema::Dialect;

/// Capabilities of a model's provider that the agent uses.
///
/// ```
/// use async_tool_runtime::{model::Capabilities, schema::Dialect};
///
/// let plain = Capabilities::default();
/// assert_eq!((plain.dialect, plain.native_async), (Dialect::Plain, false));
/// let gemini = Capabilities::default().with_dialect(Dialect::Gemini).with_native_async(true);
/// assert!(gemini.native_async);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Dialect of the provider's tool schemas. Default: [`Dialect::Plain`].
    ///
    /// An agent doesn't start with a tool whose schema the dialect can't express.
    pub dialect: Dialect,
    /// True if calls may stay open while the conversation goes on, and may be answered later in their own place. Default: false.
    ///
    /// Such a model sees no acknowledgements, so calling it again because of them is useless. Its agent defaults to
    /// [`AckPolicy::Deferred`](crate::agent::AckPolicy::Deferred), unless an
    /// [`ack_policy`](crate::agent::AsyncAgentBuilder::ack_policy) is set.
    pub native_async: bool,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            dialect: Dialect::Plain,
            native_async: false,
        }
    }
}

impl Capabilities {
    /// Sets the dialect of tool schemas.
    #[must_use]
    pub const fn with_dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Sets whether calls may stay open while the conversation goes on.
    #[must_use]
    pub const fn with_native_async(mut self, is_native: bool) -> Self {
        self.native_async = is_native;
        self
    }
}
