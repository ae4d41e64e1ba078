//! Capabilities of a model's provider.

use crate::{content::MediaRules, schema::Dialect};

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
    /// Images, sounds and files that the model takes. Default: [`MediaRules::NONE`].
    ///
    /// The agent refuses a message with others at [`send`](crate::AsyncAgent::send). In results of tools, the model reads a
    /// description of others.
    pub media: MediaRules,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            dialect: Dialect::Plain,
            native_async: false,
            media: MediaRules::NONE,
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

    /// Sets the images, sounds and files that the model takes.
    ///
    /// ```
    /// use async_tool_runtime::{
    ///     content::{Media, MediaRule, MediaRules},
    ///     model::Capabilities,
    /// };
    ///
    /// const IMAGES: MediaRules = MediaRules::of(&[MediaRule::new("image/*")]);
    /// let capabilities = Capabilities::default().with_media(IMAGES);
    /// assert!(capabilities.media.takes(&Media::bytes("image/png", [1])));
    /// ```
    #[must_use]
    pub const fn with_media(mut self, media: MediaRules) -> Self {
        self.media = media;
        self
    }
}
