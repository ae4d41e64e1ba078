//! Packs: many entries in one compressed row.
//!
//! Format: `2, chained (0 or 1), 4 bytes of checksum for each entry, 32 bytes of link for each entry if chained,
//! zlib(for each entry: length in 32 bits, and the bytes)`. Numbers have the least significant byte first. Checksums and
//! links stay uncompressed, because hashes don't compress. Format 1, of earlier versions, has no checksums.

use std::io::{self, Read as _, Write as _};

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};

use crate::{chain::Hash, page::Raw};

const FORMAT: u8 = 2;

/// Packs consecutive entries; all of them must be chained, or none.
pub(crate) fn encode(entries: &[Raw]) -> io::Result<Vec<u8>> {
    let is_chained = entries.iter().all(|entry| entry.link.is_some());
    let mut row = vec![FORMAT, u8::from(is_chained)];
    row.extend(entries.iter().flat_map(|entry| entry.sum.unwrap_or(0).to_le_bytes()));
    if is_chained {
        row.extend(entries.iter().filter_map(|entry| entry.link).flatten());
    }
    let mut packed = ZlibEncoder::new(row, Compression::default());
    for entry in entries {
        let length = u32::try_from(entry.bytes.len()).map_err(io::Error::other)?;
        packed.write_all(&length.to_le_bytes())?;
        packed.write_all(&entry.bytes)?;
    }
    packed.finish()
}

/// Unpacks the entries `first` to `last`. Returns those before the damage, and the damage if there is any.
pub(crate) fn decode(row: &[u8], first: u64, last: u64, bytes: u64) -> (Vec<Raw>, Option<io::Error>) {
    let mut entries = Vec::new();
    let damage = decode_into(&mut entries, row, first, last, bytes).err();
    (entries, damage)
}

fn decode_into(entries: &mut Vec<Raw>, row: &[u8], first: u64, last: u64, bytes: u64) -> io::Result<()> {
    let refuse = |why| io::Error::new(io::ErrorKind::InvalidData, why);
    let (&[format, is_chained], rest) = row
        .split_first_chunk()
        .ok_or_else(|| refuse("the packed row is too short"))?;
    if !(1..=FORMAT).contains(&format) || is_chained > 1 || last < first {
        return Err(refuse("the packed row has an unknown format"));
    }
    let count = last - first + 1;
    let split = |rest: &mut &[u8], each: u64| {
        let length = usize::try_from(count.saturating_mul(each)).ok()?;
        let (part, after) = rest.split_at_checked(length)?;
        *rest = after;
        Some(part.to_vec())
    };
    let mut packed = rest;
    let sums = split(&mut packed, if format == FORMAT { 4 } else { 0 });
    let links = split(&mut packed, if is_chained == 1 { 32 } else { 0 });
    let (Some(sums), Some(links)) = (sums, links) else {
        return Err(refuse("the packed row is too short"));
    };
    let mut sums = sums.as_chunks().0.iter();
    let mut links = links.as_chunks().0.iter();
    // The limit is the row's recorded size, so a damaged row can't exhaust memory.
    let mut packed = ZlibDecoder::new(packed).take(bytes.saturating_add(count.saturating_mul(4)));
    for seq in first..=last {
        let mut length = [0; 4];
        packed.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length);
        let mut entry = Vec::new();
        let read = (&mut packed).take(u64::from(length)).read_to_end(&mut entry)?;
        if read != length as usize {
            return Err(refuse("the packed row ends within an entry"));
        }
        let link: Option<Hash> = links.next().copied();
        entries.push(Raw {
            seq,
            bytes: entry,
            link,
            sum: sums.next().copied().map(u32::from_le_bytes),
        });
    }
    // The stream's checksum follows the last entry; reading on checks it.
    let mut decoder = packed.into_inner();
    if decoder.read(&mut [0])? != 0 {
        return Err(refuse("the packed row has data after its last entry"));
    }
    Ok(())
}
