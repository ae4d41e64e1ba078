//! The providers and their particularities.

use std::{fmt, str::FromStr};

use async_tool_runtime::schema::Dialect;
use genai::adapter::AdapterKind;

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
    /// `vertex`: Google's Vertex AI, with a bearer token.
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

    pub(crate) const fn adapter(self) -> AdapterKind {
        match self {
            Self::OpenAi => AdapterKind::OpenAI,
            Self::OpenAiResponses => AdapterKind::OpenAIResp,
            Self::Anthropic => AdapterKind::Anthropic,
            Self::Gemini => AdapterKind::Gemini,
            Self::Bedrock => AdapterKind::BedrockApi,
            Self::Ollama => AdapterKind::Ollama,
            Self::Vertex => AdapterKind::Vertex,
            Self::OpenRouter => AdapterKind::OpenRouter,
            Self::Mistral => AdapterKind::Mistral,
            Self::Xai => AdapterKind::Xai,
            Self::Groq => AdapterKind::Groq,
            Self::DeepSeek => AdapterKind::DeepSeek,
            Self::Together => AdapterKind::Together,
            Self::Fireworks => AdapterKind::Fireworks,
            Self::Moonshot => AdapterKind::Moonshot,
            Self::Zai => AdapterKind::Zai,
            Self::MiniMax => AdapterKind::MiniMax,
        }
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
            Self::Anthropic if strict => Dialect::AnthropicStrict,
            Self::Anthropic | Self::MiniMax => Dialect::Anthropic,
            // genai sends schemas as `parametersJsonSchema`.
            Self::Gemini | Self::Vertex => Dialect::GeminiJsonSchema,
            Self::Bedrock => Dialect::Bedrock,
            _ => Dialect::Plain,
        }
    }

    /// True if user and assistant must alternate, and answers to calls must be a user turn of their own.
    pub(crate) const fn takes_turns(self) -> bool {
        matches!(
            self,
            Self::Anthropic | Self::Gemini | Self::Bedrock | Self::Vertex | Self::MiniMax
        )
    }

    /// True if the provider refuses a conversation with calls but without declared tools.
    pub(crate) const fn wants_tools_for_old_calls(self) -> bool {
        matches!(self, Self::Anthropic | Self::Bedrock | Self::MiniMax)
    }

    /// True if each answer must be its own message on the wire and genai doesn't split them.
    pub(crate) const fn wants_single_answers(self) -> bool {
        matches!(self, Self::Ollama)
    }

    /// True if genai can send Anthropic's `tool_result` blocks, which have an error flag.
    pub(crate) const fn has_error_flag(self) -> bool {
        matches!(self, Self::Anthropic | Self::MiniMax)
    }

    /// True if genai sends cache markers on tools and messages.
    pub(crate) const fn has_cache_markers(self) -> bool {
        matches!(self, Self::Anthropic | Self::MiniMax)
    }
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
