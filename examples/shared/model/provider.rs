//! Providers, the environment variables of their keys, and their default models.

/// A provider that needs a key.
pub(super) struct Provider {
    pub(super) name: &'static str,
    /// Environment variables that may hold its key; the first that is set is used.
    pub(super) variables: &'static [&'static str],
    /// Default model: small, quick, with tools. If it is out of date, name another with `--model`.
    pub(super) model: &'static str,
    /// Default embedding model, if the provider has one.
    pub(super) embedder: Option<&'static str>,
}

/// Providers in the order of preference.
pub(super) const PROVIDERS: &[Provider] = &[
    Provider {
        name: "openai",
        variables: &["OPENAI_API_KEY"],
        model: "gpt-5.4-mini",
        embedder: Some("text-embedding-3-small"),
    },
    Provider {
        name: "anthropic",
        variables: &["ANTHROPIC_API_KEY"],
        model: "claude-haiku-4-5",
        embedder: None,
    },
    Provider {
        name: "gemini",
        variables: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
        model: "gemini-3.5-flash",
        embedder: Some("gemini-embedding-001"),
    },
    Provider {
        name: "bedrock",
        variables: &["BEDROCK_API_KEY", "AWS_BEARER_TOKEN_BEDROCK"],
        model: "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        embedder: Some("amazon.titan-embed-text-v2:0"),
    },
    Provider {
        name: "openrouter",
        variables: &["OPENROUTER_API_KEY", "OPEN_ROUTER_API_KEY"],
        model: "openai/gpt-5.4-mini",
        embedder: Some("openai/text-embedding-3-small"),
    },
    Provider {
        name: "mistral",
        variables: &["MISTRAL_API_KEY"],
        model: "mistral-medium-latest",
        embedder: Some("mistral-embed"),
    },
    Provider {
        name: "groq",
        variables: &["GROQ_API_KEY"],
        model: "openai/gpt-oss-120b",
        embedder: None,
    },
    Provider {
        name: "xai",
        variables: &["XAI_API_KEY"],
        model: "grok-4-fast",
        embedder: None,
    },
    Provider {
        name: "deepseek",
        variables: &["DEEPSEEK_API_KEY"],
        model: "deepseek-chat",
        embedder: None,
    },
];

/// Environment variables that may hold a provider's key; none if the provider needs no key or is unknown.
pub(super) fn variables_of(provider: &str) -> &'static [&'static str] {
    // Three protocols of one provider.
    let provider = match provider {
        "openai-responses" | "openai-native" => "openai",
        other => other,
    };
    let known = PROVIDERS.iter().find(|known| known.name == provider);
    known.map_or(&[], |known| known.variables)
}
