//! Texts with media in them.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Attachment, ContentError, Media, MediaRules, Part, error::MOST_BYTES, parts, shown};

/// Text with images, sounds and files in it: a message of the user, or the result of a tool.
///
/// ```
/// use async_tool_runtime::content::{Content, Media};
///
/// let content = Content::from("Compare ")
///     .with(Media::bytes("image/png", [1, 2]))
///     .with(" with ")
///     .with(Media::url("image/png", "https://example.org/b.png"));
/// assert_eq!(content.text(), "Compare  with ");
/// assert_eq!(content.parts().len(), 4);
/// ```
///
/// A tool that returns one gives the model a text and images, in their order:
///
/// ```
/// use async_tool_runtime::{async_tool, content::{Content, Media}};
///
/// /// Takes a photo.
/// #[async_tool(effect = "read")]
/// fn photo() -> Content {
///     Content::from("The harbour at noon: ").with(Media::bytes("image/jpeg", vec![0xff, 0xd8]))
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    text: String,
    media: Vec<Attachment>,
}

impl Content {
    /// Most bytes of all media of one message or result: 32 MiB, the largest request that providers take.
    pub const MAX_BYTES: u64 = MOST_BYTES;

    /// Content of a text and the media in it.
    #[must_use]
    pub const fn new(text: String, media: Vec<Attachment>) -> Self {
        Self { text, media }
    }

    /// Adds a text or media at the end.
    #[must_use]
    pub fn with(mut self, more: impl Into<Self>) -> Self {
        let Self { text, media } = more.into();
        let before = self.text.len();
        let moved = media
            .into_iter()
            .map(|Attachment { at, media }| Attachment::new(before + at, media));
        self.media.extend(moved);
        self.text.push_str(&text);
        self
    }

    /// The whole text, without the media.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The media, each with its place in the text.
    #[must_use]
    pub fn media(&self) -> &[Attachment] {
        &self.media
    }

    /// Texts and media, in order.
    #[must_use]
    pub fn parts(&self) -> Vec<Part<'_>> {
        parts(&self.text, &self.media)
    }

    /// Refuses media that a model doesn't take, and more than [`MAX_BYTES`](Self::MAX_BYTES).
    ///
    /// # Errors
    ///
    /// [`ContentError`]
    pub fn check(&self, rules: &MediaRules) -> Result<(), ContentError> {
        for attachment in &self.media {
            rules.check(&attachment.media)?;
        }
        let media = self.media.iter().filter_map(|attachment| attachment.media.as_bytes());
        let bytes: u64 = media.map(|bytes| bytes.len() as u64).sum();
        if bytes > Self::MAX_BYTES {
            return Err(ContentError::TooLarge { bytes });
        }
        Ok(())
    }

    /// The content for another session, whose journal doesn't have the bytes.
    pub(crate) fn unkept(mut self) -> Self {
        for attachment in &mut self.media {
            attachment.media = attachment.media.unkept();
        }
        self
    }

    pub(crate) fn media_mut(&mut self) -> impl Iterator<Item = &mut Media> {
        self.media.iter_mut().map(|attachment| &mut attachment.media)
    }

    /// The text and the media in it.
    #[must_use]
    pub fn into_parts(self) -> (String, Vec<Attachment>) {
        (self.text, self.media)
    }
}

/// The text, with descriptions in place of the media.
impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.text, &self.media))
    }
}

macro_rules! from_text {
    ($($text:ty)*) => {$(
        impl From<$text> for Content {
            fn from(text: $text) -> Self {
                Self { text: text.into(), media: Vec::new() }
            }
        }
    )*};
}

from_text! { String &str &mut str &String Box<str> Cow<'_, str> char }

impl From<Media> for Content {
    fn from(media: Media) -> Self {
        Self {
            text: String::new(),
            media: vec![Attachment::new(0, media)],
        }
    }
}

/// Media after each other, such as those of a prompt with many images.
impl<C: Into<Self>> FromIterator<C> for Content {
    fn from_iter<I: IntoIterator<Item = C>>(parts: I) -> Self {
        parts
            .into_iter()
            .fold(Self::default(), |content, part| content.with(part))
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Shown<'a> {
    Text(&'a str),
    Media(&'a Media),
}

/// A text alone is a string, media alone are media, and anything else is a list of both.
impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parts = self.parts();
        let shown = parts.iter().map(|part| match part {
            Part::Text(text) => Shown::Text(text),
            Part::Media(media) => Shown::Media(media),
        });
        match parts.as_slice() {
            [] => serializer.serialize_str(""),
            [Part::Text(text)] => serializer.serialize_str(text),
            [Part::Media(media)] => media.serialize(serializer),
            _ => serializer.collect_seq(shown),
        }
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Read {
            Text(String),
            Media(Media),
        }
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a text, media, or a list of both")]
        enum Whole {
            One(Read),
            Many(Vec<Read>),
        }
        let content = |part| match part {
            Read::Text(text) => Self::from(text),
            Read::Media(media) => Self::from(media),
        };
        Ok(match Whole::deserialize(deserializer)? {
            Whole::One(part) => content(part),
            Whole::Many(parts) => parts.into_iter().map(content).collect(),
        })
    }
}

impl schemars::JsonSchema for Content {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Content")
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let media = Media::json_schema(generator);
        schemars::json_schema!({
            "description": "A text, or a list of texts and media.",
            "anyOf": [
                {"type": "string"},
                media,
                {"type": "array", "items": {"anyOf": [{"type": "string"}, media]}},
            ],
        })
    }
}
