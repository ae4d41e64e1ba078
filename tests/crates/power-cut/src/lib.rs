//! A disk that loses power: records the writes and syncs of SQLite, and tells what a disk may hold at any moment.
//!
//! # Invariants
//!
//! 1. Everything before a file's last sync is on the disk. Of the writes after it, the disk has any part, in sectors of
//!    512 bytes.
//! 2. A deletion is on the disk at once. SQLite deletes only its rollback journal and its log, and only when they are of
//!    no more use.
//!
//! SQLite's files are real, so that processes and threads work as ever. Only the syncs are left out.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::{CStr, c_char, c_int, c_void},
    path::Path,
    sync::{Mutex, MutexGuard, Once, OnceLock, PoisonError},
};

use rusqlite::ffi::{SQLITE_OK, sqlite3_file, sqlite3_io_methods, sqlite3_vfs, sqlite3_vfs_find, sqlite3_vfs_register};

/// An event on the disk, in the order in which they happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Bytes were written to a file.
    Write {
        /// The file's name, without its directory.
        file: String,
        /// Place of the first byte.
        at: usize,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A file was cut to this length.
    Cut {
        /// The file's name.
        file: String,
        /// Its new length.
        length: usize,
    },
    /// All earlier writes of a file reached the disk.
    Sync {
        /// The file's name.
        file: String,
    },
    /// A file was deleted.
    Delete {
        /// The file's name.
        file: String,
    },
    /// A mark of the test.
    Mark(usize),
}

static EVENTS: Mutex<Vec<Event>> = Mutex::new(Vec::new());
/// Names and own methods of the open files, by address.
static FILES: Mutex<Option<HashMap<usize, (String, usize)>>> = Mutex::new(None);
static REAL: OnceLock<usize> = OnceLock::new();

/// Records all files that SQLite opens in this process from now on.
pub fn record() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the default file system of SQLite lives as long as the process, and so does its copy.
        unsafe {
            let real = sqlite3_vfs_find(std::ptr::null());
            let mut copy = std::ptr::read(real);
            let _ = REAL.set(real as usize);
            copy.pNext = std::ptr::null_mut();
            copy.zName = c"power-cut".as_ptr();
            copy.xOpen = Some(open);
            copy.xDelete = Some(delete);
            assert_eq!(sqlite3_vfs_register(Box::leak(Box::new(copy)), 1), SQLITE_OK);
        }
    });
}

/// Adds a mark to the record.
pub fn mark(number: usize) {
    push(Event::Mark(number));
}

/// Takes the record.
pub fn take() -> Vec<Event> {
    std::mem::take(&mut lock(&EVENTS))
}

/// The files on the disk after these events. `choose` returns a number below its argument; it decides which unsynced
/// sectors are there.
pub fn disk(events: &[Event], choose: &mut dyn FnMut(usize) -> usize) -> BTreeMap<String, Vec<u8>> {
    #[derive(Default)]
    struct File<'a> {
        synced: Vec<u8>,
        pending: Vec<&'a Event>,
    }
    let mut files: BTreeMap<&str, File<'_>> = BTreeMap::new();
    for event in events {
        match event {
            Event::Write { file, .. } | Event::Cut { file, .. } => files.entry(file).or_default().pending.push(event),
            Event::Sync { file } => {
                let file = files.entry(file).or_default();
                for event in std::mem::take(&mut file.pending) {
                    apply(&mut file.synced, event, &mut |_| true);
                }
            }
            Event::Delete { file } => {
                files.remove(&**file);
            }
            Event::Mark(_) => {}
        }
    }
    let disk = files.into_iter().map(|(name, mut file)| {
        let pending = std::mem::take(&mut file.pending);
        let whole = choose(pending.len() + 1);
        // Nothing, everything, the first ones, or any sectors.
        let kind = choose(4);
        for (number, event) in pending.into_iter().enumerate() {
            apply(&mut file.synced, event, &mut |_| match kind {
                0 => false,
                1 => true,
                2 => number < whole,
                _ => choose(2) == 0,
            });
        }
        (name.to_owned(), file.synced)
    });
    disk.collect()
}

/// Applies the chosen sectors of an event.
fn apply(file: &mut Vec<u8>, event: &Event, is_chosen: &mut dyn FnMut(usize) -> bool) {
    const SECTOR: usize = 512;
    match event {
        Event::Write { at, bytes, .. } => {
            let (mut at, mut rest) = (*at, &bytes[..]);
            while !rest.is_empty() {
                let (part, after) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
                if is_chosen(at) {
                    if file.len() < at + part.len() {
                        file.resize(at + part.len(), 0);
                    }
                    file[at..at + part.len()].copy_from_slice(part);
                }
                at += part.len();
                rest = after;
            }
        }
        Event::Cut { length, .. } if is_chosen(0) => file.resize(*length, 0),
        _ => {}
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn push(event: Event) {
    lock(&EVENTS).push(event);
}

/// The name without its directory.
///
/// # Safety
///
/// `name` must be a C string.
unsafe fn name(name: *const c_char) -> String {
    // SAFETY: the caller's promise.
    let name = unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned();
    let last = Path::new(&name).file_name().unwrap_or_default();
    last.to_string_lossy().into_owned()
}

/// Name and own methods of an open file.
fn known(file: *mut sqlite3_file) -> (String, *const sqlite3_io_methods) {
    let files = lock(&FILES);
    let (name, methods) = &files.as_ref().unwrap()[&(file as usize)];
    (name.clone(), *methods as *const sqlite3_io_methods)
}

// SAFETY of the functions below: SQLite calls them with its own, valid pointers, as it would call the functions that they
// replace and forward to.

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    path: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    unsafe {
        let real = *REAL.get().unwrap() as *mut sqlite3_vfs;
        let code = (*real).xOpen.unwrap()(vfs, path, file, flags, out);
        if code == SQLITE_OK && !path.is_null() {
            let own = (*file).pMethods;
            let mut methods = std::ptr::read(own);
            methods.xClose = Some(close);
            methods.xWrite = Some(write);
            methods.xTruncate = Some(truncate);
            methods.xSync = Some(sync);
            (*file).pMethods = Box::leak(Box::new(methods));
            let mut files = lock(&FILES);
            files
                .get_or_insert_default()
                .insert(file as usize, (name(path), own as usize));
        }
        code
    }
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, path: *const c_char, sync: c_int) -> c_int {
    unsafe {
        let real = *REAL.get().unwrap() as *mut sqlite3_vfs;
        let code = (*real).xDelete.unwrap()(vfs, path, sync);
        if code == SQLITE_OK {
            push(Event::Delete { file: name(path) });
        }
        code
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    let (_, own) = known(file);
    if let Some(files) = lock(&FILES).as_mut() {
        files.remove(&(file as usize));
    }
    unsafe { (*own).xClose.unwrap()(file) }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, bytes: *const c_void, length: c_int, at: i64) -> c_int {
    let (name, own) = known(file);
    unsafe {
        push(Event::Write {
            file: name,
            at: at as usize,
            bytes: std::slice::from_raw_parts(bytes.cast::<u8>(), length as usize).to_vec(),
        });
        (*own).xWrite.unwrap()(file, bytes, length, at)
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, length: i64) -> c_int {
    let (name, own) = known(file);
    push(Event::Cut {
        file: name,
        length: length as usize,
    });
    unsafe { (*own).xTruncate.unwrap()(file, length) }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _flags: c_int) -> c_int {
    let (name, _) = known(file);
    push(Event::Sync { file: name });
    SQLITE_OK
}
