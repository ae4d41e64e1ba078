//! A bounded part of a session, read in one transaction.

use rusqlite::{Connection, OptionalExtension as _, params, types::ValueRef};

use crate::{
    chain::Hash,
    checksum::checksum,
    error::is_damage,
    pack,
    schema::{has_sums, place, seq_of},
};

/// Limits of a page. The entry that reaches a limit is the page's last.
const ENTRIES: usize = 1024;
const BYTES: usize = 256 * 1024;

/// An entry in its stored form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Raw {
    pub(crate) seq: u64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) link: Option<Hash>,
    pub(crate) sum: Option<u32>,
}

impl Raw {
    /// True if this is the entry that was written at this place of this session.
    pub(crate) fn is_intact(&self, session: &str) -> bool {
        self.sum == Some(checksum(session, self.seq, &self.bytes))
    }
}

/// Consecutive entries of a session.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) entries: Vec<Raw>,
    /// Damage that cut a packed row short.
    pub(crate) damage: Option<std::io::Error>,
    /// Number of the session's last entry.
    pub(crate) last: u64,
    /// True if entries exist after the session's last one. This crate never writes such entries.
    pub(crate) is_going_on: bool,
    /// The link of the session's last entry, if the session is chained.
    pub(crate) head: Option<Hash>,
}

impl Page {
    /// Reads the entries after `after`, as many as fit.
    pub(crate) fn read(connection: &Connection, session: &str, after: u64) -> rusqlite::Result<Self> {
        // One transaction sees session, packs and entries consistently, even while another thread packs the session.
        let view = connection.unchecked_transaction()?;
        let found = view
            .prepare_cached("SELECT number, last, packed, head FROM sessions WHERE name = ?1")?
            .query_row([session], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, hash(row.get_ref(3)?)))
            })
            .optional()?;
        let Some((number, last, packed, head)) = found else {
            return Ok(Self::default());
        };
        let mut page = Self {
            last,
            head,
            ..Self::default()
        };
        if after < packed {
            page.read_pack(&view, number, after)?;
        } else {
            page.entries = entries(&view, number, after, last, ENTRIES, BYTES)?;
        }
        if !has_sums(&view)? {
            for raw in &mut page.entries {
                raw.sum = Some(checksum(session, raw.seq, &raw.bytes));
            }
        }
        page.is_going_on = match view
            .prepare_cached("SELECT 1 FROM entries WHERE place > ?1 AND place <= ?2 LIMIT 1")?
            .exists(params![place(number, last), place(number, u64::MAX)])
        {
            // The damage of a page behind the session is another one's.
            Err(error) if is_damage(&error) => false,
            is_going_on => is_going_on?,
        };
        Ok(page)
    }

    fn read_pack(&mut self, view: &Connection, session: i64, after: u64) -> rusqlite::Result<()> {
        let mut pack = view.prepare_cached(
            "SELECT place, last, bytes, entries FROM packs WHERE place > ?1 AND place <= ?2 ORDER BY place DESC LIMIT 1",
        )?;
        let found = pack
            .query_row(params![place(session, 0), place(session, after + 1)], |row| {
                let packed = row.get_ref(3)?.as_blob()?;
                Ok(pack::decode(packed, seq_of(row.get(0)?), row.get(1)?, row.get(2)?))
            })
            .optional()?;
        if let Some((mut entries, damage)) = found {
            entries.retain(|entry| entry.seq > after);
            self.entries = entries;
            self.damage = damage;
        }
        Ok(())
    }
}

/// Reads unpacked entries, up to `last`.
pub(crate) fn entries(
    connection: &Connection,
    session: i64,
    after: u64,
    last: u64,
    most: usize,
    most_bytes: usize,
) -> rusqlite::Result<Vec<Raw>> {
    let sum = if has_sums(connection)? { "sum" } else { "NULL" };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT place, entry, link, {sum} FROM entries WHERE place > ?1 AND place <= ?2 ORDER BY place LIMIT ?3"
    ))?;
    let mut rows = statement.query(params![place(session, after), place(session, last), most as i64])?;
    let mut entries = Vec::new();
    let mut bytes = 0;
    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => break,
            // The next read begins with the damage.
            Err(error) if is_damage(&error) && !entries.is_empty() => break,
            Err(error) => return Err(error),
        };
        let entry = Raw {
            seq: seq_of(row.get(0)?),
            // Bytes, not text: damaged text may not be UTF-8, and the caller reports which entry that is.
            bytes: row.get_ref(1)?.as_bytes()?.to_vec(),
            link: hash(row.get_ref(2)?),
            // A damaged checksum is none, and matches nothing.
            sum: row.get(3).ok(),
        };
        bytes += entry.bytes.len();
        entries.push(entry);
        if bytes >= most_bytes {
            break;
        }
    }
    Ok(entries)
}

/// Reads a column that holds a hash or `NULL`. A damaged hash gives `None`, which verification reports.
pub(crate) fn hash(value: ValueRef<'_>) -> Option<Hash> {
    match value {
        ValueRef::Blob(bytes) => bytes.try_into().ok(),
        _ => None,
    }
}
