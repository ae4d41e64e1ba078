//! Bytes of images, sounds and files, beside the entries that name them by their SHA-256.

use std::sync::Arc;

use async_tool_runtime::journal::read_json;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{chain::Hex, error::is_damage, schema::has_blobs};

/// Field of a reference in an entry. Entries without it are not parsed.
const MARK: &[u8] = b"\"$media\"";

/// Bytes of a blob, or their fault.
pub(crate) enum Found {
    Bytes(Vec<u8>),
    Missing,
    /// The bytes don't have the SHA-256 of their name, or their page is damaged.
    Damaged,
}

/// Keeps bytes of a session, once, and returns their name; `None` if the session has no entry yet.
pub(crate) fn put(connection: &Connection, session: &str, bytes: &[u8]) -> rusqlite::Result<Option<Arc<str>>> {
    let number: Option<i64> = connection
        .prepare_cached("SELECT number FROM sessions WHERE name = ?1")?
        .query_row([session], |row| row.get(0))
        .optional()?;
    let Some(number) = number else { return Ok(None) };
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    // Damaged bytes of the same name are mended.
    connection
        .prepare_cached(
            "INSERT INTO blobs (session, digest, bytes) VALUES (?1, ?2, ?3)
             ON CONFLICT (session, digest) DO UPDATE SET bytes = excluded.bytes WHERE bytes <> excluded.bytes",
        )?
        .execute(params![number, digest, bytes])?;
    Ok(Some(Hex(&digest).to_string().into()))
}

/// Finds the bytes of this name.
pub(crate) fn find(connection: &Connection, session: &str, name: &str) -> rusqlite::Result<Found> {
    let Some(digest) = digest(name).filter(|_| has_blobs(connection).unwrap_or(false)) else {
        return Ok(Found::Missing);
    };
    let read = connection
        .prepare_cached(
            "SELECT bytes FROM blobs WHERE session = (SELECT number FROM sessions WHERE name = ?1) AND digest = ?2",
        )?
        .query_row(params![session, digest], |row| row.get::<_, Vec<u8>>(0))
        .optional();
    let bytes = match read {
        Err(error) if is_damage(&error) => return Ok(Found::Damaged),
        read => read?,
    };
    Ok(match bytes {
        Some(bytes) if <[u8; 32]>::from(Sha256::digest(&bytes)) == digest => Found::Bytes(bytes),
        Some(_) => Found::Damaged,
        None => Found::Missing,
    })
}

/// True if the bytes have this name.
pub(crate) fn is_of(bytes: &[u8], name: &str) -> bool {
    digest(name).is_some_and(|digest| <[u8; 32]>::from(Sha256::digest(bytes)) == digest)
}

/// Names of the blobs that an entry refers to.
pub(crate) fn names(entry: &[u8]) -> Vec<String> {
    let may_have = entry.windows(MARK.len()).any(|part| part == MARK);
    let mut names = Vec::new();
    if let Some(entry) = may_have.then(|| read_json::<Value>(entry).ok()).flatten() {
        // Only these places hold media; an argument of a tool can look like them.
        let said = entry.get("media");
        let result = entry.get("result").and_then(|result| result.get("media"));
        for media in [said, result]
            .into_iter()
            .flatten()
            .filter_map(Value::as_array)
            .flatten()
        {
            let media = media.get("media").unwrap_or(media);
            let name = media.pointer("/$media/blob").and_then(Value::as_str);
            names.extend(name.map(str::to_owned));
        }
    }
    names
}

fn digest(name: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if name.len() != 64 || !name.is_ascii() {
        return None;
    }
    for (place, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(name.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(digest)
}
