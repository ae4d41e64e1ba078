//! What an adapter says of its provider.

use crate::schema::Dialect;

/// What a model's provider can do, as far as the agent has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// How the provider wants the schemas of tools. An agent doesn't start with a tool whose schema can't be said so. Default:
    /// [`Dialect::Plain`].
    pub dialect: Dialect,
    /// Whether calls may stay open while the conversation goes on, and be answered late and in their own place. Such a model is shown no
    /// acknowledgements, so there is no use in asking it again for them: an agent without an
    /// [`ack_policy`](crate::AsyncAgentBuilder::ack_policy) of its own has [`AckPolicy::Deferred`](crate::AckPolicy::Deferred) then. Default: no.
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
