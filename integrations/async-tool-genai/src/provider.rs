//! The providers and their particularities.

use std::{fmt, str::FromStr};

use async_tool_runtime::schema::Dialect;

use crate::{BuildError, wire::Wire};

/// The service that runs the model; it determines the wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Provider {
    /// `openai`: OpenAI's Chat Completions, and every server that speaks them (LM Studio, llama-server, vLLM, …).
    OpenAi,
    /// `openai-responses`: OpenAI's Responses API; each call is answered before the conversation goes on.
    OpenAiResponses,
    /// `anthropic`: Anthropic's Messages API.
    Anthropic,
    /// `gemini`: Google's generateContent.
    Gemini,
    /// `bedrock`: the Converse API of AWS Bedrock, with a bearer token.
    Bedrock,
    /// `ollama`: Ollama's own chat API. It needs no key.
    Ollama,
    /// `vertex`: Google's Vertex AI, with a bearer token, the project in `VERTEX_PROJECT_ID`, and the location in `VERTEX_LOCATION`
    /// (`global` without it).
    Vertex,
    /// `openrouter`: OpenRouter.
    OpenRouter,
    /// `mistral`: Mistral.
    Mistral,
    /// `xai`: xAI.
    Xai,
    /// `groq`: Groq.
    Groq,
    /// `deepseek`: DeepSeek.
    DeepSeek,
    /// `together`: Together AI.
    Together,
    /// `fireworks`: Fireworks AI.
    Fireworks,
    /// `moonshot`: Moonshot AI.
    Moonshot,
    /// `zai`: Z.ai.
    Zai,
    /// `minimax`: `MiniMax`, with Anthropic's format.
    MiniMax,
}

impl Provider {
    /// Every provider.
    pub const ALL: &'static [Self] = &[
        Self::OpenAi,
        Self::OpenAiResponses,
        Self::Anthropic,
        Self::Gemini,
        Self::Bedrock,
        Self::Ollama,
        Self::Vertex,
        Self::OpenRouter,
        Self::Mistral,
        Self::Xai,
        Self::Groq,
        Self::DeepSeek,
        Self::Together,
        Self::Fireworks,
        Self::Moonshot,
        Self::Zai,
        Self::MiniMax,
    ];

    /// Name of the provider in OpenTelemetry's conventions (`gen_ai.provider.name`); the prefix if these have none.
    pub(crate) const fn convention(self) -> &'static str {
        match self {
            Self::OpenAi | Self::OpenAiResponses => "openai",
            Self::Gemini => "gcp.gemini",
            Self::Vertex => "gcp.vertex_ai",
            Self::Bedrock => "aws.bedrock",
            Self::Mistral => "mistral_ai",
            Self::Xai => "x_ai",
            other => other.name(),
        }
    }

    /// The prefix of a model's name, before the `/`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::OpenAiResponses => "openai-responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Bedrock => "bedrock",
            Self::Ollama => "ollama",
            Self::Vertex => "vertex",
            Self::OpenRouter => "openrouter",
            Self::Mistral => "mistral",
            Self::Xai => "xai",
            Self::Groq => "groq",
            Self::DeepSeek => "deepseek",
            Self::Together => "together",
            Self::Fireworks => "fireworks",
            Self::Moonshot => "moonshot",
            Self::Zai => "zai",
            Self::MiniMax => "minimax",
        }
    }

    /// Environment variables that may hold the key; the first that is set counts. Empty for a provider that
    /// needs no key.
    #[must_use]
    pub const fn key_variables(self) -> &'static [&'static str] {
        match self {
            Self::OpenAi | Self::OpenAiResponses => &["OPENAI_API_KEY"],
            Self::Anthropic => &["ANTHROPIC_API_KEY"],
            Self::Gemini => &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
            Self::Bedrock => &["BEDROCK_API_KEY", "AWS_BEARER_TOKEN_BEDROCK"],
            Self::Ollama => &[],
            Self::Vertex => &["VERTEX_API_KEY"],
            Self::OpenRouter => &["OPENROUTER_API_KEY", "OPEN_ROUTER_API_KEY"],
            Self::Mistral => &["MISTRAL_API_KEY"],
            Self::Xai => &["XAI_API_KEY"],
            Self::Groq => &["GROQ_API_KEY"],
            Self::DeepSeek => &["DEEPSEEK_API_KEY"],
            Self::Together => &["TOGETHER_API_KEY"],
            Self::Fireworks => &["FIREWORKS_API_KEY"],
            Self::Moonshot => &["MOONSHOT_API_KEY"],
            Self::Zai => &["ZAI_API_KEY"],
            Self::MiniMax => &["MINIMAX_API_KEY"],
        }
    }

    /// The format that the provider speaks with this model.
    pub(crate) fn wire(self, model: &str) -> Wire {
        match self {
            Self::OpenAiResponses => Wire::Responses,
            Self::Anthropic | Self::MiniMax => Wire::Anthropic,
            // Vertex AI takes each model in its maker's format.
            Self::Vertex if model.starts_with("claude") => Wire::Anthropic,
            Self::Gemini | Self::Vertex => Wire::Gemini,
            Self::Bedrock => Wire::Bedrock,
            Self::Ollama => Wire::Ollama,
            _ => Wire::Chat,
        }
    }

    /// The address of the provider's own server.
    ///
    /// # Errors
    ///
    /// The address needs a project, and the environment names none.
    pub(crate) fn own_server(self, model: &str) -> Result<String, BuildError> {
        let own = match self {
            Self::OpenAi | Self::OpenAiResponses => "https://api.openai.com/v1/",
            Self::Anthropic => "https://api.anthropic.com/v1/",
            Self::Gemini => "https://generativelanguage.googleapis.com/v1beta/",
            Self::Bedrock => {
                let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
                let region = region.unwrap_or_else(|| "us-east-1".to_owned());
                return Ok(format!("https://bedrock-runtime.{region}.amazonaws.com/"));
            }
            Self::Vertex => {
                let project = variable("VERTEX_PROJECT_ID").ok_or(BuildError::MissingProject)?;
                return Ok(vertex(&project, variable("VERTEX_LOCATION").as_deref()));
            }
            Self::Ollama => "http://localhost:11434/",
            Self::OpenRouter => "https://openrouter.ai/api/v1/",
            Self::Mistral => "https://api.mistral.ai/v1/",
            Self::Xai => "https://api.x.ai/v1/",
            Self::Groq => "https://api.groq.com/openai/v1/",
            Self::DeepSeek => "https://api.deepseek.com/v1/",
            Self::Together => "https://api.together.xyz/v1/",
            Self::Fireworks => "https://api.fireworks.ai/inference/v1/",
            Self::Moonshot => "https://api.moonshot.cn/v1/",
            Self::Zai if model.starts_with("zai_coding::") => "https://api.z.ai/api/coding/paas/v4/",
            Self::Zai => "https://api.z.ai/api/paas/v4/",
            Self::MiniMax => "https://api.minimax.io/anthropic/v1/",
        };
        Ok(own.to_owned())
    }

    /// The path before the provider's methods, for a base URL without a path.
    pub(crate) const fn usual_path(self) -> &'static str {
        match self {
            Self::Gemini => "v1beta/",
            Self::Bedrock | Self::Ollama | Self::Vertex => "",
            _ => "v1/",
        }
    }

    pub(crate) const fn dialect(self, strict: bool) -> Dialect {
        match self {
            Self::OpenAi | Self::OpenAiResponses if strict => Dialect::OpenAiStrict,
            // OpenRouter passes requests on to OpenAI and others that take no alternatives at the root either.
            Self::OpenAi | Self::OpenAiResponses | Self::OpenRouter => Dialect::OpenAi,
            Self::Anthropic if strict => Dialect::AnthropicStrict,
            Self::Anthropic | Self::MiniMax => Dialect::Anthropic,
            Self::Gemini | Self::Vertex => Dialect::GeminiJsonSchema,
            Self::Bedrock => Dialect::Bedrock,
            _ => Dialect::Plain,
        }
    }

    /// True if the provider takes the readable thoughts of earlier turns. Groq, xAI and OpenAI itself don't; most servers that speak
    /// OpenAI's format do.
    pub(crate) const fn takes_thoughts(self, is_own_server: bool) -> bool {
        match self {
            Self::DeepSeek
            | Self::Moonshot
            | Self::Zai
            | Self::Mistral
            | Self::OpenRouter
            | Self::Together
            | Self::Fireworks => true,
            Self::OpenAi => !is_own_server,
            _ => false,
        }
    }

    /// True if tools and messages get markers for the prompt cache.
    pub(crate) const fn has_cache_markers(self) -> bool {
        matches!(self, Self::Anthropic | Self::MiniMax)
    }
}

/// The address of Vertex AI at a location
/// ([endpoints](https://cloud.google.com/vertex-ai/docs/reference/rest#rest_endpoints)). The host of the whole world and those of the United
/// States and the European Union have forms of their own.
fn vertex(project: &str, location: Option<&str>) -> String {
    let location = location.unwrap_or("global");
    let host = match location {
        "global" => "aiplatform.googleapis.com".to_owned(),
        "us" | "eu" => format!("aiplatform.{location}.rep.googleapis.com"),
        region => format!("{region}-aiplatform.googleapis.com"),
    };
    format!("https://{host}/v1/projects/{project}/locations/{location}/")
}

/// A variable of the environment that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(name: &str) -> Result<Self, UnknownProvider> {
        Self::ALL
            .iter()
            .copied()
            .find(|provider| provider.name() == name)
            .ok_or_else(|| UnknownProvider(name.to_owned()))
    }
}

/// Error for a provider name that doesn't exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownProvider(String);

impl fmt::Display for UnknownProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = Provider::ALL.iter().map(|provider| provider.name()).collect();
        write!(
            f,
            "unknown provider `{}`; the providers are: {}",
            self.0,
            names.join(", ")
        )
    }
}

impl std::error::Error for UnknownProvider {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vertex_has_a_host_for_each_kind_of_location() {
        for (location, expected) in [
            (
                None,
                "https://aiplatform.googleapis.com/v1/projects/bees/locations/global/",
            ),
            (
                Some("global"),
                "https://aiplatform.googleapis.com/v1/projects/bees/locations/global/",
            ),
            (
                Some("eu"),
                "https://aiplatform.eu.rep.googleapis.com/v1/projects/bees/locations/eu/",
            ),
            (
                Some("europe-west4"),
                "https://europe-west4-aiplatform.googleapis.com/v1/projects/bees/locations/europe-west4/",
            ),
        ] {
            assert_eq!(vertex("bees", location), expected);
        }
    }

    #[test]
    fn the_dialect_depends_on_the_strict_mode_where_the_provider_has_one() {
        for (provider, plain, strict) in [
            (Provider::OpenAi, Dialect::OpenAi, Dialect::OpenAiStrict),
            (Provider::OpenAiResponses, Dialect::OpenAi, Dialect::OpenAiStrict),
            (Provider::OpenRouter, Dialect::OpenAi, Dialect::OpenAi),
            (Provider::Groq, Dialect::Plain, Dialect::Plain),
            (Provider::Anthropic, Dialect::Anthropic, Dialect::AnthropicStrict),
        ] {
            assert_eq!((provider.dialect(false), provider.dialect(true)), (plain, strict));
        }
    }
}
