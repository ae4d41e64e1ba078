//! Recordings of the inputs of agents' machines.

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

/// Records what goes into the machines of agents, so that their sessions can be played again, entry by entry.
///
/// A journal says what was decided. What it was decided on is not all in it: pieces of text that streamed, timers, what the host asked for.
/// So a session whose decisions are to be played again needs this beside its journal. Clones record into the same place.
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

    /// Recordings so far, one a session, in the order in which they began.
    #[must_use]
    pub fn recordings(&self) -> Vec<Recording> {
        self.all().clone()
    }

    /// Notes what a machine is about to take in.
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

    /// Forgets all. Machines hold tools, and those of a simulated world hold the world with its recorder.
    pub(super) fn clear(&self) {
        self.all().clear();
    }

    fn all(&self) -> MutexGuard<'_, Vec<Recording>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncAgentBuilder {
    /// Records what goes into the machine of the agent, for tests that play it again.
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn record(self, recorder: &Recorder) -> Self {
        let recorder = recorder.clone();
        self.tap(Arc::new(move |session, machine, now, input| {
            recorder.note(session, machine, now, input);
        }))
    }
}

/// Inputs of the machine of one session, from its beginning.
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
    /// The session.
    #[must_use]
    pub fn session(&self) -> &SessionId {
        &self.session
    }

    /// Inputs, each with its time.
    #[must_use]
    pub fn inputs(&self) -> &[(Timestamp, AgentInput)] {
        &self.inputs
    }

    /// Plays the inputs into a new machine, and gives what it writes down.
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

    /// Checks that a journal holds what the machine writes down when it is played again, to the letter. A journal that
    /// is shorter is one that could not be written any more; what it has must agree.
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
