//! Capabilities of a model's provider.

use crate::schema::Dialect;

/// Capabilities of a model's provider, as far as the agent uses them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Dialect of the provider's tool schemas. An agent doesn't start with a tool whose schema can't be said in it. Default:
    /// [`Dialect::Plain`].
    pub dialect: Dialect,
    /// True if calls may stay open while the conversation goes on, and be answered late and in their own place. Such a model is shown no
    /// acknowledgements, so there is no use in asking it again for them: an agent without an
    /// [`ack_policy`](crate::agent::AsyncAgentBuilder::ack_policy) of its own has [`AckPolicy::Deferred`](crate::agent::AckPolicy::Deferred) then. Default: no.
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
    /// The same with another dialect.
    #[must_use]
    pub const fn with_dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// The same for a provider whose calls may stay open.
    #[must_use]
    pub const fn with_native_async(mut self, is_native: bool) -> Self {
        self.native_async = is_native;
        self
    }
}
