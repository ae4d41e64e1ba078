//! Errors of the journal, as causes of the runtime's.

use std::{error::Error, fmt};

use async_tool_runtime::{
    SessionId,
    journal::{AppendError, ReadError, Seq},
};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::{
    retry::{Refusal, credentials},
    tables::Tables,
};

/// Cause of an [`AppendError::Unavailable`] or a [`ReadError`] of this crate, and of a failure to create the tables. It tells a host which
/// failures it can act on.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// A table doesn't exist, in this account and region.
    NoTable {
        /// Name of the table of sessions.
        heads: String,
        /// Name of the table of entries.
        log: String,
        /// Region of the client.
        region: String,
    },
    /// A table exists, but with other keys than the journal needs.
    OtherTable {
        /// Name of the table.
        table: String,
        /// Keys that it needs.
        needed: &'static str,
    },
    /// The client has no region.
    NoRegion,
    /// The SDK has found no credentials.
    NoCredentials {
        /// The SDK's error.
        source: Box<dyn Error + Send + Sync>,
    },
    /// AWS refused the request: a missing permission, a wrong key, or an invalid value.
    Refused {
        /// AWS's code of the error.
        code: String,
        /// AWS's description.
        message: String,
    },
    /// DynamoDB refused the request for the whole time, because of too many requests, or of conflicts with other transactions.
    Busy {
        /// AWS's code of the last error.
        code: String,
        /// AWS's description.
        message: String,
    },
    /// No answer came for the whole time. A write may have happened.
    Unreachable {
        /// Region of the client.
        region: String,
        /// The last error.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Other processes changed the session's owner at each of several attempts.
    Contested {
        /// The session.
        session: SessionId,
    },
    /// The name of the session is longer than an item of the table may be.
    NameTooLong {
        /// Length in bytes.
        bytes: usize,
        /// Longest name in bytes.
        longest: usize,
    },
    /// An entry exists but can't be decoded.
    Unreadable {
        /// The entry's session.
        session: SessionId,
        /// The entry's number.
        seq: Seq,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// An entry is missing, but the session or the table of sessions goes on after it.
    Missing {
        /// The entry's session.
        session: SessionId,
        /// The entry's number.
        seq: Seq,
    },
    /// The table of entries has entries that the table of sessions doesn't know.
    Ahead {
        /// The session.
        session: SessionId,
        /// The last entry that the table of sessions knows.
        last: Seq,
    },
    /// The runtime that carries out the journal's requests is shutting down.
    Stopped,
    /// Any other error.
    Other(Box<dyn Error + Send + Sync>),
}

impl StoreError {
    pub(crate) fn other(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other(source.into())
    }

    pub(crate) fn unavailable(self) -> AppendError {
        AppendError::Unavailable(Box::new(self))
    }

    /// Classifies the last error of a request.
    pub(crate) fn of<E>(tables: &Tables, error: SdkError<E>) -> Self
    where
        E: Refusal + ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        if credentials(&error).is_some() {
            return Self::NoCredentials {
                source: Box::new(error),
            };
        }
        let Some(region) = tables.region() else {
            return Self::NoRegion;
        };
        let refused = match &error {
            SdkError::ServiceError(refused) => refused,
            SdkError::ConstructionFailure(_) => return Self::other(root(&error)),
            _ => {
                return Self::Unreachable {
                    region,
                    source: root(&error).into(),
                };
            }
        };
        let answer = refused.err();
        let status = refused.raw().status().as_u16();
        let code = answer.code().map_or_else(|| format!("HTTP {status}"), str::to_owned);
        let message = answer.message().unwrap_or("without a description").to_owned();
        if code == "ResourceNotFoundException" {
            Self::NoTable {
                heads: tables.heads.clone(),
                log: tables.log.clone(),
                region,
            }
        } else if answer.may_pass() || status >= 500 || status == 429 {
            Self::Busy { code, message }
        } else {
            Self::Refused { code, message }
        }
    }
}

/// The text of the innermost cause. The SDK's outer errors say only "dispatch failure".
fn root(error: &dyn Error) -> String {
    let mut root = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        root = error.to_string();
        cause = error.source();
    }
    root
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::new(error)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTable { heads, log, region } => write!(
                f,
                "the tables {heads} and {log} don't both exist in region {region}; create them with `DynamoJournal::create_tables`, or set \
                 AWS_REGION to their region"
            ),
            Self::OtherTable { table, needed } => write!(
                f,
                "the table {table} isn't a journal's, which needs {needed}; give another prefix"
            ),
            Self::NoRegion => f.write_str("there is no AWS region; set AWS_REGION, or a region in the profile"),
            Self::NoCredentials { .. } => f.write_str(
                "there are no AWS credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or give the machine a role",
            ),
            Self::Refused { code, message } => write!(f, "DynamoDB refused the request ({code}): {message}"),
            Self::Busy { code, message } => write!(f, "DynamoDB is too busy ({code}); try again: {message}"),
            Self::Unreachable { region, source } => write!(
                f,
                "DynamoDB doesn't answer in region {region}; check the region and the network: {source}"
            ),
            Self::Contested { session } => write!(
                f,
                "other processes keep changing the owner of session {:?}; try again",
                session.as_str()
            ),
            Self::NameTooLong { bytes, longest } => write!(
                f,
                "the session's name has {bytes} bytes; give it {longest} bytes at most"
            ),
            Self::Unreadable { session, seq, .. } => write!(
                f,
                "entry {} of session {:?} can't be read",
                seq.as_u64(),
                session.as_str()
            ),
            Self::Missing { session, seq } => write!(
                f,
                "entry {} of session {:?} is missing; restore both tables to one moment",
                seq.as_u64(),
                session.as_str()
            ),
            Self::Ahead { session, last } => write!(
                f,
                "the table of entries goes on after entry {} of session {:?}, where the table of sessions ends; restore both tables to one \
                 moment",
                last.as_u64(),
                session.as_str()
            ),
            Self::Stopped => f.write_str("the tokio runtime of the journal is shutting down; use one that goes on"),
            Self::Other(source) => source.fmt(f),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoCredentials { source } | Self::Unreadable { source, .. } => Some(&**source),
            // Their texts are already in this error's text.
            Self::Unreachable { source, .. } | Self::Other(source) => source.source(),
            _ => None,
        }
    }
}
