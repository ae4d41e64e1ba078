//! Raw entries and export.

use std::fmt::Write as _;

use async_tool_runtime::{
    SessionId,
    content::Media,
    future::BoxStream,
    journal::{ReadError, Seq, read_json},
};
use rusqlite::Connection;
use serde::de::IgnoredAny;
use serde_json::json;

use crate::{
    SqliteJournal, StoreError,
    blob::{self, Found},
    chain::Hex,
    journal::{Place, read_raw},
    page::Raw,
    stream::{Piece, Pieces},
};

/// An entry in its stored form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawEntry(Raw);

impl RawEntry {
    /// The entry's number in its session.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        Seq::new(self.0.seq)
    }

    /// The stored bytes: JSON, unless the file was edited or damaged.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// The entry's link, a SHA-256, if the session is chained.
    #[must_use]
    pub const fn link(&self) -> Option<&[u8; 32]> {
        self.0.link.as_ref()
    }

    /// True if the entry is as it was written: its checksum, over itself and its place in this session, matches.
    #[must_use]
    pub fn is_intact(&self, session: &SessionId) -> bool {
        self.0.is_intact(session.as_str())
    }
}

/// An entry as a line of JSON.
pub(crate) fn line(raw: &Raw) -> Result<String, serde_json::Error> {
    read_json::<IgnoredAny>(&raw.bytes)?;
    // Lossless, because valid JSON is UTF-8.
    let entry = String::from_utf8_lossy(&raw.bytes);
    let mut line = format!("{{\"seq\":{},\"entry\":", raw.seq);
    // Valid JSON has line breaks only between tokens, where a space means the same.
    line.extend(
        entry
            .chars()
            .map(|letter| if matches!(letter, '\n' | '\r') { ' ' } else { letter }),
    );
    if let Some(link) = &raw.link {
        // Writing to a string can't fail.
        let _ = write!(line, ",\"link\":\"{}\"", Hex(link));
    }
    line.push('}');
    Ok(line)
}

/// Bytes of an image, sound or file as a line of JSON.
pub(crate) fn blob_line(name: &str, bytes: Vec<u8>) -> String {
    // Base64 as the runtime writes it.
    let data = Media::bytes("", bytes).to_base64().unwrap_or_default();
    json!({"blob": name, "data": data}).to_string()
}

/// The bytes of this name as a line of JSON.
fn find_line(connection: &Connection, session: &SessionId, name: String) -> Result<String, StoreError> {
    match blob::find(connection, session.as_str(), &name)? {
        Found::Bytes(bytes) => Ok(blob_line(&name, bytes)),
        Found::Missing | Found::Damaged => Err(StoreError::DamagedBlob {
            session: session.clone(),
            blob: name,
        }),
    }
}

impl SqliteJournal {
    /// Streams the entries of a session after `after` in their stored form, without decoding them.
    #[must_use = "streams do nothing unless polled"]
    pub fn raw(&self, session: &SessionId, after: Seq) -> BoxStream<'static, Result<RawEntry, ReadError>> {
        let start = Place::new(session.clone(), after);
        Box::pin(Pieces::new(&self.shared, start, |connection, place| {
            let piece = read_raw(connection, place);
            Piece {
                items: piece.items.into_iter().map(|raw| raw.map(RawEntry)).collect(),
                next: piece.next,
            }
        }))
    }

    /// Streams a session as [JSON Lines](https://jsonlines.org): `{"seq":1,"entry":{…}}` for each entry. In a chained
    /// session, each line also has its `"link"` in hexadecimal digits. The entry is the stored text. A line holds no
    /// line break.
    ///
    /// The bytes of images, sounds and files that an entry names are in lines before it: `{"blob":"<SHA-256>","data":"<base64>"}`.
    #[must_use = "streams do nothing unless polled"]
    pub fn export(&self, session: &SessionId) -> BoxStream<'static, Result<String, ReadError>> {
        let start = Place::new(session.clone(), Seq::START);
        Box::pin(Pieces::new(&self.shared, start, |connection, place| {
            let session = place.session.clone();
            let piece = read_raw(connection, place);
            let to_lines = |raw: Raw| -> Vec<Result<String, StoreError>> {
                let (session, seq) = (session.clone(), Seq::new(raw.seq));
                if !raw.is_intact(session.as_str()) {
                    return vec![Err(StoreError::Corrupt { session, seq })];
                }
                let names = blob::names(&raw.bytes).into_iter();
                let mut lines: Vec<_> = names.map(|name| find_line(connection, &session, name)).collect();
                lines.push(line(&raw).map_err(|source| StoreError::Unreadable {
                    session,
                    seq,
                    source: source.into(),
                }));
                lines
            };
            let items = piece.items.into_iter().flat_map(|raw| match raw {
                Ok(raw) => to_lines(raw),
                Err(error) => vec![Err(error)],
            });
            Piece {
                items: items.collect(),
                next: piece.next,
            }
            .until_error()
        }))
    }
}
