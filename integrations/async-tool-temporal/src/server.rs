//! The server: where it is, and how to be let in.

use std::{fmt, time::Duration};

use temporalio_client::{
    Client, ClientOptions, ClientTlsOptions, Connection, ConnectionOptions, NamespacedClient as _, TlsOptions, Url,
    errors::ClientConnectError,
    grpc::WorkflowService as _,
    tonic::{Code, IntoRequest as _, Status},
};
use temporalio_common::protos::temporal::api::workflowservice::v1::DescribeNamespaceRequest;

use crate::{
    error::{TemporalError, TemporalErrorKind},
    refusal, session,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes around a task or a result in a payload.
const ENVELOPE: usize = 1024;

/// Largest message of gRPC, less what surrounds a payload in it.
const MESSAGE: usize = (4 << 20) - (64 << 10);

/// Limit of a payload where the server doesn't say one.
const PAYLOAD: usize = 2 << 20;

/// Temporal server: its address, the namespace, and the proof that admits a client.
///
/// An address alone is enough for a server of your own. [`TemporalBackend::connect`](crate::TemporalBackend::connect) and
/// [`TemporalWorker::new`](crate::TemporalWorker::new) take it as text.
///
/// ```
/// use async_tool_temporal::Server;
///
/// # let key = "…";
/// // Temporal Cloud.
/// let server = Server::new("https://eu-central-1.aws.api.temporal.io:7233").namespace("tools.a1b2c").api_key(key);
/// assert!(!format!("{server:?}").contains(key));
/// ```
#[derive(Clone)]
pub struct Server(Place);

#[derive(Clone)]
enum Place {
    Address(Box<Address>),
    Client(Box<Client>),
}

#[derive(Clone, Default)]
struct Address {
    url: String,
    namespace: Option<String>,
    api_key: Option<String>,
    authority: Option<Vec<u8>>,
    certificate: Option<(Vec<u8>, Vec<u8>)>,
}

impl Server {
    /// Creates a server from its address, such as `http://127.0.0.1:7233`. Without a scheme, the address means `http`.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self(Place::Address(Box::new(Address {
            url: url.into(),
            ..Address::default()
        })))
    }

    /// Uses a client of the host's, with its namespace, its proxy, and its codec (which may encrypt). The settings of a server don't apply to it.
    #[must_use]
    pub fn from_client(client: Client) -> Self {
        Self(Place::Client(Box::new(client)))
    }

    /// Sets the namespace; `default` unless set.
    #[must_use]
    pub fn namespace(self, namespace: impl Into<String>) -> Self {
        self.with(|address| address.namespace = Some(namespace.into()))
    }

    /// Sets the API key. The connection then uses TLS.
    #[must_use]
    pub fn api_key(self, key: impl Into<String>) -> Self {
        self.with(|address| address.api_key = Some(key.into()))
    }

    /// Sets the certificate of an authority that the system doesn't know, as PEM. The connection then uses TLS.
    #[must_use]
    pub fn authority(self, pem: impl Into<Vec<u8>>) -> Self {
        self.with(|address| address.authority = Some(pem.into()))
    }

    /// Sets the client's certificate and its private key, as PEM. The connection then uses TLS.
    #[must_use]
    pub fn client_certificate(self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.with(|address| address.certificate = Some((certificate.into(), key.into())))
    }

    fn with(mut self, set: impl FnOnce(&mut Address)) -> Self {
        if let Place::Address(address) = &mut self.0 {
            set(address);
        }
        self
    }

    /// Connects to the server.
    pub(crate) async fn client(&self) -> Result<Client, TemporalError> {
        let address = match &self.0 {
            Place::Client(client) => return Ok(Client::clone(client)),
            Place::Address(address) => address,
        };
        let options = ConnectionOptions::new(address.url()?)
            .connect_timeout(CONNECT_TIMEOUT)
            .maybe_api_key(address.key()?)
            .maybe_tls_options(address.tls())
            .build();
        let connection = Connection::connect(options)
            .await
            .map_err(|error| address.refused(error))?;
        let namespace = address.namespace.clone().unwrap_or_else(|| "default".to_owned());
        Client::new(connection, ClientOptions::new(namespace).build()).map_err(|error| {
            TemporalError::new(TemporalErrorKind::Setting, "the client for Temporal could not be made")
                .with_source(error)
        })
    }
}

impl Address {
    fn url(&self) -> Result<Url, TemporalError> {
        let scheme = if self.api_key.is_some() || self.tls().is_some() {
            "https"
        } else {
            "http"
        };
        let text = if self.url.contains("://") {
            self.url.clone()
        } else {
            format!("{scheme}://{}", self.url)
        };
        let url = Url::parse(&text).map_err(|error| {
            let message = format!(
                "`{}` is not an address of a Temporal server; an address looks like `http://127.0.0.1:7233`",
                self.shown()
            );
            TemporalError::new(TemporalErrorKind::Setting, message).with_source(error)
        })?;
        if url.username().is_empty() && url.password().is_none() {
            return Ok(url);
        }
        let message = format!(
            "the address of {} has a user in it; Temporal wants an API key or a client certificate",
            self.shown()
        );
        Err(TemporalError::new(TemporalErrorKind::Setting, message))
    }

    /// The address, without a user and a password.
    fn shown(&self) -> &str {
        self.url.rsplit_once('@').map_or(&*self.url, |(_, host)| host)
    }

    /// The API key. The SDK would send none in place of one that no header can carry.
    fn key(&self) -> Result<Option<String>, TemporalError> {
        let is_sent = |key: &String| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        match &self.api_key {
            Some(key) if !is_sent(key) => Err(TemporalError::new(
                TemporalErrorKind::Setting,
                "the API key is empty, or has a character that no key has, such as a line break at its end",
            )),
            key => Ok(key.clone()),
        }
    }

    fn tls(&self) -> Option<TlsOptions> {
        let certificate = self.certificate.clone().map(|(certificate, key)| {
            ClientTlsOptions::builder()
                .client_cert(certificate)
                .client_private_key(key)
                .build()
        });
        if self.authority.is_none() && certificate.is_none() {
            return None;
        }
        let options = TlsOptions::builder()
            .maybe_server_root_ca_cert(self.authority.clone())
            .maybe_client_tls_options(certificate)
            .build();
        Some(options)
    }

    fn refused(&self, error: ClientConnectError) -> TemporalError {
        let kind = match &error {
            ClientConnectError::TonicTransportError(_) | ClientConnectError::DnsResolutionError { .. } => {
                TemporalErrorKind::Unreachable
            }
            ClientConnectError::SystemInfoCallError(status) => kind_of(status),
            _ => TemporalErrorKind::Setting,
        };
        let message = format!("no connection to the Temporal server at {}", self.shown());
        let refused = TemporalError::new(kind, message);
        match error {
            // It doesn't name the status as its source.
            ClientConnectError::SystemInfoCallError(status) => refused.with_source(status),
            error => refused.with_source(error),
        }
    }
}

impl From<&str> for Server {
    fn from(url: &str) -> Self {
        Self::new(url)
    }
}

impl From<String> for Server {
    fn from(url: String) -> Self {
        Self::new(url)
    }
}

impl From<Client> for Server {
    fn from(client: Client) -> Self {
        Self::from_client(client)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut server = f.debug_struct("Server");
        match &self.0 {
            Place::Address(address) => server
                .field("url", &address.shown())
                .field("namespace", &address.namespace),
            Place::Client(client) => server.field("namespace", &client.namespace()),
        };
        server.finish_non_exhaustive()
    }
}

/// Limits of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes of a task or a result.
    pub(crate) payload: usize,
    /// Time for which an ended task can be found.
    pub(crate) retention: Option<Duration>,
}

/// Asks for the limits of the client's namespace, and checks that the server can run standalone activities.
pub(crate) async fn limits(client: &Client) -> Result<Limits, TemporalError> {
    let namespace = client.namespace();
    let request = DescribeNamespaceRequest {
        namespace: namespace.clone(),
        ..Default::default()
    };
    let described = client.clone().describe_namespace(request.into_request()).await;
    let described = described
        .map_err(|status| {
            let message = match status.code() {
                Code::NotFound => format!("the Temporal server has no namespace `{namespace}`; create it with `temporal operator namespace create -n {namespace}`"),
                _ => format!("the Temporal server didn't describe the namespace `{namespace}`"),
            };
            TemporalError::new(kind_of(&status), message).with_source(status)
        })?
        .into_inner();
    let info = described.namespace_info.unwrap_or_default();
    if !info
        .capabilities
        .is_some_and(|capabilities| capabilities.standalone_activities)
    {
        return Err(TemporalError::new(
            TemporalErrorKind::Unprepared,
            format!(
                "the Temporal server doesn't offer standalone activities in the namespace `{namespace}`; server 1.31 or newer, or Temporal Cloud, is needed"
            ),
        ));
    }
    let payload = info
        .limits
        .and_then(|limits| usize::try_from(limits.blob_size_limit_error).ok())
        .filter(|limit| *limit > ENVELOPE);
    let retention = described
        .config
        .and_then(|config| config.workflow_execution_retention_ttl);
    Ok(Limits {
        payload: payload.unwrap_or(PAYLOAD).min(MESSAGE) - ENVELOPE,
        retention: retention.and_then(|retention| Duration::try_from(retention).ok()),
    })
}

/// Checks that the namespace has the search attribute of sessions.
pub(crate) async fn check_attribute(client: &Client) -> Result<(), TemporalError> {
    let Err(error) = client.count_activities(session::probe(), Default::default()).await else {
        return Ok(());
    };
    match error {
        temporalio_client::errors::ClientError::Rpc(status) if status.code() == Code::InvalidArgument => Err(TemporalError::new(
            TemporalErrorKind::Unprepared,
            format!(
                "the namespace `{0}` has no search attribute `{1}`; create it with `temporal operator search-attribute create -n {0} --name {1} --type Keyword`",
                client.namespace(),
                session::ATTRIBUTE
            ),
        )
        .with_source(status)),
        temporalio_client::errors::ClientError::Rpc(status) => {
            Err(TemporalError::new(kind_of(&status), "the Temporal server didn't answer a query for tasks").with_source(status))
        }
        error => Err(TemporalError::new(TemporalErrorKind::Unreachable, "the Temporal server didn't answer a query for tasks").with_source(error)),
    }
}

fn kind_of(status: &Status) -> TemporalErrorKind {
    use async_tool_runtime::backend::BackendErrorKind;
    match refusal::kind(status) {
        BackendErrorKind::Unreachable => TemporalErrorKind::Unreachable,
        _ => TemporalErrorKind::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_that_no_header_carries_is_told_and_not_shown() {
        for key in ["secret\n", "sec\0ret", "", "sécret"] {
            let server = Server::new("https://127.0.0.1:1").api_key(key);
            let error = server.client().await.map(drop).unwrap_err();
            assert_eq!(error.kind(), TemporalErrorKind::Setting, "{key:?}: {error}");
            assert!(!error.to_string().contains("ret"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_password_in_an_address_is_not_shown() {
        for url in [
            "http://ann:secret@127.0.0.1:1",
            "ann:secret@127.0.0.1:1",
            "http://ann:secret@ x",
        ] {
            let server = Server::new(url);
            let error = server.client().await.map(drop).unwrap_err();
            for shown in [error.to_string(), format!("{error:?}"), format!("{server:?}")] {
                assert!(!shown.contains("secret"), "{shown}");
            }
        }
    }
}
