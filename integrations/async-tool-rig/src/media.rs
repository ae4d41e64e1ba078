//! Images, sounds and files for models of rig's.
//!
//! rig describes what a model can't read in the place where it stands, and moves images of results to a message of the user where a provider
//! takes none in results. So an image that is declared here reaches the model wherever it is.

use async_tool_runtime::{
    content::{Media, MediaKind, MediaRule, MediaRules},
    context::SaidPart,
};
use rig_core::{
    catalog::Catalog,
    message::{
        Audio, AudioMediaType, Document, DocumentMediaType, DocumentSourceKind as Source, Image, ImageMediaType,
        MimeType as _, ToolResultContent, UserContent, Video, VideoMediaType,
    },
};

const PNG: MediaRule = MediaRule::new("image/png").in_results(true);
const JPEG: MediaRule = MediaRule::new("image/jpeg").in_results(true);
const GIF: MediaRule = MediaRule::new("image/gif").in_results(true);
const WEBP: MediaRule = MediaRule::new("image/webp").in_results(true);
/// rig's results hold no documents.
const PDF: MediaRule = MediaRule::new("application/pdf");
const TEXT: MediaRule = MediaRule::new("text/plain").by_url(false);

const IMAGES: MediaRules = MediaRules::of(&[PNG, JPEG, GIF, WEBP]);
const ANTHROPIC: MediaRules = MediaRules::of(&[PNG, JPEG, GIF, WEBP, PDF, TEXT]);
const OPENAI: MediaRules = MediaRules::of(&[PNG, JPEG, GIF, WEBP, PDF.by_url(false), TEXT]);
const GEMINI: MediaRules = MediaRules::of(&[
    PNG,
    JPEG,
    WEBP,
    MediaRule::new("image/heic"),
    MediaRule::new("image/heif"),
    PDF,
    TEXT,
    MediaRule::new("audio/wav"),
    MediaRule::new("audio/mp3"),
    MediaRule::new("audio/aiff"),
    MediaRule::new("audio/aac"),
    MediaRule::new("audio/ogg"),
    MediaRule::new("audio/flac"),
    MediaRule::new("video/mp4"),
    MediaRule::new("video/mpeg"),
    MediaRule::new("video/mov"),
    MediaRule::new("video/webm"),
]);
const OLLAMA: MediaRules = MediaRules::of(&[PNG.by_url(false), JPEG.by_url(false), WEBP.by_url(false)]);

/// Media that a model of this provider takes. A model of rig's catalog that reads no images takes none.
pub(crate) fn rules(provider: &str, model: Option<&str>) -> MediaRules {
    let known = model.and_then(|model| Catalog::builtin().resolve(&format!("{provider}/{model}")));
    if known.is_some_and(|known| !known.input.image) {
        return MediaRules::NONE;
    }
    match provider {
        "anthropic" => ANTHROPIC,
        "openai" | "azure.openai" => OPENAI,
        "ollama" => OLLAMA,
        "openrouter" | "xai" | "mistral" | "groq" | "together" | "copilot" | "chatgpt" | "llamacpp" => IMAGES,
        _ if provider.contains("gemini") || provider == "vertexai" => GEMINI,
        // Only the catalog knows which of their models see.
        _ if known.is_some() => IMAGES,
        _ => MediaRules::NONE,
    }
}

/// Content of a message of the user. No text in it is empty.
pub(crate) fn content(said: Vec<SaidPart<'_>>) -> Vec<UserContent> {
    let content = said.into_iter().filter_map(|part| match part {
        SaidPart::Text(text) => (!text.trim().is_empty()).then(|| UserContent::text(text)),
        SaidPart::Media(media) => Some(of(media)),
        _ => None,
    });
    content.collect()
}

/// An image as a part of a result.
pub(crate) fn in_result(media: &Media) -> ToolResultContent {
    ToolResultContent::Image(image(media))
}

fn of(media: &Media) -> UserContent {
    let essence = media.essence();
    match media.kind() {
        MediaKind::Image => UserContent::Image(image(media)),
        MediaKind::Audio => UserContent::Audio(Audio {
            data: source(media),
            media_type: AudioMediaType::from_mime_type(essence),
        }),
        MediaKind::Video => UserContent::Video(Video {
            data: source(media),
            media_type: VideoMediaType::from_mime_type(essence),
            ..Video::default()
        }),
        _ => {
            let text = media.as_bytes().filter(|_| essence.starts_with("text/"));
            UserContent::Document(Document {
                data: text.map_or_else(
                    || source(media),
                    |text| Source::String(String::from_utf8_lossy(text).into_owned()),
                ),
                media_type: DocumentMediaType::from_mime_type(essence),
                ..Document::default()
            })
        }
    }
}

fn image(media: &Media) -> Image {
    Image {
        data: source(media),
        media_type: ImageMediaType::from_mime_type(media.essence()),
        ..Image::default()
    }
}

fn source(media: &Media) -> Source {
    match media.as_url() {
        Some(url) => Source::Url(url.to_owned()),
        None => Source::Base64(media.to_base64().unwrap_or_default()),
    }
}
