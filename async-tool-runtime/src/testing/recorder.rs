//! Recordings of the inputs of agent machines.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::DivergenceError;
use crate::{
    agent::{
        AsyncAgentBuilder,
        machine::{AgentAction, AgentInput, AgentMachine},
    },
    clock::Timestamp,
    journal::{Entry, Seq},
    session::SessionId,
};

/// Records the inputs of agent machines, so that a test can play their sessions again, entry by entry.
///
/// A journal holds the decisions of a session, but not all their inputs: streamed text, timers and requests of the host are missing.
/// So playing a session again needs a recording besides the journal. Clones record into the same list.
///
/// ```
/// use async_tool_runtime::{
///     journal::MemoryJournal, testing::Recorder, AsyncAgent, AsyncToolManager, RulePlanner, SessionId,
/// };
/// use std::sync::Arc;
///
/// # async_tool_runtime::testing::run_paused(async {
/// let (recorder, journal) = (Recorder::new(), Arc::new(MemoryJournal::new()));
/// let manager = AsyncToolManager::builder().build()?;
/// let agent = AsyncAgent::builder(RulePlanner::new(), manager)
///     .journal(Arc::clone(&journal))
///     .session("s")
///     .record(&recorder)
///     .start()
///     .await?;
/// agent.send("hello").await?;
/// agent.run_until_idle().await?;
///
/// let recording = &recorder.recordings()[0];
/// recording.check(&journal.entries(&SessionId::new("s")))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<Mutex<Vec<Recording>>>);

impl Recorder {
    /// A recorder with no recordings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Recordings so far, one for each session, in the order in which they began.
    #[must_use]
    pub fn recordings(&self) -> Vec<Recording> {
        self.all().clone()
    }

    /// Appends the next input of a machine to its session's recording.
    fn note(&self, session: &SessionId, machine: &AgentMachine, now: Timestamp, input: &AgentInput) {
        let mut recordings = self.all();
        let place = recordings.iter().position(|known| known.session == *session);
        let place = place.unwrap_or_else(|| {
            recordings.push(Recording {
                session: session.clone(),
                machine: machine.clone(),
                inputs: Vec::new(),
            });
            recordings.len() - 1
        });
        recordings[place].inputs.push((now, input.clone()));
    }

    /// Drops all recordings. Machines hold tools, and simulated tools hold the world with its recorder: a reference cycle.
    pub(super) fn clear(&self) {
        self.all().clear();
    }

    fn all(&self) -> MutexGuard<'_, Vec<Recording>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncAgentBuilder {
    /// Records the inputs of the agent's machine, for tests that play the session again.
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn record(self, recorder: &Recorder) -> Self {
        let recorder = recorder.clone();
        self.tap(Arc::new(move |session, machine, now, input| {
            recorder.note(session, machine, now, input);
        }))
    }
}

/// Inputs of the machine of one session, from the beginning of the session.
///
/// ```
/// # use async_tool_runtime::{
/// #     journal::MemoryJournal, testing::Recorder, AsyncAgent, AsyncToolManager, RulePlanner, SessionId,
/// # };
/// # use std::sync::Arc;
/// # async_tool_runtime::testing::run_paused(async {
/// # let (recorder, journal) = (Recorder::new(), Arc::new(MemoryJournal::new()));
/// # let manager = AsyncToolManager::builder().build()?;
/// # let builder = AsyncAgent::builder(RulePlanner::new(), manager).journal(Arc::clone(&journal)).session("s");
/// let agent = builder.record(&recorder).start().await?;
/// agent.send("hello").await?;
/// agent.run_until_idle().await?;
///
/// let recording = &recorder.recordings()[0];
/// assert_eq!(recording.session(), agent.session());
/// assert_eq!(recording.play(), journal.entries(agent.session()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Recording {
    session: SessionId,
    machine: AgentMachine,
    inputs: Vec<(Timestamp, AgentInput)>,
}

impl Recording {
    /// Id of the session.
    #[must_use]
    pub fn session(&self) -> &SessionId {
        &self.session
    }

    /// Inputs, each with its time.
    #[must_use]
    pub fn inputs(&self) -> &[(Timestamp, AgentInput)] {
        &self.inputs
    }

    /// Plays the inputs into a new machine, and returns the entries that it writes.
    #[must_use]
    pub fn play(&self) -> Vec<Entry> {
        let mut machine = self.machine.clone();
        let mut entries = Vec::new();
        for (now, input) in &self.inputs {
            for action in machine.step(*now, input.clone()) {
                if let AgentAction::Append(more) = action {
                    entries.extend(more);
                }
            }
        }
        entries
    }

    /// Checks that the entries of a journal equal those that the machine writes when the recording is played.
    ///
    /// The journal may be shorter, because appending to it may have failed at some point; the entries that it has must agree.
    ///
    /// # Errors
    ///
    /// [`DivergenceError`] at the first entry that differs.
    pub fn check(&self, journal: &[Entry]) -> Result<(), DivergenceError> {
        let mut played = self.play().into_iter();
        for (place, entry) in journal.iter().enumerate() {
            let played = played.next();
            if played.as_ref() != Some(entry) {
                return Err(DivergenceError::new(Seq::new(place as u64 + 1), entry.clone(), played));
            }
        }
        Ok(())
    }
}
