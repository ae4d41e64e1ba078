//! The builder of [`GenaiModel`], and its errors.

use std::{fmt, sync::Arc};

use async_tool_runtime::{content::MediaRules, model::Capabilities};

use crate::{
    GenaiModel, Provider, Timeouts, UnknownProvider, connection::Connection, media, model::Inner, secret::Secret,
};

/// Format of tool definitions and calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToolMode {
    /// The provider's own tool calls.
    #[default]
    Native,
    /// JSON in the model's answers, for small local models that can't call tools. The system prompt lists the
    /// tools, and every answer is one JSON object with either calls or a reply. The text comes at the end of
    /// the turn, not as it is written.
    Json,
}

/// Builder of a [`GenaiModel`]. See [`GenaiModel::builder`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct GenaiModelBuilder {
    name: String,
    base_url: Option<String>,
    api_key: Option<Secret>,
    stream: bool,
    strict: bool,
    tool_mode: ToolMode,
    max_tokens: Option<u32>,
    effort_in_name: bool,
    reasoning_summaries: bool,
    resend_thoughts: Option<bool>,
    timeouts: Timeouts,
    media: Option<MediaRules>,
}

impl GenaiModelBuilder {
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            base_url: None,
            api_key: None,
            stream: true,
            strict: false,
            tool_mode: ToolMode::Native,
            max_tokens: None,
            effort_in_name: true,
            reasoning_summaries: false,
            resend_thoughts: None,
            timeouts: Timeouts::default(),
            media: None,
        }
    }

    /// Sets the server's address, such as `http://localhost:1234/v1`. Default: the provider's own server.
    ///
    /// A URL without a path gets the provider's usual path: `/v1` for most, `/v1beta` for `gemini`, none for
    /// `bedrock`, `ollama` and `vertex`.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Sets the API key. Default: the provider's usual environment variable, see [`Provider::key_variables`]. A
    /// server on this machine, set with [`base_url`](Self::base_url), needs no key.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(Secret::new(&key.into()));
        self
    }

    /// Streams the answer, if true: text piece by piece, and each call when it is complete. If false, the
    /// answer comes as a whole. Default: true.
    pub fn stream(mut self, stream: bool) -> Self {
        self.stream = stream;
        self
    }

    /// Makes the provider enforce the tools' schemas, if true and if it can (`openai`, `openai-responses`,
    /// `anthropic`). The strict dialect expresses less: an agent with a tool that doesn't fit it fails to
    /// start. Default: false.
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Sets how the model calls tools. Default: [`ToolMode::Native`].
    pub fn tool_mode(mut self, mode: ToolMode) -> Self {
        self.tool_mode = mode;
        self
    }

    /// Limits the tokens of an answer. Default: the provider's own, or the model's limit if the provider
    /// requires a number.
    pub fn max_tokens(mut self, tokens: u32) -> Self {
        self.max_tokens = Some(tokens);
        self
    }

    /// Reads an ending of the model's name such as `-high` as the effort to ask for, if true. If false, the whole name is sent, for
    /// models whose own names end so. Default: true.
    pub fn effort_in_name(mut self, is_read: bool) -> Self {
        self.effort_in_name = is_read;
        self
    }

    /// Requests summaries of the reasoning, if true, from `openai-responses`
    /// ([guide](https://platform.openai.com/docs/guides/reasoning#reasoning-summaries)). Readers of the agent's events get them as they
    /// are written. OpenAI refuses the option from organizations that are not verified. Default: false.
    pub fn reasoning_summaries(mut self, is_asked: bool) -> Self {
        self.reasoning_summaries = is_asked;
        self
    }

    /// Sends the readable thoughts of earlier turns back, if true, where the format is Chat Completions: as `reasoning_content`, and to
    /// `mistral` as chunks. Some servers refuse the field, such as Cerebras; some require it, such as DeepSeek.
    ///
    /// Default: true for `deepseek`, `moonshot`, `zai`, `mistral`, `openrouter`, `together` and `fireworks`, and for `openai` with a
    /// [`base_url`](Self::base_url); false for the others.
    pub fn resend_thoughts(mut self, is_sent: bool) -> Self {
        self.resend_thoughts = Some(is_sent);
        self
    }

    /// Sets the images, sounds and files that the model takes. Default: those of the provider's documentation; none for models that are
    /// known to take text only, and with [`ToolMode::Json`].
    pub fn media(mut self, rules: MediaRules) -> Self {
        self.media = Some(rules);
        self
    }

    /// Sets the timeouts of a turn. Default: [`Timeouts::default`].
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Builds the model. Sends nothing.
    ///
    /// # Errors
    ///
    /// The name isn't `provider/name` with a known provider. The key or Vertex AI's project is missing, the URL is
    /// invalid, or the HTTP client can't be made.
    pub fn build(self) -> Result<GenaiModel, BuildError> {
        let Connection {
            provider,
            model,
            server,
            transport,
        } = Connection::open(&self.name, self.base_url.as_deref(), self.api_key, self.timeouts)?;
        let dialect = match self.tool_mode {
            ToolMode::Native => provider.dialect(self.strict),
            ToolMode::Json => async_tool_runtime::schema::Dialect::Plain,
        };
        let media = self.media.unwrap_or_else(|| match self.tool_mode {
            ToolMode::Native => media::rules(provider, provider.wire(&model), &model),
            ToolMode::Json => MediaRules::NONE,
        });
        Ok(GenaiModel(Arc::new(Inner {
            provider,
            model,
            server,
            transport,
            stream: self.stream,
            strict: self.strict,
            tool_mode: self.tool_mode,
            max_tokens: self.max_tokens,
            effort_in_name: self.effort_in_name,
            reasoning_summaries: self.reasoning_summaries,
            resends_thoughts: self
                .resend_thoughts
                .unwrap_or_else(|| provider.takes_thoughts(self.base_url.is_none())),
            timeouts: self.timeouts,
            capabilities: Capabilities::default().with_dialect(dialect).with_media(media),
        })))
    }
}

/// Reason why a model or an embedder can't be built. Holds no key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The name isn't of the form `provider/name`.
    Name(String),
    /// The provider is unknown.
    Provider(UnknownProvider),
    /// The key for this provider is missing.
    MissingKey(Provider),
    /// The project for Vertex AI is missing.
    MissingProject,
    /// The base URL can't be used, for this reason.
    BaseUrl(String),
    /// The HTTP client can't be made, for this reason.
    Http(String),
    /// The provider has no embedding models, or this crate doesn't know their format.
    NoEmbeddings(Provider),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(
                f,
                "a model's name must be `provider/name`, such as `openai/gpt-5-mini`; got `{name}`"
            ),
            Self::Provider(unknown) => unknown.fmt(f),
            Self::MissingKey(provider) => write!(
                f,
                "{provider} needs a key: set the environment variable {}, or give it with `api_key`",
                provider.key_variables().join(" or ")
            ),
            Self::MissingProject => f.write_str(
                "vertex needs a project: set the environment variable VERTEX_PROJECT_ID, or give the server's address with `base_url`",
            ),
            Self::BaseUrl(why) => write!(f, "the base URL can't be used: {why}"),
            Self::Http(why) => write!(f, "the HTTP client can't be made: {why}"),
            Self::NoEmbeddings(provider) => write!(
                f,
                "this model of {provider} can't embed; take a model of openai, gemini, ollama, bedrock (Titan, Cohere) or a server that \
                 speaks OpenAI's format"
            ),
        }
    }
}

impl std::error::Error for BuildError {}
