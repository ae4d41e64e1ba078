//! Refusal of content.

use std::{error::Error, fmt};

/// Most bytes of all media of one message or result.
pub(super) const MOST_BYTES: u64 = 32 * 1024 * 1024;

/// Refusal of content, before any of it is kept.
///
/// ```
/// use async_tool_runtime::content::{Media, MediaRules};
///
/// let error = MediaRules::NONE.check(&Media::bytes("image/png", [1, 2, 3])).unwrap_err();
/// assert_eq!(error.to_string(), "the model takes no image/png as bytes: it takes text only");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContentError {
    /// The model doesn't take media of this type, or not from this kind of source.
    NotTaken {
        /// MIME type of the media.
        mime_type: String,
        /// Source of the media: `bytes` or `url`.
        source: &'static str,
        /// Types that the model takes, for the reader.
        taken: String,
    },
    /// The media of one message or result have more bytes together than [`Content::MAX_BYTES`](super::Content::MAX_BYTES).
    TooLarge {
        /// Number of bytes.
        bytes: u64,
    },
    /// The media have no bytes and no URL: they come from a part of a conversation that was shortened.
    Withheld {
        /// Description of the media.
        media: String,
    },
}

impl fmt::Display for ContentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTaken {
                mime_type,
                source,
                taken,
            } => {
                let source = if *source == "url" { "a URL" } else { "bytes" };
                write!(f, "the model takes no {mime_type} as {source}: it takes {taken}")
            }
            Self::TooLarge { bytes } => write!(
                f,
                "the media have {bytes} bytes together, and at most {MOST_BYTES} are taken; send smaller ones, or a URL"
            ),
            Self::Withheld { media } => write!(f, "{media} has no bytes any more; send the original"),
        }
    }
}

impl Error for ContentError {}
