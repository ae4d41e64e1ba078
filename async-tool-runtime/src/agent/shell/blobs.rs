//! Bytes of media beside the entries of a session.

use crate::{
    agent::ledger::Ledger,
    journal::{AppendError, Entry, Journal, ReadError, blobs},
    session::SessionId,
};

/// Least bytes of media that are kept beside the entries. Fewer cost less inside of their entry than a read of their own.
const LARGE: usize = 8 * 1024;

/// Gives the bytes of large media to the journal. If it keeps them, the entries hold their names.
pub(super) async fn put(journal: &dyn Journal, session: &SessionId, entries: &[Entry]) -> Result<(), AppendError> {
    for media in entries.iter().flat_map(Entry::media) {
        let bytes = media
            .as_bytes()
            .filter(|bytes| bytes.len() >= LARGE && media.blob().is_none());
        if let Some(bytes) = bytes
            && let Some(blob) = journal.put_blob(session, bytes).await?
        {
            media.keep(blob);
        }
    }
    Ok(())
}

/// Reads the bytes of a snapshot's media.
pub(in crate::agent) async fn find_all(
    journal: &dyn Journal,
    session: &SessionId,
    ledger: &mut Ledger,
) -> Result<(), ReadError> {
    let names = ledger.missing_blobs();
    if !names.is_empty() {
        let blobs = blobs(journal, session, names).await?;
        ledger.find_blobs(&blobs);
    }
    Ok(())
}
