//! The builder of [`GenaiModel`], and its errors.

use std::{fmt, sync::Arc};

use async_tool_runtime::model::Capabilities;
use reqwest::{Url, redirect};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::{GenaiModel, Provider, Timeouts, UnknownProvider, model::Inner, secret::Secret, transport::Transport};

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
    timeouts: Timeouts,
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
            timeouts: Timeouts::default(),
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

    /// Sets the timeouts of a turn. Default: [`Timeouts::default`].
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Builds the model. Sends nothing.
    ///
    /// # Errors
    ///
    /// The name isn't `provider/name` with a known provider, the key is missing, the URL is invalid, or the
    /// HTTP client can't be made.
    pub fn build(self) -> Result<GenaiModel, BuildError> {
        let (provider, model) = self
            .name
            .split_once('/')
            .filter(|(_, model)| !model.trim().is_empty())
            .ok_or_else(|| BuildError::Name(self.name.clone()))?;
        let provider: Provider = provider.parse().map_err(BuildError::Provider)?;
        let base_url = match &self.base_url {
            Some(url) => Some(parse_base_url(provider, url)?),
            None => None,
        };
        let key = self.api_key.filter(|key| !key.is_empty());
        let key = match key.or_else(|| key_from_environment(provider)) {
            Some(key) => key,
            None if provider.key_variables().is_empty() || base_url.as_ref().is_some_and(is_on_this_machine) => {
                Secret::new("none")
            }
            None => return Err(BuildError::MissingKey(provider)),
        };
        let tls = tls().map_err(|error| BuildError::Http(error.to_string()))?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(self.timeouts.connect)
            .tcp_nodelay(true)
            // A redirect would leak the key: some providers take it in a header of their own, which is sent on.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| BuildError::Http(key.redact(&error.without_url().to_string())))?;
        let dialect = match self.tool_mode {
            ToolMode::Native => provider.dialect(self.strict),
            ToolMode::Json => async_tool_runtime::schema::Dialect::Plain,
        };
        let server = base_url.as_ref().map(shown_url);
        let base_url = match base_url {
            Some(url) => url,
            None => parse_base_url(provider, &provider.own_server(model))?,
        };
        Ok(GenaiModel(Arc::new(Inner {
            provider,
            model: model.to_owned(),
            server,
            transport: Transport {
                provider,
                wire: provider.wire(model),
                base_url,
                client,
                key,
                timeouts: self.timeouts,
            },
            stream: self.stream,
            strict: self.strict,
            tool_mode: self.tool_mode,
            max_tokens: self.max_tokens,
            timeouts: self.timeouts,
            capabilities: Capabilities::default().with_dialect(dialect),
        })))
    }
}

/// TLS with ring and the system's trusted certificates. reqwest's default, aws-lc, needs a C toolchain and a minute to
/// build.
fn tls() -> Result<rustls::ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth();
    // reqwest sets no ALPN protocols on a given configuration.
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}

fn parse_base_url(provider: Provider, text: &str) -> Result<Url, BuildError> {
    let refuse = |why: &str| BuildError::BaseUrl(why.to_owned());
    let mut url = Url::parse(text.trim()).map_err(|error| refuse(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(refuse("it must begin with `http://` or `https://` and name a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("it must not hold a password; give the key with `api_key`"));
    }
    if url.path() == "/" {
        url.set_path(provider.usual_path());
    } else if !url.path().ends_with('/') {
        // The method's name is appended to this path.
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

fn key_from_environment(provider: Provider) -> Option<Secret> {
    let set = provider
        .key_variables()
        .iter()
        .filter_map(|name| std::env::var(name).ok());
    set.map(|key| Secret::new(&key)).find(|key| !key.is_empty())
}

fn is_on_this_machine(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}

/// The URL without its query, because some gateways take the key there.
fn shown_url(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// Reason why a model can't be built. Holds no key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The name isn't of the form `provider/name`.
    Name(String),
    /// The provider is unknown.
    Provider(UnknownProvider),
    /// The key for this provider is missing.
    MissingKey(Provider),
    /// The base URL can't be used, for this reason.
    BaseUrl(String),
    /// The HTTP client can't be made, for this reason.
    Http(String),
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
            Self::BaseUrl(why) => write!(f, "the base URL can't be used: {why}"),
            Self::Http(why) => write!(f, "the HTTP client can't be made: {why}"),
        }
    }
}

impl std::error::Error for BuildError {}
