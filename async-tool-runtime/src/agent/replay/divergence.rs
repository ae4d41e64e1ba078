//! Where a journal and the machine part.

use std::fmt;

use crate::{Entry, Seq};

/// A journal holds something else than the machine writes down.
#[derive(Clone, Debug, PartialEq)]
pub struct Divergence {
    seq: Seq,
    entry: Option<Box<Entry>>,
    played: Option<Box<Entry>>,
}

impl Divergence {
    pub(crate) fn new(seq: Seq, entry: Option<Entry>, played: Option<Entry>) -> Self {
        let (entry, played) = (entry.map(Box::new), played.map(Box::new));
        Self { seq, entry, played }
    }

    /// The place of the first entry that differs.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.seq
    }

    /// What the journal has there; `None` if it ends before.
    #[must_use]
    pub fn entry(&self) -> Option<&Entry> {
        self.entry.as_deref()
    }

    /// What the machine writes there; `None` if there is nothing that could have led it to write an entry.
    #[must_use]
    pub fn played(&self) -> Option<&Entry> {
        self.played.as_deref()
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seq = self.seq.as_u64();
        match &self.entry {
            Some(entry) => write!(f, "entry {seq} of the journal is {entry:?}, and the machine writes ")?,
            None => write!(f, "the journal ends before entry {seq}, and the machine writes ")?,
        }
        match &self.played {
            Some(played) => write!(f, "{played:?}"),
            None => f.write_str("nothing"),
        }
    }
}

impl std::error::Error for Divergence {}
