//! Kinds of media.

/// Kind of media, by the MIME type.
///
/// ```
/// use async_tool_runtime::content::{Media, MediaKind};
///
/// let photo = Media::url("image/jpeg", "https://example.org/shop.jpg");
/// assert_eq!(photo.kind(), MediaKind::Image);
/// assert_eq!(Media::bytes("application/pdf", *b"%PDF").kind(), MediaKind::File);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MediaKind {
    /// `image/…`
    Image,
    /// `audio/…`
    Audio,
    /// `video/…`
    Video,
    /// Any other type.
    File,
}

impl MediaKind {
    /// Name of the kind, such as `image`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Audio => "audio",
            Self::Video => "video",
            Self::File => "file",
        }
    }
}
