//! SQLite's write-ahead log, as bytes: <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.
//!
//! SQLite reads a log up to the first frame whose checksum is wrong, and drops the rest without a word. That is right
//! for the writes of a moment, which a crash leaves half done. Where whole commits follow, the log was damaged.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek as _, SeekFrom},
    path::Path,
};

const HEADER: usize = 32;
/// Length of a frame without its page.
pub(crate) const FRAME_HEADER: usize = 24;

/// A log's header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    bytes: [u8; HEADER],
    page: u64,
    is_big_endian: bool,
}

impl Header {
    /// Reads a header; `None` if there is none, or if its checksum is wrong.
    pub(crate) fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let mut bytes = [0; HEADER];
        from.read_exact(&mut bytes)?;
        let header = Self::parse(bytes);
        Ok(header.filter(|header| {
            let sum = header.sum((0, 0), &bytes[..24]);
            sum == pair(&bytes[24..])
        }))
    }

    fn parse(bytes: [u8; HEADER]) -> Option<Self> {
        let magic = word(&bytes[..4]);
        let page = u64::from(word(&bytes[8..12]));
        let is_header = magic & !1 == 0x377f_0682 && page.is_power_of_two() && (512..=65536).contains(&page);
        is_header.then_some(Self {
            bytes,
            page,
            is_big_endian: magic & 1 == 1,
        })
    }

    /// The place of this frame in the log; the first one has number 0.
    pub(crate) const fn place(&self, frame: u64) -> u64 {
        HEADER as u64 + frame * (self.page + FRAME_HEADER as u64)
    }

    /// True if a frame of this log ends a transaction.
    pub(crate) fn is_commit(&self, frame: &[u8]) -> bool {
        self.is_own(frame) && word(&frame[4..8]) != 0
    }

    fn is_own(&self, frame: &[u8]) -> bool {
        frame[8..16] == self.bytes[16..24]
    }

    fn sum(&self, from: (u32, u32), bytes: &[u8]) -> (u32, u32) {
        let read = |bytes: &[u8; 4]| {
            if self.is_big_endian {
                u32::from_be_bytes(*bytes)
            } else {
                u32::from_le_bytes(*bytes)
            }
        };
        let words = bytes.as_chunks::<4>().0;
        words
            .as_chunks::<2>()
            .0
            .iter()
            .fold(from, |(first, second), [one, two]| {
                let first = first.wrapping_add(read(one)).wrapping_add(second);
                let second = second.wrapping_add(read(two)).wrapping_add(first);
                (first, second)
            })
    }

    /// The checksum of a frame after a frame with this checksum.
    fn sum_of_frame(&self, before: (u32, u32), frame: &[u8]) -> (u32, u32) {
        let sum = self.sum(before, &frame[..8]);
        self.sum(sum, &frame[FRAME_HEADER..])
    }
}

/// The part of a log that SQLite doesn't read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Beyond {
    /// Number of frames up to the last commit.
    pub(crate) frames: u64,
    /// Number of commits.
    pub(crate) commits: u64,
}

/// Finds commits of the current log behind the place where SQLite stops to read it. `None` if there are none. `is_unread`
/// if SQLite reads none of it.
pub(crate) fn beyond(log: &Path, is_unread: bool) -> io::Result<Option<Beyond>> {
    let Some(mut frames) = Frames::open(log)? else {
        return Ok(None);
    };
    frames.is_sound &= !is_unread;
    let (mut found, mut pending) = (Beyond::default(), 0);
    while let Some(kind) = frames.next()? {
        pending += u64::from(kind.is_ours && !kind.is_sound);
        if kind.is_commit && kind.is_ours && !kind.is_sound {
            found.commits += 1;
            found.frames = pending;
        }
    }
    Ok((found.commits > 0).then_some(found))
}

/// The frames of a log, one by one.
#[derive(Debug)]
pub(crate) struct Frames {
    log: BufReader<File>,
    /// Number of frames that were read.
    count: u64,
    header: Header,
    /// Salts of the current log; frames with others are older.
    salts: [u8; 8],
    frame: Vec<u8>,
    /// Checksum of the frame before, as stored.
    before: (u32, u32),
    /// True as long as SQLite reads on.
    is_sound: bool,
    /// True if the frame before belongs to the current log.
    is_ours: bool,
}

/// Classification of a frame.
#[derive(Clone, Copy, Debug)]
struct Kind {
    /// SQLite reads it.
    is_sound: bool,
    /// It was written to the current log.
    is_ours: bool,
    is_commit: bool,
}

impl Frames {
    /// Opens a log; `None` if it is missing or has no frames.
    pub(crate) fn open(log: &Path) -> io::Result<Option<Self>> {
        let mut log = match File::open(log) {
            Ok(log) => BufReader::with_capacity(1 << 16, log),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = [0; HEADER];
        let mut first = [0; FRAME_HEADER];
        if log.read_exact(&mut bytes).is_err() || log.read_exact(&mut first).is_err() {
            return Ok(None);
        }
        log.seek(SeekFrom::Start(0))?;
        let sound = Header::read(&mut log)?;
        // A damaged header is replaced by what this crate's journals have.
        let header = sound.or_else(|| Header::parse(bytes)).unwrap_or(Header {
            bytes: {
                let mut usual = bytes;
                usual[..12].copy_from_slice(&[0x37, 0x7f, 0x06, 0x82, 0, 0x2d, 0xe2, 0x18, 0, 0, 0x10, 0]);
                usual
            },
            page: 4096,
            is_big_endian: false,
        });
        let mut salts = [0; 8];
        salts.copy_from_slice(if sound.is_some() { &bytes[16..24] } else { &first[8..16] });
        Ok(Some(Self {
            frame: vec![0; FRAME_HEADER + header.page as usize],
            log,
            count: 0,
            before: pair(&bytes[24..]),
            is_sound: sound.is_some(),
            is_ours: true,
            header,
            salts,
        }))
    }

    /// Size of a page, in bytes.
    pub(crate) const fn page(&self) -> usize {
        self.header.page as usize
    }

    /// Finds the next frame of the current log: the number of its page, and the place of the page in the log.
    pub(crate) fn next_of_current(&mut self) -> io::Result<Option<(u32, u64)>> {
        while let Some(kind) = self.next()? {
            if kind.is_ours {
                let place = self.header.place(self.count - 1) + FRAME_HEADER as u64;
                return Ok(Some((word(&self.frame), place)));
            }
        }
        Ok(None)
    }

    /// Reads the next frame; `None` at the end, also within a frame.
    fn next(&mut self) -> io::Result<Option<Kind>> {
        match self.log.read_exact(&mut self.frame) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        self.count += 1;
        let frame = &self.frame;
        let is_following = self.header.sum_of_frame(self.before, frame) == pair(&frame[16..24]);
        let is_named = frame[8..16] == self.salts;
        self.is_sound &= is_following && is_named;
        // The salts are not under the checksum.
        self.is_ours = is_named || (self.is_ours && is_following);
        self.before = pair(&frame[16..24]);
        Ok(Some(Kind {
            is_sound: self.is_sound,
            is_ours: self.is_ours,
            is_commit: word(&frame[4..8]) != 0,
        }))
    }
}

fn word(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

fn pair(bytes: &[u8]) -> (u32, u32) {
    (word(bytes), word(&bytes[4..]))
}
