//! Images, sounds and files.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, OnceLock},
};

use serde_json::Value;

use super::{MediaKind, base64};

/// Longest name and MIME type that a description quotes, in characters.
const QUOTED: usize = 120;

/// Image, sound or file: its MIME type, its name, and its bytes or URL. A cheap handle: clones share the bytes.
///
/// A tool can return it, alone or within its result; the model then sees the image itself, where its provider can carry one in a
/// result:
///
/// ```
/// use async_tool_runtime::{async_tool, content::Media};
///
/// #[derive(serde::Serialize)]
/// struct Plot {
///     points: usize,
///     chart: Media,
/// }
///
/// /// Draws a chart.
/// #[async_tool(effect = "read")]
/// fn draw(points: usize) -> Plot {
///     let png = vec![0x89, b'P', b'N', b'G'];
///     Plot { points, chart: Media::bytes("image/png", png).with_name("chart.png") }
/// }
/// ```
///
/// In JSON it is an object of one field, `$media`, which nothing else should have. A record of a task has the media in
/// [`media`](crate::AsyncTaskResult::media), and a description in their place.
#[derive(Clone)]
pub struct Media {
    mime_type: Arc<str>,
    name: Option<Arc<str>>,
    source: MediaSource,
    /// Name of the bytes in the session's journal, once it has them. Shared by all clones, so that whatever is written later of the
    /// session has the name in place of the bytes.
    kept: Arc<OnceLock<Arc<str>>>,
}

/// Place of the bytes of [`Media`].
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MediaSource {
    /// The provider of the model fetches the bytes from this URL.
    Url(Arc<str>),
    /// The bytes.
    Bytes(Arc<[u8]>),
    /// The bytes are in the journal, under a name that the journal gave them.
    Blob {
        /// Name of the bytes.
        blob: Arc<str>,
        /// Number of bytes.
        bytes: u64,
    },
    /// The bytes are not shown: the conversation was shortened, or a journal lost them.
    Withheld {
        /// Number of bytes; 0 for a URL.
        bytes: u64,
    },
}

impl Media {
    /// Media of these bytes.
    ///
    /// ```
    /// use async_tool_runtime::content::{Media, MediaKind};
    ///
    /// let sound = Media::bytes("audio/wav", b"RIFF".to_vec());
    /// assert_eq!((sound.kind(), sound.size()), (MediaKind::Audio, Some(4)));
    /// ```
    #[must_use]
    pub fn bytes(mime_type: impl Into<Arc<str>>, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::of(mime_type.into(), MediaSource::Bytes(bytes.into()))
    }

    /// Media that the provider fetches from a URL. The model must be able to, see
    /// [`Capabilities::media`](crate::model::Capabilities::media).
    ///
    /// ```
    /// use async_tool_runtime::content::Media;
    ///
    /// let photo = Media::url("image/jpeg", "https://example.org/sea.jpg");
    /// assert_eq!(photo.describe(), "[image: image/jpeg, https://example.org/sea.jpg]");
    /// ```
    #[must_use]
    pub fn url(mime_type: impl Into<Arc<str>>, url: impl Into<Arc<str>>) -> Self {
        Self::of(mime_type.into(), MediaSource::Url(url.into()))
    }

    pub(super) fn of(mime_type: Arc<str>, source: MediaSource) -> Self {
        // A common slip, which providers refuse.
        let mime_type = if &*mime_type == "image/jpg" {
            "image/jpeg".into()
        } else {
            mime_type
        };
        Self {
            // MIME types have no upper case of their own (RFC 6838), and the rules of models are in lower case.
            mime_type: match mime_type.bytes().any(|byte| byte.is_ascii_uppercase()) {
                true => mime_type.to_ascii_lowercase().into(),
                false => mime_type,
            },
            name: None,
            source,
            kept: Arc::default(),
        }
    }

    /// The media for another session, whose journal doesn't have the bytes.
    pub(crate) fn unkept(&self) -> Self {
        Self {
            kept: Arc::default(),
            ..self.clone()
        }
    }

    /// Notes that the journal of the session has the bytes under this name.
    pub(crate) fn keep(&self, blob: Arc<str>) {
        // Equal bytes have one name.
        let _known = self.kept.set(blob);
    }

    /// Name of the bytes in the session's journal.
    pub(crate) fn blob(&self) -> Option<&Arc<str>> {
        match &self.source {
            MediaSource::Blob { blob, .. } => Some(blob),
            _ => self.kept.get(),
        }
    }

    /// Puts the bytes from the session's journal in the place of their name.
    pub(crate) fn found(&mut self, bytes: Arc<[u8]>) {
        if let MediaSource::Blob { blob, .. } = &self.source {
            let blob = Arc::clone(blob);
            *self = self.clone().with_source(MediaSource::Bytes(bytes));
            self.keep(blob);
        }
    }

    /// Sets the name, such as that of a file.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Replaces the source, and keeps name and type.
    #[must_use]
    pub fn with_source(mut self, source: MediaSource) -> Self {
        self.source = source;
        self.kept = Arc::default();
        self
    }

    /// MIME type, in lower case.
    #[must_use]
    pub fn mime_type(&self) -> &str {
        &self.mime_type
    }

    /// MIME type without parameters: `text/plain` of `text/plain; charset=utf-8`.
    #[must_use]
    pub fn essence(&self) -> &str {
        self.mime_type.split(';').next().unwrap_or_default().trim()
    }

    /// Name, if there is one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Place of the bytes.
    #[must_use]
    pub const fn source(&self) -> &MediaSource {
        &self.source
    }

    /// Kind, by the MIME type.
    #[must_use]
    pub fn kind(&self) -> MediaKind {
        match self.mime_type.split('/').next() {
            Some("image") => MediaKind::Image,
            Some("audio") => MediaKind::Audio,
            Some("video") => MediaKind::Video,
            _ => MediaKind::File,
        }
    }

    /// The bytes, if they are here.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&Arc<[u8]>> {
        match &self.source {
            MediaSource::Bytes(bytes) => Some(bytes),
            MediaSource::Url(_) | MediaSource::Blob { .. } | MediaSource::Withheld { .. } => None,
        }
    }

    /// The URL, if the media are given by one.
    #[must_use]
    pub fn as_url(&self) -> Option<&str> {
        match &self.source {
            MediaSource::Url(url) => Some(url),
            MediaSource::Bytes(_) | MediaSource::Blob { .. } | MediaSource::Withheld { .. } => None,
        }
    }

    /// The bytes in base64, if they are here.
    #[must_use]
    pub fn to_base64(&self) -> Option<String> {
        self.as_bytes().map(|bytes| base64::encode(bytes))
    }

    /// Number of bytes; `None` for a URL.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        match &self.source {
            MediaSource::Bytes(bytes) => Some(bytes.len() as u64),
            MediaSource::Blob { bytes, .. } => Some(*bytes),
            MediaSource::Withheld { bytes } => Some(*bytes).filter(|bytes| *bytes > 0),
            MediaSource::Url(_) => None,
        }
    }

    /// Media without their bytes or URL. A model sees their description in place of them.
    ///
    /// ```
    /// use async_tool_runtime::content::Media;
    ///
    /// let photo = Media::bytes("image/png", [1, 2, 3]).withheld();
    /// assert_eq!((photo.as_bytes(), photo.size()), (None, Some(3)));
    /// assert_eq!(photo.describe(), "[image: image/png, 3 bytes, not shown any more]");
    /// ```
    #[must_use]
    pub fn withheld(&self) -> Self {
        let bytes = self.size().unwrap_or_default();
        self.clone().with_source(MediaSource::Withheld { bytes })
    }

    /// True if neither bytes nor URL are here.
    #[must_use]
    pub const fn is_withheld(&self) -> bool {
        matches!(self.source, MediaSource::Blob { .. } | MediaSource::Withheld { .. })
    }

    /// Description in place of the media: kind, name, type, and size or URL.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = format!("[{}", self.kind().as_str());
        if let Some(name) = &self.name {
            text.push_str(&format!(" {}", Value::from(&*quoted(name))));
        }
        text.push_str(&format!(": {}", quoted(&self.mime_type)));
        match (&self.source, self.size()) {
            (MediaSource::Url(url), _) => text.push_str(&format!(", {}", quoted(url))),
            (_, Some(1)) => text.push_str(", 1 byte"),
            (_, Some(bytes)) => text.push_str(&format!(", {bytes} bytes")),
            (_, None) => {}
        }
        if self.is_withheld() {
            text.push_str(", not shown any more");
        }
        text.push(']');
        text
    }

    /// Estimate of the tokens that a model counts for the media.
    ///
    /// Providers scale images to about 1,600 tokens at most (Anthropic: width times height by 750, to 1,568), count sounds by
    /// seconds (Gemini: 32 a second), and documents by pages. Of a file, only the size is known here, so this is a rough guess.
    #[must_use]
    pub fn tokens(&self) -> usize {
        /// Tokens of an image at its largest size.
        const IMAGE: usize = 1_600;
        /// Tokens of a sound or file of unknown size.
        const UNKNOWN: usize = 4_000;
        if self.is_withheld() {
            return self.describe().len() / 3;
        }
        let bytes = self.size().map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        match self.kind() {
            MediaKind::Image => IMAGE,
            // A second of compressed speech is 4 KB or more.
            MediaKind::Audio => bytes.map_or(UNKNOWN, |bytes| 32 + bytes / 128),
            MediaKind::Video => bytes.map_or(UNKNOWN, |bytes| 300 + bytes / 512),
            MediaKind::File if self.essence().starts_with("text/") => bytes.map_or(UNKNOWN, |bytes| 16 + bytes / 3),
            // A page of a PDF is 30 KB or more, and 2,000 tokens.
            MediaKind::File => bytes.map_or(UNKNOWN, |bytes| 2_000 + bytes / 15),
        }
    }
}

/// Media are equal if a reader gets the same: bytes, or their name in a journal.
impl PartialEq for Media {
    fn eq(&self, other: &Self) -> bool {
        let is_same_source = match (self.blob(), other.blob()) {
            (Some(own), Some(theirs)) => own == theirs,
            _ => self.source == other.source,
        };
        is_same_source && self.mime_type == other.mime_type && self.name == other.name
    }
}

impl Eq for Media {}

fn quoted(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(QUOTED) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Media")
            .field("mime_type", &self.mime_type)
            .field("name", &self.name)
            .field("source", &self.source)
            .finish()
    }
}

impl fmt::Debug for MediaSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => f.debug_tuple("Url").field(url).finish(),
            // The bytes of a photo would be the longest line of any log.
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Blob { blob, bytes } => write!(f, "Blob({blob:?}, {bytes})"),
            Self::Withheld { bytes } => write!(f, "Withheld({bytes})"),
        }
    }
}

impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}
