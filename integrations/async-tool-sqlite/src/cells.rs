//! Rows of a database page, read past SQLite: <https://www.sqlite.org/fileformat2.html#b_tree_pages>.
//!
//! Any byte may be damaged, so that nothing here panics or trusts a length.

/// A column's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Null,
    Integer(i64),
    Text(&'a [u8]),
    Blob(&'a [u8]),
}

/// A row of a table, or an entry of an index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell<'a> {
    /// The row's number; `None` in an index.
    pub(crate) row: Option<i64>,
    /// Length of the whole record.
    pub(crate) length: usize,
    /// Its part on this page.
    pub(crate) local: &'a [u8],
    /// The page that has the rest.
    pub(crate) overflow: Option<u32>,
}

/// The cells of a leaf; none if the page is none. `start` is 100 on the first page.
pub(crate) fn cells(page: &[u8], start: usize) -> impl Iterator<Item = Cell<'_>> {
    let is_table = match page.get(start) {
        Some(0x0D) => Some(true),
        Some(0x0A) => Some(false),
        _ => None,
    };
    let count = is_table.and_then(|_| number(page, start + 3, 2)).unwrap_or(0);
    (0..count).filter_map(move |cell| {
        let at = number(page, start + 8 + 2 * cell, 2)?;
        self::cell(page, page.get(at..)?, is_table?)
    })
}

fn cell<'a>(page: &[u8], from: &'a [u8], is_table: bool) -> Option<Cell<'a>> {
    let (length, from) = varint(from)?;
    let (row, from) = if is_table {
        let (row, from) = varint(from)?;
        (Some(row), from)
    } else {
        (None, from)
    };
    let length = usize::try_from(length).ok()?;
    let size = page.len();
    let least = ((size - 12) * 32 / 255).checked_sub(23)?;
    let most = if is_table {
        size - 35
    } else {
        ((size - 12) * 64 / 255).checked_sub(23)?
    };
    let local = if length <= most {
        length
    } else {
        let local = least + (length - least) % (size - 4);
        if local <= most { local } else { least }
    };
    let overflow = if local < length {
        Some(u32::try_from(number(from, local, 4)?).ok()?)
    } else {
        None
    };
    Some(Cell {
        row,
        length,
        local: from.get(..local)?,
        overflow,
    })
}

/// The values of a record; `None` if it isn't one.
pub(crate) fn values(record: &[u8]) -> Option<Vec<Value<'_>>> {
    let (header, kinds) = varint(record)?;
    let header = usize::try_from(header).ok()?;
    let mut kinds = kinds.get(..header.checked_sub(record.len() - kinds.len())?)?;
    let mut body = record.get(header..)?;
    let mut values = Vec::new();
    while !kinds.is_empty() {
        let (kind, rest) = varint(kinds)?;
        kinds = rest;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => usize::try_from(kind).ok()?,
            5 => 6,
            6 | 7 => 8,
            12.. => usize::try_from((kind - 12) / 2).ok()?,
            _ => return None,
        };
        let (value, rest) = body.split_at_checked(length)?;
        body = rest;
        values.push(match kind {
            // No table has fractions.
            0 | 7 => Value::Null,
            8 | 9 => Value::Integer(kind - 8),
            1..=6 => {
                let sign = if value[0] & 0x80 == 0 { 0 } else { -1 };
                Value::Integer(value.iter().fold(sign, |sum: i64, byte| sum << 8 | i64::from(*byte)))
            }
            kind if kind % 2 == 0 => Value::Blob(value),
            _ => Value::Text(value),
        });
    }
    Some(values)
}

/// A number of some bytes, the most significant first.
pub(crate) fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
}

/// A number of one to nine bytes, and the bytes after it.
fn varint(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let mut sum = 0_u64;
    for (count, byte) in bytes.iter().take(9).enumerate() {
        if count == 8 {
            return Some(((sum << 8 | u64::from(*byte)) as i64, &bytes[9..]));
        }
        sum = sum << 7 | u64::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            return Some((sum as i64, &bytes[count + 1..]));
        }
    }
    None
}
