//! Images, sounds and files that each provider takes, as its documentation says.

use async_tool_runtime::content::{MediaRule, MediaRules};

use crate::{Provider, wire::Wire};

/// Names of models that take text only, by their parts.
const TEXT_ONLY: [&str; 16] = [
    "gpt-3.5",
    "gpt-oss",
    "o1-mini",
    "o3-mini",
    "claude-2",
    "claude-instant",
    "deepseek",
    "codestral",
    "titan-text",
    "nova-micro",
    "llama3-1-",
    "llama3-3-",
    "mixtral",
    "mistral-7b",
    "command-r",
    "jamba",
];

const IMAGE: MediaRule = MediaRule::new("image/png");
const JPEG: MediaRule = MediaRule::new("image/jpeg");
const GIF: MediaRule = MediaRule::new("image/gif");
const WEBP: MediaRule = MediaRule::new("image/webp");
const PDF: MediaRule = MediaRule::new("application/pdf");
const PLAIN: MediaRule = MediaRule::new("text/plain").by_url(false);

const fn told(rule: MediaRule) -> MediaRule {
    rule.in_results(true)
}

const fn bytes(rule: MediaRule) -> MediaRule {
    rule.by_url(false)
}

/// <https://docs.claude.com/en/docs/build-with-claude/vision>
const ANTHROPIC: MediaRules = MediaRules::of(&[told(IMAGE), told(JPEG), told(GIF), told(WEBP), told(PDF), told(PLAIN)]);

/// Claude on Vertex AI fetches nothing.
const VERTEX_CLAUDE: MediaRules = MediaRules::of(&[
    told(bytes(IMAGE)),
    told(bytes(JPEG)),
    told(bytes(GIF)),
    told(bytes(WEBP)),
    told(bytes(PDF)),
    told(PLAIN),
]);

/// <https://platform.openai.com/docs/guides/images-vision>; the answer to a call is text.
const CHAT: MediaRules = MediaRules::of(&[IMAGE, JPEG, GIF, WEBP]);

/// Also <https://platform.openai.com/docs/guides/pdf-files>.
const OPENAI: MediaRules = MediaRules::of(&[IMAGE, JPEG, GIF, WEBP, bytes(PDF)]);

/// Also <https://platform.openai.com/docs/guides/audio>: only some models hear.
const OPENAI_AUDIO: MediaRules = MediaRules::of(&[
    IMAGE,
    JPEG,
    GIF,
    WEBP,
    bytes(PDF),
    bytes(MediaRule::new("audio/wav")),
    bytes(MediaRule::new("audio/x-wav")),
    bytes(MediaRule::new("audio/mpeg")),
    bytes(MediaRule::new("audio/mp3")),
]);

/// <https://platform.openai.com/docs/guides/function-calling>: an output may be a list of images and files.
const RESPONSES: MediaRules = MediaRules::of(&[told(IMAGE), told(JPEG), told(GIF), told(WEBP), told(PDF), told(PLAIN)]);

/// <https://ai.google.dev/gemini-api/docs/files>
const GEMINI: MediaRules = MediaRules::of(&[
    IMAGE,
    JPEG,
    WEBP,
    MediaRule::new("image/heic"),
    MediaRule::new("image/heif"),
    PDF,
    MediaRule::new("text/*"),
    MediaRule::new("audio/*"),
    MediaRule::new("video/*"),
]);

/// From Gemini 3 on, the answer to a call may hold the bytes of these
/// (<https://ai.google.dev/gemini-api/docs/function-calling>).
const GEMINI_3: MediaRules = MediaRules::of(&[
    IMAGE,
    told(bytes(IMAGE)),
    JPEG,
    told(bytes(JPEG)),
    WEBP,
    told(bytes(WEBP)),
    MediaRule::new("image/heic"),
    MediaRule::new("image/heif"),
    PDF,
    told(bytes(PDF)),
    told(PLAIN),
    MediaRule::new("text/*"),
    MediaRule::new("audio/*"),
    MediaRule::new("video/*"),
]);

macro_rules! bedrock {
    ($in_results:expr) => {
        MediaRules::of(&[
            bytes(IMAGE).in_results($in_results),
            bytes(JPEG).in_results($in_results),
            bytes(GIF).in_results($in_results),
            bytes(WEBP).in_results($in_results),
            bytes(PDF).in_results($in_results),
            PLAIN.in_results($in_results),
            bytes(MediaRule::new("text/csv")).in_results($in_results),
            bytes(MediaRule::new("text/html")).in_results($in_results),
            bytes(MediaRule::new("text/markdown")).in_results($in_results),
            bytes(MediaRule::new("application/msword")).in_results($in_results),
            bytes(MediaRule::new(
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            ))
            .in_results($in_results),
            bytes(MediaRule::new("application/vnd.ms-excel")).in_results($in_results),
            bytes(MediaRule::new(
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            ))
            .in_results($in_results),
        ])
    };
}

/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html>
const BEDROCK: MediaRules = bedrock!(false);
/// Claude and Nova take them in results too.
const BEDROCK_RESULTS: MediaRules = bedrock!(true);

/// <https://github.com/ollama/ollama/blob/main/docs/api.md>: images beside the text of a message.
const OLLAMA: MediaRules = MediaRules::of(&[bytes(IMAGE), bytes(JPEG), bytes(WEBP)]);

/// Media that a model takes.
pub(crate) fn rules(provider: Provider, wire: Wire, model: &str) -> MediaRules {
    if provider == Provider::DeepSeek || TEXT_ONLY.iter().any(|part| model.contains(part)) {
        return MediaRules::NONE;
    }
    match wire {
        Wire::Anthropic if provider == Provider::Anthropic => ANTHROPIC,
        Wire::Anthropic if provider == Provider::Vertex => VERTEX_CLAUDE,
        // MiniMax's own page lists text and tools only.
        Wire::Anthropic => MediaRules::NONE,
        Wire::Chat if matches!(provider, Provider::OpenAi | Provider::OpenRouter) => {
            let hears = model.contains("audio")
                || provider == Provider::OpenRouter
                    && ["gemini", "voxtral"].iter().any(|family| model.contains(family));
            if hears { OPENAI_AUDIO } else { OPENAI }
        }
        Wire::Chat => CHAT,
        Wire::Responses => RESPONSES,
        Wire::Gemini if model.contains("gemini-3") => GEMINI_3,
        Wire::Gemini => GEMINI,
        Wire::Bedrock if ["anthropic", "nova"].iter().any(|family| model.contains(family)) => BEDROCK_RESULTS,
        Wire::Bedrock => BEDROCK,
        Wire::Ollama => OLLAMA,
    }
}
