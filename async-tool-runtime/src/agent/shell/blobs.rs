//! Bytes of media beside the entries of a session.

use std::sync::Arc;

use crate::{
    agent::ledger::{Blobs, Ledger, find},
    journal::{AppendError, Entry, Journal, ReadError},
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

/// Reads the bytes of an entry's media.
pub(in crate::agent) async fn find_in(
    journal: &dyn Journal,
    session: &SessionId,
    entry: &mut Entry,
) -> Result<(), ReadError> {
    let names = entry.media().into_iter().filter(|media| media.is_withheld());
    let names: Vec<Arc<str>> = names.filter_map(|media| media.blob().cloned()).collect();
    if !names.is_empty() {
        let blobs = read(journal, session, names).await?;
        entry.media_mut().into_iter().for_each(|media| find(media, &blobs));
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
        let blobs = read(journal, session, names).await?;
        ledger.find_blobs(&blobs);
    }
    Ok(())
}

async fn read(journal: &dyn Journal, session: &SessionId, names: Vec<Arc<str>>) -> Result<Blobs, ReadError> {
    let mut blobs = Blobs::new();
    for name in names {
        if blobs.contains_key(&name) {
            continue;
        }
        match journal.blob(session, &name).await? {
            Some(bytes) => drop(blobs.insert(name, bytes)),
            None => tracing::warn!(
                target: "async_tool::journal", blob = &*name, %session,
                "the journal has lost the bytes of an image, sound or file; the model gets a description"
            ),
        }
    }
    Ok(blobs)
}
