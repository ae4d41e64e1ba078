//! Sessions of a call: one for each attempt, and the search for those of earlier processes.
//!
//! # Invariants
//!
//! 1. A session that has begun is resumed, and no other one begins beside it: its tasks may have had effects.
//! 2. A session in other hands is waited for. Its owner may finish it, or end, and then its lease ends.
//! 3. A session whose state can't be found out leaves the call's outcome unknown. A failure would say that the model
//!    may call again.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    failure::{CUT_SHORT, broken, left, stopped, unknown, untold, without_an_answer},
    survey::{End, Survey},
};
use crate::{
    agent::{AsyncAgent, AsyncAgentBuilder, REDACTED, StartError},
    journal::AppendError,
    manager::TaskCell,
    model::without_keys,
    session::SessionId,
    tool::{Reconciled, ToolContext, ToolError, shorten},
};

/// Longest text of an agent in the reason of an unknown outcome, in characters.
const SHOWN: usize = 2_000;
/// Shortest and longest pause between two looks at a session in other hands.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(30));
/// Shortest and longest time for which a session in other hands is waited for. The owner's lease decides between them.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(120), Duration::from_secs(3_600));

/// Start of a call's work.
pub(super) enum Opened {
    /// An agent carries it out.
    Agent(AsyncAgent),
    /// An agent had finished it, with this text.
    Said(String),
}

/// Session of a call's attempt.
pub(super) fn session_of(cx: &ToolContext, attempt: u32) -> SessionId {
    SessionId::new(match attempt {
        1 => format!("{}/{}", cx.session(), cx.task()),
        attempt => format!("{}/{}.{attempt}", cx.session(), cx.task()),
    })
}

/// Finds out the outcome of a call whose process has ended. It may go on if its session is in a journal, which knows
/// which tasks must not run twice.
pub(super) async fn look_after(
    builder: AsyncAgentBuilder,
    cx: &ToolContext,
    task: &Arc<TaskCell>,
) -> Result<Reconciled<String>, ToolError> {
    if !builder.has_journal() {
        return Ok(Reconciled::Unknown(
            "the process that ran the agent has ended, and its progress was not written down".to_owned(),
        ));
    }
    let Some((attempt, survey)) = last_session(&builder, cx).await.map_err(broken)? else {
        return Ok(Reconciled::NotStarted);
    };
    let Some(end) = survey.end else {
        return Ok(match task.spec.call.redacted {
            // To go on, the tool would be called with the placeholder of a secret.
            true => Reconciled::Unknown(
                "the agent had begun, and can't go on: a secret in its message was not written down".to_owned(),
            ),
            false => Reconciled::NotStarted,
        });
    };
    if !survey.is_closed {
        end_closing(&builder, cx, task, attempt).await;
    }
    Ok(match end {
        End::Said(text) => match without_a_secret(&text) {
            Ok(()) => Reconciled::Completed(text),
            Err(why) => Reconciled::Unknown(why),
        },
        End::Nothing => Reconciled::Failed(without_an_answer()),
        End::CutShort => Reconciled::Unknown(CUT_SHORT.to_owned()),
    })
}

/// Refuses last words in which the journal has the placeholder of a secret: another task must not run with it.
fn without_a_secret(text: &str) -> Result<(), String> {
    match text.contains(REDACTED) {
        true => Err(format!(
            "the agent had finished, but a secret in its last words was not written down: {}",
            shorten(text, SHOWN)
        )),
        false => Ok(()),
    }
}

/// Closes a session that had begun to close. The end of its work is known, so a failure doesn't matter: no process takes
/// the session up to go on with it.
async fn end_closing(builder: &AsyncAgentBuilder, cx: &ToolContext, task: &TaskCell, attempt: u32) {
    let resumed = builder.clone().session(session_of(cx, attempt)).resume().await;
    let ended = async {
        match resumed {
            Ok(agent) => agent.close().await.err().map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        }
    };
    if let Some(error) = ended.await {
        let error = without_keys(&error);
        tracing::warn!(target: "async_tool::agent", task = %task.spec.task, error = &*error, "the session of a sub-agent that has ended could not be closed");
    }
}

/// Attempt with the last session of a call, and the state of that session.
async fn last_session(builder: &AsyncAgentBuilder, cx: &ToolContext) -> Result<Option<(u32, Survey)>, StartError> {
    let mut last = None;
    for attempt in 1.. {
        match builder.clone().session(session_of(cx, attempt)).survey().await {
            Ok(survey) => last = Some((attempt, survey)),
            // An earlier process may have made attempts that are not counted here.
            Err(StartError::UnknownSession { .. }) if attempt >= cx.attempt() => break,
            Err(StartError::UnknownSession { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(last)
}

/// Starts the agent of an attempt, or resumes the session of an earlier attempt. Waits for a session in other hands.
pub(super) async fn open(builder: AsyncAgentBuilder, cx: &ToolContext, task: &TaskCell) -> Result<Opened, ToolError> {
    if !builder.has_journal() {
        return builder.start().await.map(Opened::Agent).map_err(broken);
    }
    let mut patience = Patience::new();
    // Only a later attempt can have an earlier one's session.
    let mut found = match cx.attempt() {
        1 => Ok(None),
        _ => last_session(&builder, cx).await,
    };
    loop {
        let opened = match found {
            Ok(None) => builder.clone().start().await,
            Ok(Some((attempt, survey))) => {
                let taken_up = builder.clone().session(session_of(cx, attempt));
                match survey.end {
                    Some(End::Said(text)) if survey.is_closed => {
                        without_a_secret(&text).map_err(|why| unknown(&why))?;
                        return Ok(Opened::Said(text));
                    }
                    Some(_) if survey.is_closed => {
                        if !may_begin_anew(cx, task) {
                            return Err(unknown(CUT_SHORT));
                        }
                        let next = session_of(cx, cx.attempt().max(attempt + 1));
                        builder.clone().session(next).start().await
                    }
                    // Closes itself, and is looked at again.
                    Some(_) => match taken_up.resume().await {
                        Ok(agent) => {
                            agent.close().await.map_err(|error| untold(&error))?;
                            found = last_session(&builder, cx).await;
                            continue;
                        }
                        refused => refused,
                    },
                    None => taken_up.resume().await,
                }
            }
            Err(error) => Err(error),
        };
        let retry_after = match opened {
            Ok(agent) => return Ok(Opened::Agent(agent)),
            Err(StartError::SessionTaken { retry_after, .. }) => retry_after,
            // `SessionClosed`: closed since the look.
            Err(
                StartError::SessionClosed { .. }
                | StartError::Journal(AppendError::Conflict { .. } | AppendError::Unavailable(_))
                | StartError::Read(_),
            ) => None,
            Err(error @ StartError::Fold { .. }) => return Err(untold(&error)),
            Err(error) => return Err(broken(error)),
        };
        patience.wait(retry_after, cx, task).await?;
        found = last_session(&builder, cx).await;
    }
}

/// True if an attempt may begin in a new session although an earlier one was cut short: the call may be repeated, or the
/// earlier attempt was of this process, which decided to try again.
fn may_begin_anew(cx: &ToolContext, task: &TaskCell) -> bool {
    let effect = task.layers.as_ref().map(|layers| layers.options.effect);
    effect.is_some_and(|effect| effect.is_repeatable()) || cx.attempt() > task.spec.attempt
}

/// Wait for a session in other hands.
struct Patience {
    since: Instant,
    pause: Duration,
    /// Set at the first refusal.
    limit: Option<Duration>,
}

impl Patience {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            pause: PAUSES.0,
            limit: None,
        }
    }

    /// Waits for the next look: until the owner's lease ends, if that is known.
    async fn wait(&mut self, lease: Option<Duration>, cx: &ToolContext, task: &TaskCell) -> Result<(), ToolError> {
        let ends = lease.unwrap_or_default().saturating_add(PAUSES.1);
        let limit = *self.limit.get_or_insert(ends.clamp(PATIENCE.0, PATIENCE.1));
        if self.since.elapsed() >= limit {
            return Err(unknown(
                "the agent's session is still in the hands of another process, or can't be read; what it did is not known here",
            ));
        }
        let pause = lease.unwrap_or(self.pause).clamp(PAUSES.0, PAUSES.1);
        self.pause = self.pause.saturating_mul(2).min(PAUSES.1);
        tracing::debug!(target: "async_tool::agent", task = %task.spec.task, ?pause, "the session of a sub-agent is in other hands; waiting");
        tokio::select! {
            biased;
            () = task.left() => Err(left()),
            () = cx.cancellation().cancelled() => Err(stopped()),
            () = sleep(pause) => Ok(()),
        }
    }
}
