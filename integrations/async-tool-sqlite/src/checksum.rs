//! Checksums of entries and snapshots. They find damage, not forgery; chains do that.

use crc32fast::Hasher;

/// CRC-32 of an entry or a snapshot together with its place: its session and its number. So an entry at another's
/// place doesn't match.
///
/// A CRC-32 finds every change within 4 bytes, and misses one of 4 billion of all others.
pub(crate) fn checksum(session: &str, seq: u64, bytes: &[u8]) -> u32 {
    let mut sum = Hasher::new();
    sum.update(&(session.len() as u64).to_le_bytes());
    sum.update(session.as_bytes());
    sum.update(&seq.to_le_bytes());
    sum.update(bytes);
    sum.finalize()
}
