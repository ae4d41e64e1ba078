//! Errors of starting an agent.

use std::{error::Error, fmt, sync::Arc};

use super::FoldError;
use crate::{
    journal::{AppendError, ReadError, Seq},
    schema::SchemaError,
    session::SessionId,
};

/// An agent can't be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// Another agent of the same manager has this session.
    SessionTaken {
        /// The session.
        session: SessionId,
    },
    /// The session could not be written down; with [`AppendError::Conflict`], it has entries already, or another process has it.
    Journal(AppendError),
    /// The session could not be read.
    Read(ReadError),
    /// The entries of the session can't follow each other: no agent has written them, or a version that this one doesn't know.
    Fold {
        /// The first entry that is wrong.
        seq: Seq,
        /// Reason of the refusal.
        error: FoldError,
    },
    /// The journal has no such session.
    UnknownSession {
        /// The session.
        session: SessionId,
    },
    /// The session is closed: nothing follows.
    SessionClosed {
        /// The session.
        session: SessionId,
    },
    /// The agent was to be offered a tool that its manager doesn't have.
    UnknownTool {
        /// The name.
        tool: Arc<str>,
    },
    /// The schema of a tool can't be said in the dialect of the model's provider.
    Schema {
        /// The tool's name.
        tool: Arc<str>,
        /// Position, reason and remedy.
        error: SchemaError,
    },
    /// Agents must be started within a tokio runtime.
    NoRuntime,
}

impl StartError {
    /// True if somebody else has the session: another agent of this manager, or another process. Nothing has been run here.
    #[must_use]
    pub const fn is_conflict(&self) -> bool {
        matches!(
            self,
            Self::SessionTaken { .. } | Self::Journal(AppendError::Conflict { .. })
        )
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SessionTaken { session } => write!(f, "session `{session}` has an agent already"),
            Self::Journal(_) => f.write_str("the session can't be opened"),
            Self::Read(_) => f.write_str("the session can't be read"),
            Self::Fold { seq, .. } => write!(f, "the session's journal is wrong at entry {}", seq.as_u64()),
            Self::UnknownSession { session } => write!(f, "the journal has no session `{session}`"),
            Self::SessionClosed { session } => write!(f, "session `{session}` is closed; start another one"),
            Self::UnknownTool { tool } => write!(f, "the manager has no tool `{tool}`"),
            Self::Schema { tool, .. } => write!(f, "the model can't be offered `{tool}`"),
            Self::NoRuntime => f.write_str("agents must be started within a tokio runtime"),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Journal(error) => Some(error),
            Self::Read(error) => Some(error),
            Self::Fold { error, .. } => Some(error),
            Self::Schema { error, .. } => Some(error),
            Self::SessionTaken { .. }
            | Self::UnknownSession { .. }
            | Self::SessionClosed { .. }
            | Self::UnknownTool { .. }
            | Self::NoRuntime => None,
        }
    }
}
