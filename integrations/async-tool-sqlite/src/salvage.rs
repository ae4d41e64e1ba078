//! Entries of a damaged journal, read past SQLite.
//!
//! # Invariants
//!
//! 1. Every page of the file and of its log is read, whether a tree leads to it or not. So damage of one page costs the
//!    entries on it, and no others.
//! 2. An entry counts only with its checksum, which names its session and number. So nothing is invented, and no entry
//!    appears at the place of another.
//! 3. The bytes of an image, sound or file count only with the SHA-256 that entries name.
//! 4. The log is newer than the file, and its later pages are newer than its earlier ones: they replace what was found.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    ops::RangeInclusive,
    path::Path,
};

use async_tool_runtime::SessionId;

use crate::{
    OpenError, blob,
    cells::{Cell, Value, cells, number, values},
    chain::Hex,
    export::{blob_line, line},
    file,
    log::Frames,
    pack,
    page::Raw,
    schema::{place, seq_of},
};

/// A damaged journal. It reads every page of the file and of its log, and changes nothing.
///
/// A removed session may be among those that are found, until its pages are used again.
#[derive(Debug)]
pub struct Salvage {
    images: Images,
    sessions: Vec<SalvagedSession>,
    found: Found,
}

/// Places of all that was found.
#[derive(Debug, Default)]
struct Found {
    /// By place: the cell that holds the entry.
    entries: BTreeMap<i64, Location>,
    /// By name: the cell that holds the bytes of an image, sound or file.
    blobs: BTreeMap<String, Location>,
    /// By the number of the session: names of bytes in its entries.
    named: BTreeMap<i64, BTreeSet<String>>,
}

/// A session of a damaged journal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SalvagedSession {
    /// The session.
    pub session: SessionId,
    /// Number of entries that were found.
    pub entries: u64,
    /// Number of its last entry, as far as it is known.
    pub last: u64,
    /// Numbers of the entries that were not found. Entries after `last` may be missing, too, if its page is damaged.
    pub missing: Vec<RangeInclusive<u64>>,
    /// SHA-256 of the bytes that its entries name and that were not found: of images, sounds and files.
    pub missing_blobs: Vec<String>,
    number: i64,
}

/// A stored page: one of the file, or a frame of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Image {
    Page(u32),
    Frame(u32),
}

/// A row of a stored page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Location {
    image: Image,
    row: i64,
}

impl Salvage {
    /// Reads a damaged journal. Blocks while it reads the whole file.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the file can't be read at all, or if this process has it open as a journal.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let mut images = file::past_sqlite(path, Images::open)?;
        let read = images.collect();
        let (names, found) = read.map_err(|error| OpenError::io(path, error))?;
        let mut sessions: Vec<_> = names
            .into_iter()
            .filter_map(|(number, Known { names, last })| {
                let name = names.into_iter().next()?;
                let seqs = found.entries.range(place(number, 1)..=place(number, u64::MAX));
                let (mut missing, mut entries, mut next) = (Vec::new(), 0, 1);
                for (at, _) in seqs {
                    let seq = seq_of(*at);
                    if seq > next {
                        missing.push(next..=seq - 1);
                    }
                    (entries, next) = (entries + 1, seq + 1);
                }
                if last >= next {
                    missing.push(next..=last);
                }
                let named = found.named.get(&number).into_iter().flatten();
                let missing_blobs = named.filter(|name| !found.blobs.contains_key(*name)).cloned();
                Some(SalvagedSession {
                    session: SessionId::new(name),
                    entries,
                    last: last.max(next - 1),
                    missing,
                    missing_blobs: missing_blobs.collect(),
                    number,
                })
            })
            .collect();
        // Of several sessions of a name, all but the last were removed.
        let mut newer = BTreeSet::new();
        sessions.reverse();
        sessions.retain(|session| session.last > 0 && newer.insert(session.session.clone()));
        sessions.reverse();
        Ok(Self {
            images,
            sessions,
            found,
        })
    }

    /// The sessions, in the order in which they began.
    #[must_use]
    pub fn sessions(&self) -> &[SalvagedSession] {
        &self.sessions
    }

    /// Returns the entries of a session that were found, as the lines of [`export`](crate::SqliteJournal::export), with the
    /// bytes that were found.
    ///
    /// # Errors
    ///
    /// Each line may fail if the file can't be read.
    pub fn export<'a>(&'a mut self, session: &SalvagedSession) -> impl Iterator<Item = io::Result<String>> + 'a {
        let (name, number) = (session.session.clone(), session.number);
        let Self { images, found, .. } = self;
        let found: &Found = found;
        let mut pack = None;
        let entries = found.entries.range(place(number, 1)..=place(number, u64::MAX));
        entries.flat_map(move |(at, location)| {
            let raw = images.entry(name.as_str(), seq_of(*at), *location, &mut pack);
            let raw = match raw.and_then(|raw| raw.ok_or_else(|| io::ErrorKind::InvalidData.into())) {
                Ok(raw) => raw,
                Err(error) => return vec![Err(error)],
            };
            let mut lines = Vec::new();
            for blob in blob::names(&raw.bytes) {
                if let Some(location) = found.blobs.get(&blob) {
                    let bytes = images.blob(&blob, *location);
                    lines.extend(
                        bytes
                            .map(|bytes| bytes.map(|bytes| blob_line(&blob, bytes)))
                            .transpose(),
                    );
                }
            }
            lines.push(line(&raw).map_err(io::Error::other));
            lines
        })
    }
}

/// Sessions, by their numbers.
type Names = BTreeMap<i64, Known>;

/// Facts that pages hold about a session.
#[derive(Debug, Default)]
struct Known {
    /// Possible names. The checksum of an entry tells which one is right.
    names: Vec<String>,
    last: u64,
}

/// Entries of the row that was read last. A row's number alone doesn't name it: an entry and the pack that replaced it have the same.
type Unpacked = Option<(Location, Vec<Raw>)>;

/// All stored pages.
#[derive(Debug)]
struct Images {
    file: File,
    pages: u32,
    size: usize,
    log: Option<File>,
    /// The page of each frame of the current log, with its place in the log.
    frames: Vec<(u32, u64)>,
    /// The frames of each page, in order.
    of_page: HashMap<u32, Vec<u32>>,
}

impl Images {
    fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut header = [0; 100];
        let read = file.read(&mut header)?;
        let size = number(&header, 16, 2).map_or(0, |size| if size == 1 { 65536 } else { size });
        let is_sound = read == 100 && header.starts_with(b"SQLite format 3\0") && size.is_power_of_two() && size >= 512;
        let log = file::log(path);
        let frames = Frames::open(&log)?;
        // The page size of every journal of this crate, unless a header tells another.
        let size = match &frames {
            _ if is_sound => size,
            Some(frames) => frames.page(),
            None => 4096,
        };
        let mut images = Self {
            pages: u32::try_from(file.metadata()?.len().div_ceil(size as u64)).unwrap_or(u32::MAX),
            file,
            size,
            log: None,
            frames: Vec::new(),
            of_page: HashMap::new(),
        };
        if let Some(mut frames) = frames.filter(|frames| frames.page() == size) {
            while let Some((page, at)) = frames.next_of_current()? {
                let frame = images.frames.len() as u32;
                images.of_page.entry(page).or_default().push(frame);
                images.frames.push((page, at));
            }
            images.log = Some(File::open(log)?);
        }
        Ok(images)
    }

    /// Finds sessions, entries, and bytes of images, sounds and files.
    fn collect(&mut self) -> io::Result<(Names, Found)> {
        let mut names = Names::new();
        let mut found = Found::default();
        for image in self.all() {
            let page = self.read(image)?;
            for cell in cells(&page, self.start(image)) {
                let record = self.record(&cell, image, false)?;
                match (cell.row, values(&record).as_deref()) {
                    // A row of `sessions`.
                    (Some(row), Some([Value::Null, Value::Text(name), Value::Integer(last), rest @ ..]))
                        if rest.len() == 7 =>
                    {
                        let known = names.entry(row).or_default();
                        // The largest, because an older state may lie on a later page. Numbers are never given again.
                        known.last = known.last.max(u64::try_from(*last).unwrap_or(0));
                        known.add(0, name);
                    }
                    // The index of their names; other tables have such an index, too.
                    (None, Some([Value::Text(name), Value::Integer(row)])) => {
                        let known = names.entry(*row).or_default();
                        known.add(known.names.len(), name);
                    }
                    // A row of `blobs`.
                    (Some(row), Some([Value::Null, Value::Integer(_), Value::Blob(digest), Value::Blob(_)]))
                        if digest.len() == 32 =>
                    {
                        let name = Hex(digest).to_string();
                        let location = Location { image, row };
                        if self.blob(&name, location)?.is_some() {
                            found.blobs.insert(name, location);
                        }
                    }
                    _ => {}
                }
            }
        }
        for image in self.all() {
            let page = self.read(image)?;
            for cell in cells(&page, self.start(image)) {
                let Some(row) = cell.row else { continue };
                let Some(known) = names.get_mut(&(row >> 32)) else {
                    continue;
                };
                for (index, name) in known.names.iter().enumerate() {
                    let entries = self.entries(name, row, &cell, image)?;
                    for raw in &entries {
                        found.entries.insert(place(row >> 32, raw.seq), Location { image, row });
                        let blobs = blob::names(&raw.bytes);
                        if !blobs.is_empty() {
                            found.named.entry(row >> 32).or_default().extend(blobs);
                        }
                    }
                    if !entries.is_empty() {
                        known.names.swap(0, index);
                        break;
                    }
                }
            }
        }
        Ok((names, found))
    }

    fn all(&self) -> impl Iterator<Item = Image> + use<> {
        let frames = self.frames.len() as u32;
        (1..=self.pages).map(Image::Page).chain((0..frames).map(Image::Frame))
    }

    /// The entries in a row: one, or those of a pack. Only those that are as they were written.
    fn entries(&mut self, session: &str, row: i64, cell: &Cell<'_>, image: Image) -> io::Result<Vec<Raw>> {
        let mut entries = Vec::new();
        // The rest of a row may be on a page that the log has in another state.
        for is_latest in [false, true] {
            let record = self.record(cell, image, is_latest)?;
            entries = match values(&record).as_deref() {
                Some([Value::Null, Value::Text(entry), link, Value::Integer(sum)]) => vec![Raw {
                    seq: seq_of(row),
                    bytes: entry.to_vec(),
                    link: match link {
                        Value::Blob(link) => (*link).try_into().ok(),
                        _ => None,
                    },
                    sum: u32::try_from(*sum).ok(),
                }],
                Some(
                    [
                        Value::Null,
                        Value::Integer(last),
                        Value::Integer(bytes),
                        Value::Blob(packed),
                    ],
                ) => {
                    let last = u64::try_from(*last).unwrap_or(0);
                    pack::decode(packed, seq_of(row), last, u64::try_from(*bytes).unwrap_or(0)).0
                }
                _ => Vec::new(),
            };
            entries.retain(|raw| raw.is_intact(session));
            if !entries.is_empty() || cell.overflow.is_none() {
                break;
            }
        }
        Ok(entries)
    }

    fn entry(&mut self, session: &str, seq: u64, at: Location, pack: &mut Unpacked) -> io::Result<Option<Raw>> {
        if pack.as_ref().is_none_or(|(read, _)| *read != at) {
            let page = self.read(at.image)?;
            let mut entries = Vec::new();
            for cell in cells(&page, self.start(at.image)).filter(|cell| cell.row == Some(at.row)) {
                entries = self.entries(session, at.row, &cell, at.image)?;
            }
            *pack = Some((at, entries));
        }
        let mut entries = pack.iter().flat_map(|(_, entries)| entries);
        Ok(entries.find(|raw| raw.seq == seq).cloned())
    }

    /// The bytes of this name in a row of `blobs`; `None` if they are damaged.
    fn blob(&mut self, name: &str, at: Location) -> io::Result<Option<Vec<u8>>> {
        let page = self.read(at.image)?;
        for cell in cells(&page, self.start(at.image)).filter(|cell| cell.row == Some(at.row)) {
            for is_latest in [false, true] {
                let record = self.record(&cell, at.image, is_latest)?;
                if let Some([_, _, Value::Blob(_), Value::Blob(bytes)]) = values(&record).as_deref()
                    && blob::is_of(bytes, name)
                {
                    return Ok(Some(bytes.to_vec()));
                }
            }
        }
        Ok(None)
    }

    /// A whole record, with its rest on other pages.
    fn record(&mut self, cell: &Cell<'_>, image: Image, is_latest: bool) -> io::Result<Vec<u8>> {
        let mut record = cell.local.to_vec();
        // A damaged length must not exhaust memory.
        let most = self.size * (self.pages as usize + self.frames.len());
        let mut next = cell.overflow.filter(|_| cell.length <= most);
        while let Some(page) = next.filter(|page| *page > 0 && record.len() < cell.length) {
            let rest = self.read(self.find(page, image, is_latest))?;
            let part = (cell.length - record.len()).min(self.size - 4);
            record.extend(&rest[4..4 + part]);
            next = number(&rest, 0, 4).map(|next| next as u32);
        }
        Ok(record)
    }

    /// The state of a page when this image was written, or the latest one.
    fn find(&self, page: u32, image: Image, is_latest: bool) -> Image {
        let frames = self.of_page.get(&page).map_or(&[][..], Vec::as_slice);
        let end = match image {
            _ if is_latest => frames.len(),
            Image::Page(_) => 0,
            Image::Frame(frame) => frames.partition_point(|found| *found <= frame),
        };
        frames[..end]
            .last()
            .map_or(Image::Page(page), |frame| Image::Frame(*frame))
    }

    fn start(&self, image: Image) -> usize {
        match image {
            Image::Page(1) => 100,
            Image::Page(_) => 0,
            Image::Frame(frame) => {
                if self.frames[frame as usize].0 == 1 {
                    100
                } else {
                    0
                }
            }
        }
    }

    /// Reads a page. One that isn't there is empty.
    fn read(&mut self, image: Image) -> io::Result<Vec<u8>> {
        let (file, at) = match image {
            Image::Page(page) => (Some(&mut self.file), u64::from(page - 1) * self.size as u64),
            Image::Frame(frame) => (self.log.as_mut(), self.frames[frame as usize].1),
        };
        let mut page = Vec::with_capacity(self.size);
        if let Some(file) = file {
            file.seek(SeekFrom::Start(at))?;
            file.take(self.size as u64).read_to_end(&mut page)?;
        }
        page.resize(self.size, 0);
        Ok(page)
    }
}

impl Known {
    fn add(&mut self, at: usize, name: &[u8]) {
        if let Ok(name) = str::from_utf8(name)
            && !self.names.iter().any(|known| known == name)
        {
            self.names.insert(at, name.to_owned());
        }
    }
}
