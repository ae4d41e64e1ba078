//! Parts of content, in their order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Media, StoredMedia};

/// Media at a place in a text.
///
/// ```
/// use async_tool_runtime::content::{Content, Media};
///
/// let question = Content::from("What is ").with(Media::bytes("image/png", [1])).with(" for?");
/// assert_eq!((question.text(), question.media()[0].at), ("What is  for?", 8));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Attachment {
    /// Number of bytes of the text before the media, in UTF-8.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub at: usize,
    /// The media.
    #[schemars(with = "StoredMedia")]
    pub media: Media,
}

impl Attachment {
    /// Media after this many bytes of a text.
    #[must_use]
    pub const fn new(at: usize, media: Media) -> Self {
        Self { at, media }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_zero(at: &usize) -> bool {
    *at == 0
}

/// Part of content.
///
/// ```
/// use async_tool_runtime::content::{Content, Media, Part};
///
/// let question = Content::from("What is ").with(Media::bytes("image/png", [1]));
/// let names: Vec<&str> = question
///     .parts()
///     .into_iter()
///     .map(|part| match part {
///         Part::Text(_) => "text",
///         Part::Media(media) => media.kind().as_str(),
///         _ => "other",
///     })
///     .collect();
/// assert_eq!(names, ["text", "image"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part<'a> {
    /// Text, never empty.
    Text(&'a str),
    /// An image, sound or file.
    Media(&'a Media),
}

/// Parts of a text with media in it, in order.
///
/// A place beyond the text, or inside a character, is moved back: a text may have been cut.
///
/// ```
/// use async_tool_runtime::content::{Attachment, Media, Part, parts};
///
/// let photo = Media::bytes("image/png", [1]);
/// let media = [Attachment::new(7, photo.clone())];
/// assert_eq!(parts("before after", &media), [Part::Text("before "), Part::Media(&photo), Part::Text("after")]);
/// ```
#[must_use]
pub fn parts<'a>(text: &'a str, media: &'a [Attachment]) -> Vec<Part<'a>> {
    let mut parts = Vec::with_capacity(media.len() * 2 + 1);
    let mut begin = 0;
    for attachment in media {
        let end = boundary(text, attachment.at).max(begin);
        if end > begin {
            parts.push(Part::Text(&text[begin..end]));
        }
        parts.push(Part::Media(&attachment.media));
        begin = end;
    }
    if begin < text.len() {
        parts.push(Part::Text(&text[begin..]));
    }
    parts
}

/// A text with descriptions in place of the media in it.
///
/// ```
/// use async_tool_runtime::content::{Attachment, Media, shown};
///
/// let photo = Media::bytes("image/png", [1]);
/// assert_eq!(shown("Look: ", &[Attachment::new(6, photo)]), "Look: [image: image/png, 1 byte]");
/// ```
#[must_use]
pub fn shown(text: &str, media: &[Attachment]) -> String {
    let parts = parts(text, media);
    parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => (*text).to_owned(),
            Part::Media(media) => media.describe(),
        })
        .collect()
}

/// Last place between two characters up to `at`.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
