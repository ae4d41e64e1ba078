//! Media that a model takes.

use super::{ContentError, Media, MediaSource};

/// Media of some types that a model takes.
///
/// ```
/// use async_tool_runtime::content::{Media, MediaRule};
///
/// let images = MediaRule::new("image/*").by_url(false);
/// assert!(images.takes(&Media::bytes("image/png", [1])));
/// assert!(!images.takes(&Media::url("image/png", "https://example.org/a.png")));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MediaRule {
    /// MIME type; `image/*` for all of a kind, `*/*` for all.
    pub types: &'static str,
    /// True if the model takes the bytes. Default: true.
    pub bytes: bool,
    /// True if the provider fetches a URL. Default: true.
    pub url: bool,
    /// True if the results of tools can hold them. Default: false.
    ///
    /// The model reads a description of others.
    pub in_results: bool,
}

impl MediaRule {
    /// Rule for media in messages of the user, by bytes and URL.
    #[must_use]
    pub const fn new(types: &'static str) -> Self {
        Self {
            types,
            bytes: true,
            url: true,
            in_results: false,
        }
    }

    /// Sets whether the model takes the bytes.
    #[must_use]
    pub const fn by_bytes(mut self, is_taken: bool) -> Self {
        self.bytes = is_taken;
        self
    }

    /// Sets whether the provider fetches a URL.
    #[must_use]
    pub const fn by_url(mut self, is_taken: bool) -> Self {
        self.url = is_taken;
        self
    }

    /// Sets whether the results of tools can hold them too.
    #[must_use]
    pub const fn in_results(mut self, is_taken: bool) -> Self {
        self.in_results = is_taken;
        self
    }

    /// True if the rule is about media of this type.
    fn is_of(&self, media: &Media) -> bool {
        let essence = media.essence();
        match self.types.strip_suffix('*') {
            Some("*/") => true,
            Some(kind) => essence.starts_with(kind),
            None => essence == self.types,
        }
    }

    /// True if the model takes these media from this source.
    #[must_use]
    pub fn takes(&self, media: &Media) -> bool {
        let is_source = match media.source() {
            MediaSource::Bytes(_) => self.bytes,
            MediaSource::Url(_) => self.url,
            MediaSource::Blob { .. } | MediaSource::Withheld { .. } => false,
        };
        is_source && self.is_of(media)
    }
}

/// All media that a model takes. Default: none.
///
/// ```
/// use async_tool_runtime::content::{Media, MediaRule, MediaRules};
///
/// const RULES: MediaRules = MediaRules::of(&[
///     MediaRule::new("image/png").in_results(true),
///     MediaRule::new("application/pdf").by_url(false),
/// ]);
/// assert!(RULES.check(&Media::bytes("application/pdf", *b"%PDF")).is_ok());
/// let error = RULES.check(&Media::url("application/pdf", "https://example.org/a.pdf")).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "the model takes no application/pdf as a URL: it takes image/png, application/pdf (only as bytes)"
/// );
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MediaRules(&'static [MediaRule]);

impl MediaRules {
    /// A model that takes text only.
    pub const NONE: Self = Self(&[]);

    /// Media that one of these rules takes.
    #[must_use]
    pub const fn of(rules: &'static [MediaRule]) -> Self {
        Self(rules)
    }

    /// True if a message of the user can hold these media.
    #[must_use]
    pub fn takes(&self, media: &Media) -> bool {
        self.0.iter().any(|rule| rule.takes(media))
    }

    /// True if the result of a tool can hold these media.
    #[must_use]
    pub fn takes_in_results(&self, media: &Media) -> bool {
        self.0.iter().any(|rule| rule.in_results && rule.takes(media))
    }

    /// Refuses media that the model doesn't take in a message of the user.
    ///
    /// # Errors
    ///
    /// [`ContentError::NotTaken`] and [`ContentError::Withheld`].
    pub fn check(&self, media: &Media) -> Result<(), ContentError> {
        if self.takes(media) {
            return Ok(());
        }
        if media.is_withheld() {
            return Err(ContentError::Withheld {
                media: media.describe(),
            });
        }
        let mut types: Vec<&str> = self.0.iter().map(|rule| rule.types).collect();
        types.dedup();
        let names = types.iter().map(|types| {
            let by =
                |is_taken: fn(&MediaRule) -> bool| self.0.iter().any(|rule| rule.types == *types && is_taken(rule));
            match (by(|rule| rule.bytes), by(|rule| rule.url)) {
                (true, false) => format!("{types} (only as bytes)"),
                (false, true) => format!("{types} (only as a URL)"),
                _ => (*types).to_owned(),
            }
        });
        let names: Vec<String> = names.collect();
        Err(ContentError::NotTaken {
            mime_type: media.essence().to_owned(),
            source: if media.as_url().is_some() { "url" } else { "bytes" },
            taken: if names.is_empty() {
                "text only".to_owned()
            } else {
                names.join(", ")
            },
        })
    }
}
