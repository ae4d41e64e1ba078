//! Bytes of media by their names in the journal.

use std::{collections::HashMap, sync::Arc};

use super::{Entry, Journal, ReadError};
use crate::{content::Media, session::SessionId};

/// Bytes of media by their names in the journal.
pub(crate) type Blobs = HashMap<Arc<str>, Arc<[u8]>>;

/// Puts the bytes of an entry's media in the place of their names, for readers of a journal that keeps large media beside its entries.
///
/// Media whose bytes the journal has lost stay as they are, [withheld](Media::is_withheld).
///
/// ```
/// use async_tool_runtime::{
///     Journal, SessionId,
///     content::{Attachment, Media},
///     journal::{Entry, MemoryJournal, find_media},
///     task::Timestamp,
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let journal = MemoryJournal::new();
/// # let photo = Media::bytes("image/png", [1, 2, 3]);
/// // As read from a journal.
/// let mut entry = Entry::UserMessage {
///     text: "look".to_owned(),
///     media: vec![Attachment::new(4, photo)],
///     traceparent: None,
///     at: Timestamp::from_millis(0),
/// };
/// find_media(&journal, &SessionId::new("s"), &mut entry).await?;
/// # assert!(matches!(&entry, Entry::UserMessage { media, .. } if !media[0].media.is_withheld()));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`ReadError`] if the store can't be read.
///
/// # Cancel safety
///
/// Cancel safe: the entry is changed after the last read.
pub async fn find_media(journal: &dyn Journal, session: &SessionId, entry: &mut Entry) -> Result<(), ReadError> {
    let names = entry.media().into_iter().filter(|media| media.is_withheld());
    let names: Vec<Arc<str>> = names.filter_map(|media| media.blob().cloned()).collect();
    if !names.is_empty() {
        let blobs = blobs(journal, session, names).await?;
        entry.media_mut().into_iter().for_each(|media| find(media, &blobs));
    }
    Ok(())
}

/// Reads the bytes of these names.
pub(crate) async fn blobs(
    journal: &dyn Journal,
    session: &SessionId,
    names: Vec<Arc<str>>,
) -> Result<Blobs, ReadError> {
    let mut blobs = Blobs::new();
    for name in names {
        if blobs.contains_key(&name) {
            continue;
        }
        match journal.blob(session, &name).await? {
            Some(bytes) => drop(blobs.insert(name, bytes)),
            None => tracing::warn!(
                target: "async_tool::journal", blob = &*name, %session,
                "the journal has lost the bytes of an image, sound or file; a description takes their place"
            ),
        }
    }
    Ok(blobs)
}

/// Puts the bytes of media in the place of their name.
pub(crate) fn find(media: &mut Media, blobs: &Blobs) {
    let blob = media.blob().filter(|_| media.is_withheld());
    if let Some(bytes) = blob.and_then(|blob| blobs.get(blob)).cloned() {
        media.found(bytes);
    }
}
