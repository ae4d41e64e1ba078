//! Hash chains: each entry is linked to the one before.
//!
//! `link(n) = SHA-256(tag || link(n - 1) || length of session || session || n || SHA-256(stored bytes of entry n))`.
//! Numbers have 64 bits, most significant byte first, and `link(0)` is 32 zero bytes.

use std::{error::Error, fmt, str::FromStr};

use async_tool_runtime::{SessionId, journal::Seq};
use sha2::{Digest as _, Sha256};

const TAG: &[u8] = b"async-tool-sqlite link 1\0";

/// A SHA-256 digest.
pub(crate) type Hash = [u8; 32];

/// Link before the first entry.
pub(crate) const ORIGIN: Hash = [0; 32];

/// Computes the link of the entry with these bytes.
pub(crate) fn link(before: &Hash, session: &str, seq: u64, entry: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update(TAG);
    hash.update(before);
    hash.update((session.len() as u64).to_be_bytes());
    hash.update(session);
    hash.update(seq.to_be_bytes());
    hash.update(Sha256::digest(entry));
    hash.finalize().into()
}

/// The last link of a session's chain; it covers every entry up to there.
///
/// Keep it outside the file to check later whether these entries are unchanged
/// ([`verify_against`](crate::SqliteJournal::verify_against)). Its text form is `number:hash:session`, which
/// [`parse`](str::parse) reads.
///
/// ```
/// use async_tool_sqlite::Head;
///
/// let text = format!("2:{}:order 7", "ab".repeat(32));
/// let head: Head = text.parse()?;
/// assert_eq!(head.seq().as_u64(), 2);
/// assert_eq!(head.session().as_str(), "order 7");
/// assert_eq!(head.to_string(), text);
/// # Ok::<_, async_tool_sqlite::ParseHeadError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Head {
    session: SessionId,
    seq: Seq,
    hash: Hash,
}

impl Head {
    pub(crate) const fn new(session: SessionId, seq: Seq, hash: Hash) -> Self {
        Self { session, seq, hash }
    }

    /// The session.
    #[must_use]
    pub const fn session(&self) -> &SessionId {
        &self.session
    }

    /// The entry with this link.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.seq
    }

    /// The link, a SHA-256.
    #[must_use]
    pub const fn hash(&self) -> &[u8; 32] {
        &self.hash
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.seq.as_u64(), Hex(&self.hash), self.session.as_str())
    }
}

impl FromStr for Head {
    type Err = ParseHeadError;

    fn from_str(text: &str) -> Result<Self, ParseHeadError> {
        let mut parts = text.splitn(3, ':');
        let mut part = || parts.next().ok_or(ParseHeadError(()));
        let seq = part()?.parse().map_err(|_| ParseHeadError(()))?;
        let hash = unhex(part()?).ok_or(ParseHeadError(()))?;
        Ok(Self::new(SessionId::new(part()?), Seq::new(seq), hash))
    }
}

/// Error for a text that is no [`Head`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseHeadError(());

impl fmt::Display for ParseHeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a head is `number:hash:session`, with a hash of 64 hexadecimal digits")
    }
}

impl Error for ParseHeadError {}

/// Bytes, displayed as hexadecimal digits.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn unhex(digits: &str) -> Option<Hash> {
    let mut hash = ORIGIN;
    if digits.len() != 2 * hash.len() || !digits.is_ascii() {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(hash)
}
