//! The first difference between a journal and a recording.

use std::{error::Error, fmt};

use crate::journal::{Entry, Seq};

/// First entry of a journal that differs from the entry which the machine writes when its recording is played.
///
/// ```
/// use async_tool_runtime::{
///     journal::{Entry, Seq}, testing::Recorder, AsyncAgent, AsyncToolManager, RulePlanner,
/// };
///
/// # async_tool_runtime::testing::run_paused(async {
/// let recorder = Recorder::new();
/// let manager = AsyncToolManager::builder().build()?;
/// let agent = AsyncAgent::builder(RulePlanner::new(), manager).record(&recorder).start().await?;
/// agent.send("hello").await?;
/// agent.run_until_idle().await?;
///
/// let recording = &recorder.recordings()[0];
/// let mut journal = recording.play();
/// let Entry::UserMessage { text, .. } = &mut journal[1] else { panic!("the user spoke first") };
/// *text = "goodbye".to_owned();
///
/// let divergence = recording.check(&journal).unwrap_err();
/// assert_eq!(divergence.seq(), Seq::new(2));
/// assert_eq!(divergence.entry(), &journal[1]);
/// assert!(matches!(divergence.played(), Some(Entry::UserMessage { text, .. }) if text == "hello"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct DivergenceError {
    seq: Seq,
    entry: Box<Entry>,
    played: Option<Box<Entry>>,
}

impl DivergenceError {
    pub(super) fn new(seq: Seq, entry: Entry, played: Option<Entry>) -> Self {
        Self {
            seq,
            entry: Box::new(entry),
            played: played.map(Box::new),
        }
    }

    /// Position of the first entry that differs.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.seq
    }

    /// Entry of the journal at that position.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Entry that the machine writes there; `None` if the recording ends before it.
    #[must_use]
    pub fn played(&self) -> Option<&Entry> {
        self.played.as_deref()
    }
}

impl fmt::Display for DivergenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seq, entry) = (self.seq.as_u64(), &self.entry);
        write!(f, "entry {seq} of the journal is {entry:?}, but the machine writes ")?;
        match &self.played {
            Some(played) => write!(f, "{played:?}"),
            None => f.write_str("no such entry"),
        }
    }
}

impl Error for DivergenceError {}
