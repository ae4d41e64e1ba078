//! The first difference between a journal and a recording.

use std::{error::Error, fmt};

use crate::journal::{Entry, Seq};

/// A journal holds another entry than the machine writes when its recording is played.
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
        write!(f, "entry {seq} of the journal is {entry:?}, and the machine writes ")?;
        match &self.played {
            Some(played) => write!(f, "{played:?}"),
            None => f.write_str("nothing"),
        }
    }
}

impl Error for DivergenceError {}
