//! Making a model.

use std::{fmt, sync::Arc};

use async_tool_runtime::model::Capabilities;
use genai::{
    ModelIden, ServiceTarget,
    resolver::{AuthData, Endpoint},
};
use reqwest::{Url, redirect};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::{GenaiModel, Provider, Timeouts, UnknownProvider, model::Inner, secret::Secret};

/// How the model is told of tools, and how it calls them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToolMode {
    /// By the provider's own means.
    #[default]
    Native,
    /// By JSON in its answers, for small local models that can't call tools: the system prompt lists the tools, and every answer is one
    /// JSON object with either calls or a reply. Its text comes at the end of the turn and not as it is written.
    Json,
}

/// Makes a [`GenaiModel`]. See [`GenaiModel::builder`].
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

    /// Where the server is: `http://localhost:1234/v1`. Default: the provider's own.
    ///
    /// A URL without a path gets the usual one of the provider: `/v1` for most, `/v1beta` for `gemini`, none for `bedrock` and `ollama`.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// The key. Default: the provider's usual environment variable, see [`Provider::key_variables`]. A server on this machine that is
    /// given with [`base_url`](Self::base_url) needs none.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(Secret::new(&key.into()));
        self
    }

    /// Whether the answer comes as it is written, text piece by piece and each call when it is complete, or as a whole. Default: true.
    pub fn stream(mut self, stream: bool) -> Self {
        self.stream = stream;
        self
    }

    /// Whether the provider holds the model to the schemas of tools, where it can (`openai`, `openai-responses`, `anthropic`). Its strict
    /// dialect can say less: an agent doesn't start with a tool that can't be said in it. Default: false.
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// How the model calls tools. Default: [`ToolMode::Native`].
    pub fn tool_mode(mut self, mode: ToolMode) -> Self {
        self.tool_mode = mode;
        self
    }

    /// How many tokens an answer may have. Default: the provider's, or the model's limit where the provider wants a number.
    pub fn max_tokens(mut self, tokens: u32) -> Self {
        self.max_tokens = Some(tokens);
        self
    }

    /// How long the parts of a turn may take. Default: [`Timeouts::default`].
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// The model. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// The name isn't `provider/name` with a known provider; there is no key; the URL isn't one; the HTTP client can't be made.
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
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(self.timeouts.connect)
            .tcp_nodelay(true)
            // A redirect would carry the key, which some providers take in a header of their own, to whoever it names.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| BuildError::Http(key.redact(&error.without_url().to_string())))?;
        let client = genai::Client::builder()
            .with_reqwest(http)
            .build()
            .map_err(|error| BuildError::Http(key.redact(&error.to_string())))?;
        let dialect = match self.tool_mode {
            ToolMode::Native => provider.dialect(self.strict),
            ToolMode::Json => async_tool_runtime::schema::Dialect::Plain,
        };
        let endpoint = base_url.as_ref().map(|url| Endpoint::from_owned(url.as_str()));
        Ok(GenaiModel(Arc::new(Inner {
            provider,
            model: model.to_owned(),
            server: base_url.as_ref().map(shown_url),
            iden: ModelIden::new(provider.adapter(), model),
            endpoint,
            client,
            key,
            stream: self.stream,
            strict: self.strict,
            tool_mode: self.tool_mode,
            max_tokens: self.max_tokens,
            timeouts: self.timeouts,
            capabilities: Capabilities::default().with_dialect(dialect),
        })))
    }
}

impl Inner {
    /// Where the request goes, with the key. Everything is given, so that genai looks nothing up.
    pub(crate) async fn target(&self) -> Result<ServiceTarget, genai::Error> {
        let auth = AuthData::from_single(self.key.expose());
        let endpoint = match &self.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => self.client.resolve_service_target(self.iden.clone()).await?.endpoint,
        };
        Ok(ServiceTarget {
            endpoint,
            auth,
            model: self.iden.clone(),
        })
    }
}

/// TLS with ring and the certificates that the system trusts. reqwest's own default is aws-lc, which takes a C toolchain a minute to build.
fn tls() -> Result<rustls::ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth();
    // reqwest offers no protocols for a configuration that it is given.
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
        // genai appends the method to what it is given.
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

/// The URL without its query, in which some gateways want a key.
fn shown_url(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// A model can't be made. It holds no key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The name isn't of the form `provider/name`.
    Name(String),
    /// No provider has this name.
    Provider(UnknownProvider),
    /// There is no key for this provider.
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
                "a model is named `provider/name`, such as `openai/gpt-5-mini`, not `{name}`"
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
