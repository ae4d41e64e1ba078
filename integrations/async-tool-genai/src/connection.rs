//! A provider's server, its model and its key, from the settings of a builder.

use std::sync::Arc;

use reqwest::{Url, redirect};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::{BuildError, Provider, Timeouts, secret::Secret, transport::Transport};

/// A server that can be asked for a model's answers.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) provider: Provider,
    /// The provider's name of the model.
    pub(crate) model: String,
    /// The server's address without a key; `None` for the provider's own.
    pub(crate) server: Option<String>,
    pub(crate) transport: Transport,
}

impl Connection {
    /// Sends nothing. `name` is `provider/name`; a missing key comes from the environment.
    pub(crate) fn open(
        name: &str,
        base_url: Option<&str>,
        api_key: Option<Secret>,
        timeouts: Timeouts,
    ) -> Result<Self, BuildError> {
        let (provider, model) = parse_name(name)?;
        let base_url = match base_url {
            Some(url) => Some(parse_base_url(provider, url)?),
            None => None,
        };
        let key = api_key.filter(|key| !key.is_empty());
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
            .connect_timeout(timeouts.connect)
            .tcp_nodelay(true)
            // A redirect would leak the key: some providers take it in a header of their own, which is sent on.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| BuildError::Http(key.redact(&error.without_url().to_string())))?;
        let server = base_url.as_ref().map(shown_url);
        let base_url = match base_url {
            Some(url) => url,
            None => parse_base_url(provider, &provider.own_server(model)?)?,
        };
        Ok(Self {
            provider,
            model: model.to_owned(),
            server,
            transport: Transport {
                provider,
                wire: provider.wire(model),
                base_url,
                client,
                key,
                timeouts,
            },
        })
    }
}

/// Reads `provider/name`.
pub(crate) fn parse_name(name: &str) -> Result<(Provider, &str), BuildError> {
    let (provider, model) = name
        .split_once('/')
        .filter(|(_, model)| !model.trim().is_empty())
        .ok_or_else(|| BuildError::Name(name.to_owned()))?;
    Ok((provider.parse().map_err(BuildError::Provider)?, model))
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
