//! Bytes of media by their names in the journal.

use std::{collections::HashMap, sync::Arc};

use crate::content::Media;

/// Bytes of media by their names in the journal.
pub(in crate::agent) type Blobs = HashMap<Arc<str>, Arc<[u8]>>;

/// Puts the bytes of media in the place of their name.
pub(in crate::agent) fn find(media: &mut Media, blobs: &Blobs) {
    let blob = media.blob().filter(|_| media.is_withheld());
    if let Some(bytes) = blob.and_then(|blob| blobs.get(blob)).cloned() {
        media.found(bytes);
    }
}
