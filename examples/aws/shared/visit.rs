//! Visit of an agent to its session.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Journal, Message, SessionId, ToolError,
    agent::{AgentError, AsyncAgentBuilder, Parked, RunError, StartError},
    journal::Seq,
    manager::ResolveError,
};
use tokio::time::{Instant, timeout_at};

use crate::{Completion, Mark, Settled, Unsettled, fault, settle};

/// Parts of the agents that visit their sessions.
#[derive(Clone)]
pub struct Host {
    /// Builder of the agent of any session.
    pub agent: AsyncAgentBuilder,
    /// Manager of the agent.
    pub manager: AsyncToolManager,
    /// Journal of all sessions.
    pub journal: Arc<dyn Journal>,
}

/// Reason of a visit.
#[derive(Clone, Debug)]
pub enum News {
    /// The user said something. Starts the session, if it is new. With a mark, a message that comes again is told once.
    Message(String, Option<Mark>),
    /// A task has ended elsewhere.
    Completion(Completion),
    /// A deadline has passed, or an earlier visit was cut short. The agent goes on with what it finds.
    Wake,
}

/// Result of a visit.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Texts of the model in this visit.
    pub said: Vec<String>,
    /// Waits of the session now.
    pub parked: Parked,
    /// Place of the session's last entry.
    pub last: Seq,
    /// Effect of the completion, if the visit was for one.
    pub settled: Option<Settled>,
}

impl Host {
    /// Takes a session up, tells its agent the news, lets it work until it is parked, and leaves the session.
    ///
    /// When this returns `Ok`, the journal has all consequences, so the message with the news may be deleted. A visit that takes until `limit` is
    /// cut short; the next one goes on.
    ///
    /// # Errors
    ///
    /// [`VisitError`] says if the news must come again.
    pub async fn visit(&self, session: &SessionId, news: &News, limit: Instant) -> Result<Visit, VisitError> {
        let agent = self.resume(session, news).await?;
        let visit = match timeout_at(limit, self.work(&agent, news)).await {
            Ok(visit) => visit,
            Err(_) => Err(VisitError::CutShort),
        };
        if let Err(error) = agent.leave().await {
            // Nothing is lost: the next visit has to wait until the lease ends.
            eprintln!("session `{session}`: {error}");
        }
        visit
    }

    /// The agent of a session, which no other process has now.
    ///
    /// # Errors
    ///
    /// As for [`visit`](Self::visit).
    pub async fn resume(&self, session: &SessionId, news: &News) -> Result<AsyncAgent, VisitError> {
        let builder = self
            .agent
            .clone()
            .session(session.clone())
            .journal(Arc::clone(&self.journal));
        let agent = match news {
            News::Message(..) => builder.resume_or_start().await,
            News::Completion(_) | News::Wake => builder.resume().await,
        };
        agent.map_err(|error| match error {
            StartError::UnknownSession { .. } | StartError::SessionClosed { .. } => VisitError::Gone(error.to_string()),
            StartError::SessionTaken { retry_after, .. } => VisitError::Busy {
                session: session.clone(),
                retry_after,
            },
            error if error.is_conflict() => VisitError::Busy {
                session: session.clone(),
                retry_after: None,
            },
            error => VisitError::Failed(fault::chain(&error)),
        })
    }

    async fn work(&self, agent: &AsyncAgent, news: &News) -> Result<Visit, VisitError> {
        let before = agent.transcript().await?;
        let settled = match news {
            News::Message(text, mark) => {
                let was_told = match mark {
                    Some(mark) => {
                        mark.was_told(&*self.journal, agent.session(), before.seq(), text)
                            .await?
                    }
                    None => false,
                };
                if !was_told {
                    agent.send(text.clone()).await?;
                }
                None
            }
            News::Completion(completion) => Some(settle(&self.manager, completion).await?),
            News::Wake => None,
        };
        let parked = agent.run_until_parked().await?;
        let transcript = agent.transcript().await?;
        let said = transcript
            .iter()
            .skip(before.len())
            .filter_map(|message| match &**message {
                Message::Assistant { text, .. } if !text.is_empty() => Some(text.clone()),
                _ => None,
            });
        Ok(Visit {
            said: said.collect(),
            parked,
            last: transcript.seq(),
            settled,
        })
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("agent", &self.agent)
            .finish_non_exhaustive()
    }
}

/// Error of a visit.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum VisitError {
    /// Another process has the session. The news must come again.
    Busy {
        /// The session.
        session: SessionId,
        /// Time after which the session is free although the other process doesn't leave it, if it is known.
        retry_after: Option<Duration>,
    },
    /// The time was over. The news must come again; all that was done is kept.
    CutShort,
    /// The session or its task doesn't exist any more. The news can be forgotten.
    Gone(String),
    /// The agent failed. The news must come again.
    Failed(String),
}

impl VisitError {
    /// True if the news must come again.
    #[must_use]
    pub fn must_come_again(&self) -> bool {
        !matches!(self, Self::Gone(_))
    }
}

impl From<AgentError> for VisitError {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::Closed => Self::Gone(error.to_string()),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<ToolError> for VisitError {
    fn from(error: ToolError) -> Self {
        Self::Failed(error.message().to_owned())
    }
}

impl From<RunError> for VisitError {
    fn from(error: RunError) -> Self {
        Self::Failed(fault::chain(&error))
    }
}

impl From<Unsettled> for VisitError {
    fn from(error: Unsettled) -> Self {
        match error.reason() {
            ResolveError::UnknownTask => Self::Gone(error.reason().to_string()),
            reason => Self::Failed(reason.to_string()),
        }
    }
}

impl fmt::Display for VisitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { session, .. } => write!(f, "busy: another process has session `{session}`"),
            Self::CutShort => {
                f.write_str("the time was over before the agent was done; it goes on when the message comes again")
            }
            Self::Gone(reason) => f.write_str(reason),
            Self::Failed(reason) => write!(f, "the agent failed: {reason}"),
        }
    }
}

impl Error for VisitError {}
