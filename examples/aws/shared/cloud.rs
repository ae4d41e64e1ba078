//! Clients of AWS.

use std::{error::Error, fmt, time::Duration};

use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_dynamodb::config::{ProvideCredentials, StalledStreamProtectionConfig};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};

use crate::{Names, fault};

/// Longest time of a connection's beginning.
const CONNECT: Duration = Duration::from_secs(3);
/// Longest time of a request and its answer. A long poll takes 20 s.
const REQUEST: Duration = Duration::from_secs(30);

/// Clients of one account and region, and the names of what was deployed there.
#[derive(Clone, Debug)]
pub struct Cloud {
    /// Client of Lambda.
    pub lambda: aws_sdk_lambda::Client,
    /// Client of DynamoDB.
    pub dynamo: aws_sdk_dynamodb::Client,
    /// Client of SQS.
    pub sqs: aws_sdk_sqs::Client,
    /// Names of the deployed resources.
    pub names: Names,
    region: String,
}

impl Cloud {
    /// Settings of all clients; region, credentials and endpoint come from the environment or the AWS configuration files.
    #[must_use]
    pub fn loader() -> ConfigLoader {
        let http = aws_smithy_http_client::Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring));
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_timeout(REQUEST);
        aws_config::defaults(BehaviorVersion::latest())
            .http_client(http.build_https())
            // The retries of the tools know their effects; these don't.
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.build())
            // The timeout covers a body that stops in the middle.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
    }

    /// Clients with the settings of [`loader`](Self::loader).
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if there is no region or there are no credentials. No request for the deployment was made.
    pub async fn connect(names: Names) -> Result<Self, ConnectError> {
        let config = Self::loader().load().await;
        // An empty variable counts as none.
        if config.region().is_none_or(|region| region.as_ref().is_empty()) {
            return Err(ConnectError::NoRegion);
        }
        let provider = config.credentials_provider().ok_or(ConnectError::NoCredentials)?;
        match provider.provide_credentials().await {
            Ok(_) => Ok(Self::new(&config, names)),
            Err(CredentialsError::CredentialsNotLoaded(_)) => Err(ConnectError::NoCredentials),
            Err(error) => Err(ConnectError::Credentials(fault::chain(&error))),
        }
    }

    /// Clients with the settings of `config`.
    #[must_use]
    pub fn new(config: &SdkConfig, names: Names) -> Self {
        Self {
            lambda: aws_sdk_lambda::Client::new(config),
            dynamo: aws_sdk_dynamodb::Client::new(config),
            sqs: aws_sdk_sqs::Client::new(config),
            names,
            region: config.region().map_or_else(|| "none".to_owned(), ToString::to_string),
        }
    }

    /// The region.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Description of a part of the deployment, for errors: "function `async-tool-api` in eu-west-1".
    #[must_use]
    pub fn place(&self, kind: &str, name: &str) -> String {
        format!("{kind} `{name}` in {}", self.region)
    }
}

/// Error of [`Cloud::connect`].
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// No region is set.
    NoRegion,
    /// There are no credentials.
    NoCredentials,
    /// No source has credentials, and the last one failed for this reason.
    Credentials(String),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRegion => f.write_str("no AWS region is set: set AWS_REGION, or `region` in ~/.aws/config"),
            Self::NoCredentials => f.write_str(fault::NO_CREDENTIALS),
            Self::Credentials(reason) => write!(f, "{} (the last source failed: {reason})", fault::NO_CREDENTIALS),
        }
    }
}

impl Error for ConnectError {}
