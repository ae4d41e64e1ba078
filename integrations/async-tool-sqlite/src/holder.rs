//! The process that keeps a journal locked.

use std::{fs, path::Path};

use crate::file;

/// Byte of the log's index that a writer locks: <https://www.sqlite.org/walformat.html#locks>.
const WRITE_LOCK: u64 = 120;

/// The process that holds the lock which a writer waits for, as far as the system tells.
pub(crate) fn holder(journal: &Path) -> Option<u32> {
    // The system's list, because a question about a lock needs the file open, and closing it again would drop this
    // process's own locks.
    let list = fs::read_to_string("/proc/locks").ok()?;
    let number = |path: &Path| fs::metadata(path).ok().map(|found| file::Id::of(&found).number());
    let locks: Vec<_> = list.lines().filter_map(Lock::parse).collect();
    let (index, journal) = (number(&file::log_index(journal)), number(journal)?);
    let of_index = |is_it: fn(&Lock) -> bool| {
        let index = index?;
        locks
            .iter()
            .find(|lock| lock.file == index && lock.is_exclusive && is_it(lock))
    };
    of_index(|lock| (lock.first..=lock.last).contains(&WRITE_LOCK))
        .or_else(|| of_index(|_| true))
        .or_else(|| locks.iter().find(|lock| lock.file == journal && lock.is_exclusive))
        .map(|lock| lock.process)
}

/// A line of `/proc/locks`.
#[derive(Debug, PartialEq, Eq)]
struct Lock {
    is_exclusive: bool,
    process: u32,
    file: u64,
    first: u64,
    last: u64,
}

impl Lock {
    /// Input: `1: POSIX  ADVISORY  WRITE 6149 fe:00:1050645 120 120`. A lock that is waited for has `->` after its
    /// number.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace().skip(1);
        let kind = words.next()?;
        if kind != "POSIX" && kind != "OFDLCK" {
            return None;
        }
        let is_exclusive = words.nth(1)? == "WRITE";
        Some(Self {
            is_exclusive,
            process: words.next()?.parse().ok()?,
            file: words.next()?.rsplit(':').next()?.parse().ok()?,
            first: words.next()?.parse().ok()?,
            last: words.next()?.parse().unwrap_or(u64::MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_held_locks_are_read() {
        let lock = |first, last| Lock {
            is_exclusive: true,
            process: 6149,
            file: 1_050_645,
            first,
            last,
        };
        for (line, expected) in [
            (
                "1: POSIX  ADVISORY  WRITE 6149 fe:00:1050645 120 120",
                Some(lock(120, 120)),
            ),
            (
                "12: POSIX  ADVISORY  WRITE 6149 fe:00:1050645 0 EOF",
                Some(lock(0, u64::MAX)),
            ),
            ("1: -> POSIX  ADVISORY  WRITE 6149 fe:00:1050645 120 120", None),
            ("1: FLOCK  ADVISORY  WRITE 6149 fe:00:1050645 0 EOF", None),
            ("1: POSIX  ADVISORY  WRITE -1 fe:00:1050645 0 EOF", None),
            ("", None),
        ] {
            assert_eq!(Lock::parse(line), expected, "{line}");
        }
    }
}
