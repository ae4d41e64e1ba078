//! Entries of one append, as bytes: a line of JSON for each.

use async_tool_runtime::{
    SessionId,
    journal::{Entry, Seq, read_json},
};

use crate::StoreError;

/// Largest part of a batch in one item. DynamoDB's limit of 400 KB includes keys and names.
pub(crate) const PART: usize = 380 * 1024;
/// Largest batch whose parts are in its transaction. DynamoDB's limit is 4 MB for all items. As a request writes bytes in base64, this is also less
/// than 4 MB on its way.
pub(crate) const IN_TRANSACTION: usize = 2_900_000;

/// Entries of one append.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    pub(crate) count: u64,
}

/// Places that the bytes of a batch have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// In the batch's own item.
    Whole,
    /// In this number of parts, written in the batch's transaction.
    Together(usize),
    /// In this number of parts, written before the batch.
    Before(usize),
}

impl Batch {
    pub(crate) fn new(entries: &[Entry]) -> Result<Self, StoreError> {
        let mut bytes = Vec::new();
        for (place, entry) in entries.iter().enumerate() {
            if place > 0 {
                // JSON escapes line breaks in texts.
                bytes.push(b'\n');
            }
            serde_json::to_writer(&mut bytes, entry).map_err(StoreError::other)?;
        }
        Ok(Self {
            bytes,
            count: entries.len() as u64,
        })
    }

    pub(crate) fn layout(&self) -> Layout {
        let parts = self.bytes.len().div_ceil(PART);
        match self.bytes.len() {
            bytes if bytes <= PART => Layout::Whole,
            bytes if bytes <= IN_TRANSACTION => Layout::Together(parts),
            _ => Layout::Before(parts),
        }
    }

    /// Reads the entries of a batch that holds `first` to `last`, from `from` on.
    pub(crate) fn decode(
        bytes: &[u8],
        session: &SessionId,
        (first, last): (u64, u64),
        from: u64,
    ) -> Result<Vec<(Seq, Entry)>, StoreError> {
        let mut entries = Vec::new();
        let lines = bytes.split(|byte| *byte == b'\n');
        let mut seq = first;
        for line in lines {
            if seq > last {
                return Err(unreadable(
                    session,
                    seq,
                    "the batch has more entries than its item says",
                ));
            }
            if seq >= from {
                let entry = read_json(line).map_err(|error| unreadable(session, seq, error))?;
                entries.push((Seq::new(seq), entry));
            }
            seq += 1;
        }
        match seq > last {
            true => Ok(entries),
            false => Err(StoreError::Missing {
                session: session.clone(),
                seq: Seq::new(seq),
            }),
        }
    }
}

fn unreadable(
    session: &SessionId,
    seq: u64,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    StoreError::Unreadable {
        session: session.clone(),
        seq: Seq::new(seq),
        source: source.into(),
    }
}

#[cfg(test)]
mod tests {
    use async_tool_runtime::task::Timestamp;

    use super::*;

    fn said(texts: &[&str]) -> Vec<Entry> {
        let said = |text: &&str| Entry::UserMessage {
            text: (*text).to_owned(),
            media: Vec::new(),
            traceparent: None,
            at: Timestamp::from_millis(1),
        };
        texts.iter().map(said).collect()
    }

    #[test]
    fn a_batch_is_read_from_any_place() {
        let entries = said(&["a", "b\nc", ""]);
        let batch = Batch::new(&entries).unwrap();
        for from in 5..=8 {
            let read = Batch::decode(&batch.bytes, &SessionId::new("s"), (5, 7), from).unwrap();
            let expected: Vec<_> = (5..)
                .map(Seq::new)
                .zip(entries.clone())
                .skip(from as usize - 5)
                .collect();
            assert_eq!(read, expected);
        }
    }

    #[test]
    fn a_batch_that_is_cut_off_edited_or_too_long_names_the_entry() {
        let batch = Batch::new(&said(&["a", "b"])).unwrap();
        let decode = |bytes: &[u8], last| {
            Batch::decode(bytes, &SessionId::new("s"), (1, last), 1)
                .unwrap_err()
                .to_string()
        };
        assert!(decode(&batch.bytes, 3).starts_with("entry 3 of session \"s\" is missing"));
        assert_eq!(decode(&batch.bytes, 1), "entry 2 of session \"s\" can't be read");
        assert_eq!(
            decode(&batch.bytes[..batch.bytes.len() - 1], 2),
            "entry 2 of session \"s\" can't be read"
        );
    }

    #[test]
    fn a_large_batch_goes_into_parts() {
        let of = |bytes| {
            Batch {
                bytes: vec![b'a'; bytes],
                count: 1,
            }
            .layout()
        };
        assert_eq!([of(1), of(PART)], [Layout::Whole; 2]);
        assert_eq!(of(PART + 1), Layout::Together(2));
        assert_eq!(of(IN_TRANSACTION), Layout::Together(8));
        assert_eq!(of(IN_TRANSACTION + 1), Layout::Before(8));
        assert_eq!(of(12 << 20), Layout::Before(33));
    }
}
