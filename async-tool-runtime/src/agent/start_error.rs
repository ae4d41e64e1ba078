//! Errors of starting an agent.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use super::FoldError;
use crate::{
    journal::{AppendError, Format, ReadError, Seq},
    schema::SchemaError,
    session::SessionId,
};

/// Error of starting or resuming an agent.
///
/// ```
/// use async_tool_runtime::{agent::StartError, AsyncAgent, AsyncToolManager, RulePlanner};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().build()?;
/// let builder = AsyncAgent::builder(RulePlanner::new(), manager).session("main");
/// match builder.clone().resume().await {
///     Err(StartError::UnknownSession { session }) => assert_eq!(session.as_str(), "main"),
///     other => panic!("the journal is empty: {other:?}"),
/// }
/// let error = builder.tools(["no_such_tool"]).start().await.unwrap_err();
/// assert_eq!(error.to_string(), "the manager has no tool `no_such_tool`");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// Another agent has this session: one of the same manager, of another manager, or of another process.
    SessionTaken {
        /// The session.
        session: SessionId,
        /// Earliest time after which a retry can succeed although the other agent doesn't leave the session: if its
        /// process shows no sign of life until then. `None` if the journal knows no such time.
        ///
        /// The journal may have to watch the other process for this long. So retry with the same open journal.
        retry_after: Option<Duration>,
    },
    /// The journal could not be written. With [`AppendError::Conflict`], the session has entries that this agent didn't
    /// know.
    Journal(AppendError),
    /// The journal could not be read.
    Read(ReadError),
    /// The entries of the session can't follow each other. They were not written by an agent.
    Fold {
        /// First entry that can't follow.
        seq: Seq,
        /// Reason of the refusal.
        error: FoldError,
    },
    /// A newer program has taken the session up, and its entries have a format that this one doesn't know. Nothing of the session is
    /// changed. Resume it with that program or a later one.
    Newer {
        /// The session.
        session: SessionId,
        /// First entry of the newer format.
        seq: Seq,
        /// Format of the entries, which is newer than [`Format::CURRENT`].
        found: Format,
    },
    /// The journal has no such session.
    UnknownSession {
        /// The session.
        session: SessionId,
    },
    /// The session is closed, and can't be resumed. For [`resume_or_start`](super::AsyncAgentBuilder::resume_or_start),
    /// also a session whose end has begun.
    SessionClosed {
        /// The session.
        session: SessionId,
    },
    /// [`tools`](crate::agent::AsyncAgentBuilder::tools) names a tool that the manager doesn't have.
    UnknownTool {
        /// Name of the tool.
        tool: Arc<str>,
    },
    /// The dialect of the model's provider can't express the schema of a tool.
    Schema {
        /// Name of the tool.
        tool: Arc<str>,
        /// Position, reason and remedy.
        error: SchemaError,
    },
    /// A part of the host's code panicked, such as its model.
    Panicked(String),
    /// There is no tokio runtime; agents must be started within one.
    NoRuntime,
}

impl StartError {
    /// True if another agent has the session, or has just written to it. This agent has run nothing.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().build()?;
    /// let builder = AsyncAgent::builder(RulePlanner::new(), manager).session("main");
    /// let agent = builder.clone().start().await?;
    /// let error = builder.start().await.unwrap_err();
    /// assert!(error.is_conflict());
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
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
            Self::SessionTaken {
                session,
                retry_after: None,
            } => write!(f, "session `{session}` has an agent already"),
            Self::SessionTaken {
                session,
                retry_after: Some(after),
            } => write!(
                f,
                "session `{session}` has an agent already; let it leave the session, end its process, or try again after {after:?}"
            ),
            Self::Journal(_) => f.write_str("the session can't be opened"),
            Self::Read(_) => f.write_str("the session can't be read"),
            Self::Fold { seq, .. } => write!(f, "the session's journal is wrong at entry {}", seq.as_u64()),
            Self::Newer { session, seq, found } => write!(
                f,
                "session `{session}` has entries of format {found} from entry {} on, and this program reads formats up to {}; update the program",
                seq.as_u64(),
                Format::CURRENT
            ),
            Self::UnknownSession { session } => write!(f, "the journal has no session `{session}`"),
            Self::SessionClosed { session } => write!(f, "session `{session}` is closed; start another one"),
            Self::UnknownTool { tool } => write!(f, "the manager has no tool `{tool}`"),
            Self::Schema { tool, .. } => write!(f, "the model's provider can't take the schema of tool `{tool}`"),
            Self::Panicked(panic) => f.write_str(panic),
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
            | Self::Newer { .. }
            | Self::UnknownSession { .. }
            | Self::SessionClosed { .. }
            | Self::UnknownTool { .. }
            | Self::Panicked(_)
            | Self::NoRuntime => None,
        }
    }
}
