//! The builder of [`OpenAiModel`].

use std::{env, error::Error, fmt, sync::Arc, time::Duration};

use async_tool_runtime::content::{MediaRule, MediaRules};
use reqwest::{
    Url,
    header::{AUTHORIZATION, HeaderMap, HeaderValue},
    redirect,
};
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::{OpenAiModel, Timeouts, failure::Failures, model::Inner, request::Shape, transport::Transport};

const BASE_URL: &str = "https://api.openai.com/v1";
const KEY_VARIABLE: &str = "OPENAI_API_KEY";
/// Variables that are sent as headers.
const HEADER_VARIABLES: [(&str, &str); 2] = [
    ("OPENAI_ORG_ID", "openai-organization"),
    ("OPENAI_PROJECT_ID", "openai-project"),
];

/// Builder of an [`OpenAiModel`].
///
/// ```
/// use async_tool_openai::OpenAiModel;
///
/// let model = OpenAiModel::builder("gpt-6-astra").api_key("sk-…").stream(false).build();
/// # assert!(model.is_err(), "a key is ASCII");
/// let model = OpenAiModel::builder("llama-3.3").base_url("http://127.0.0.1:8080/v1").api_key("none").build()?;
/// # Ok::<_, async_tool_openai::BuildError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct OpenAiModelBuilder {
    model: String,
    base_url: String,
    api_key: Option<String>,
    stream: bool,
    strict: bool,
    native_async: Option<bool>,
    encrypted_reasoning: Option<bool>,
    reasoning_summaries: bool,
    max_open_calls: usize,
    open_call_ttl: Duration,
    timeouts: Timeouts,
    media: Option<MediaRules>,
}

impl OpenAiModelBuilder {
    pub(crate) fn new(model: String) -> Self {
        Self {
            model,
            base_url: BASE_URL.to_owned(),
            api_key: None,
            stream: true,
            strict: false,
            native_async: None,
            encrypted_reasoning: None,
            reasoning_summaries: false,
            max_open_calls: 64,
            open_call_ttl: Duration::from_secs(60 * 60),
            timeouts: Timeouts::default(),
            media: None,
        }
    }

    /// Sets the API's address, without `/responses`. Default: `https://api.openai.com/v1`.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = url.into();
        self
    }

    /// Sets the API key. Default: the environment variable `OPENAI_API_KEY`. For a server that needs none, set any
    /// text.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Streams turns, if true: text comes as it is written, and a task starts when its call is complete. Default: true.
    pub fn stream(mut self, is_streamed: bool) -> Self {
        self.stream = is_streamed;
        self
    }

    /// Makes the model follow the tools' schemas strictly, if true
    /// ([guide](https://platform.openai.com/docs/guides/structured-outputs)). An agent with a schema that strict mode
    /// can't express fails to start. Default: false.
    pub fn strict(mut self, is_strict: bool) -> Self {
        self.strict = is_strict;
        self
    }

    /// Enables or disables native asynchronous calls.
    ///
    /// Default: by the model's name. GPT-6 Astra was the first model with such calls, so names `gpt-6…` and later
    /// numbers have them. This includes fine-tuned models (`ft:gpt-6…`) and router prefixes (`openai/gpt-6…`). Any
    /// other name has none.
    pub fn native_async(mut self, is_native: bool) -> Self {
        self.native_async = Some(is_native);
        self
    }

    /// Requests reasoning in encrypted form, if true, so that the next request can send it back.
    ///
    /// Default: by the model's name. Models that don't reason refuse the option, so it is false for names that begin
    /// with `gpt-3`, `gpt-4` or `chatgpt`, and true for any other.
    pub fn encrypted_reasoning(mut self, is_asked: bool) -> Self {
        self.encrypted_reasoning = Some(is_asked);
        self
    }

    /// Requests summaries of the reasoning, if true
    /// ([guide](https://platform.openai.com/docs/guides/reasoning#reasoning-summaries)). Readers of the agent's events
    /// get them as they are written. Some models and accounts refuse the option. Default: false.
    pub fn reasoning_summaries(mut self, is_asked: bool) -> Self {
        self.reasoning_summaries = is_asked;
        self
    }

    /// Limits how many native asynchronous calls may be open at once. Each further call is answered with its
    /// acknowledgement, and its result comes as a user message. Default: 64.
    pub fn max_open_calls(mut self, calls: usize) -> Self {
        self.max_open_calls = calls;
        self
    }

    /// Limits how long a native asynchronous call may be open, from its acceptance. Then the call is answered with its
    /// acknowledgement, and its result comes as a user message. The change invalidates the provider's prompt cache
    /// once, from that call on. Default: 1 h.
    pub fn open_call_ttl(mut self, ttl: Duration) -> Self {
        self.open_call_ttl = ttl;
        self
    }

    /// Sets the timeouts of a turn. Default: see [`Timeouts`].
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Sets the images and files that the model takes. Default: images, PDFs and plain texts, and none for models that are known to
    /// take text only.
    pub fn media(mut self, rules: MediaRules) -> Self {
        self.media = Some(rules);
        self
    }

    /// Builds the model. Sends nothing. Reads `OPENAI_ORG_ID` and `OPENAI_PROJECT_ID` from the environment, if set.
    ///
    /// # Errors
    ///
    /// The name is empty, the key is missing, a header or the address holds invalid characters, or the system provides
    /// no certificates.
    pub fn build(self) -> Result<OpenAiModel, BuildError> {
        if self.model.trim().is_empty() {
            return Err(BuildError::new("the model's name is empty"));
        }
        let key = self.api_key.or_else(|| env::var(KEY_VARIABLE).ok());
        let key = key.filter(|key| !key.trim().is_empty()).ok_or_else(|| {
            BuildError::new(format!(
                "there is no API key: set `{KEY_VARIABLE}` in the environment, or give one with `api_key`"
            ))
        })?;
        let key = key.trim();
        let mut headers = HeaderMap::new();
        let bearer = HeaderValue::try_from(format!("Bearer {key}"))
            .ok()
            .filter(|_| key.is_ascii());
        let mut bearer =
            bearer.ok_or_else(|| BuildError::new("the API key must be made of visible ASCII characters"))?;
        // Libraries below log all headers except those marked sensitive.
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
        for (variable, name) in HEADER_VARIABLES {
            let Ok(value) = env::var(variable) else { continue };
            let value = HeaderValue::try_from(value).map_err(|_| {
                BuildError::new(format!(
                    "`{variable}` in the environment holds characters that an HTTP header can't hold"
                ))
            })?;
            if !value.is_empty() {
                headers.insert(name, value);
            }
        }
        let base_url = self.base_url.trim_end_matches('/').to_owned();
        let refuse = |why: &str| BuildError::new(format!("the base URL {why}, such as `{BASE_URL}`"));
        let url = Url::parse(&base_url).map_err(|_| refuse("must be an absolute URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("must begin with `http://` or `https://`"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("must have no user, password, query or fragment"));
        }
        let url = Url::parse(&format!("{base_url}/responses")).map_err(|_| refuse("must be an absolute URL"))?;

        let transport = Transport {
            http: http_client(self.timeouts.connect)?,
            url,
            headers,
            failures: Failures::new(Arc::from(key)),
        };
        let family = family(&self.model);
        let media = self.media.unwrap_or_else(|| media_of(family));
        Ok(OpenAiModel::new(Inner {
            transport,
            native: self.native_async.unwrap_or_else(|| knows_async(family)),
            shape: Shape {
                encrypted_reasoning: self.encrypted_reasoning.unwrap_or_else(|| reasons(family)),
                reasoning_summaries: self.reasoning_summaries,
                model: self.model,
                stream: self.stream,
                strict: self.strict,
            },
            max_open: self.max_open_calls,
            ttl: self.open_call_ttl,
            media,
            timeouts: self.timeouts,
        }))
    }
}

impl fmt::Debug for OpenAiModelBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiModelBuilder")
            .field("model", &self.model)
            .field("has_api_key", &self.api_key.is_some())
            .field("stream", &self.stream)
            .field("strict", &self.strict)
            .field("native_async", &self.native_async)
            .field("encrypted_reasoning", &self.encrypted_reasoning)
            .field("reasoning_summaries", &self.reasoning_summaries)
            .field("max_open_calls", &self.max_open_calls)
            .field("open_call_ttl", &self.open_call_ttl)
            .field("timeouts", &self.timeouts)
            .finish_non_exhaustive()
    }
}

/// Reason why a model can't be built. The message says what to change, and holds no key.
#[derive(Debug)]
pub struct BuildError {
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl BuildError {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
        }
    }

    fn because(message: &str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            message: message.to_owned(),
            source: Some(source.into()),
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Makes a client that follows no redirects: the API has none, and a key is meant for one address.
fn http_client(connect: Duration) -> Result<reqwest::Client, BuildError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|tls| tls.with_platform_verifier())
        .map_err(|error| BuildError::because("TLS can't be set up with the system's certificates", error))?
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(connect)
        .redirect(redirect::Policy::none())
        .build()
        .map_err(|error| BuildError::because("the HTTP client can't be set up", error))
}

/// The model's name without a router's prefix and without the mark of a fine-tuned model.
fn family(model: &str) -> &str {
    let name = model.rsplit('/').next().unwrap_or(model);
    name.strip_prefix("ft:").unwrap_or(name)
}

fn knows_async(family: &str) -> bool {
    let number = family.strip_prefix("gpt-").map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse::<u32>()
    });
    matches!(number, Some(Ok(number)) if number >= 6)
}

fn reasons(family: &str) -> bool {
    !["gpt-3", "gpt-4", "chatgpt"]
        .iter()
        .any(|name| family.starts_with(name))
}

/// Media that a model takes, in messages and in outputs of calls
/// ([images](https://platform.openai.com/docs/guides/images-vision),
/// [files](https://platform.openai.com/docs/guides/pdf-files)).
fn media_of(family: &str) -> MediaRules {
    const RULES: MediaRules = MediaRules::of(&[
        MediaRule::new("image/png").in_results(true),
        MediaRule::new("image/jpeg").in_results(true),
        MediaRule::new("image/gif").in_results(true),
        MediaRule::new("image/webp").in_results(true),
        MediaRule::new("application/pdf").in_results(true),
        MediaRule::new("text/plain").in_results(true),
    ]);
    let is_text_only = ["gpt-3", "gpt-oss", "o1-mini", "o3-mini"]
        .iter()
        .any(|name| family.starts_with(name));
    if is_text_only { MediaRules::NONE } else { RULES }
}
