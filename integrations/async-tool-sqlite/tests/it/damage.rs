//! Contents of a file after the machine stopped in the middle of a write.
//!
//! Guarantee: all transactions in the log before the damage remain. A transaction is a group of whole appends. So the
//! first appends of each session remain, each whole. No data after the damage comes back, and none is invented.

use std::{cell::Cell, collections::BTreeMap, fs, path::Path};

use async_tool_runtime::{
    Journal as _,
    journal::{Claim, Seq, SessionFilter},
};
use async_tool_sqlite::{OpenCheck, Salvage, SqliteJournal, StoreError, Tampering};
use futures_util::TryStreamExt as _;
use proptest::prelude::*;
use tokio::runtime::Runtime;

use crate::fixture::{Place, closed, messages, names, read, read_after, session, write};

const SESSIONS: u64 = 5;

/// For each session, the last entry of each append.
type Ends = BTreeMap<String, Vec<u64>>;

/// A journal whose log holds all its writes, with the log's length after each append.
struct Torn {
    place: Place,
    ends: Ends,
    lengths: Vec<(u64, String, u64)>,
}

fn wal(path: &Path) -> std::path::PathBuf {
    path.with_file_name("sessions.db-wal")
}

async fn torn() -> Torn {
    let place = Place::new();
    drop(place.open());
    let journal = SqliteJournal::builder(place.path()).hash_chain(true).open().unwrap();
    let (mut ends, mut lengths) = (Ends::new(), Vec::new());
    for round in 0..12 {
        for number in 0..SESSIONS {
            let name = format!("session {number}");
            let list = ends.entry(name.clone()).or_insert_with(|| vec![0]);
            let after = *list.last().unwrap();
            let last = write(&journal, &name, after, 1 + (round + number) % 4).await.unwrap();
            list.push(last);
            lengths.push((fs::metadata(wal(&place.path())).unwrap().len(), name, last));
        }
    }
    let copy = Place::new();
    for name in ["sessions.db", "sessions.db-wal"] {
        fs::copy(place.file(name), copy.file(name)).unwrap();
    }
    drop(journal);
    Torn {
        place: copy,
        ends,
        lengths,
    }
}

impl Torn {
    /// Opens the journal with this damaged log. Checks that it holds a beginning of all appends, with at least the
    /// first `sound` bytes of the log. Returns the number of entries that are lost, and of those among them that the
    /// copy still has; `None` if nothing was reported.
    fn check(&self, runtime: &Runtime, log: &[u8], sound: u64) -> (u64, Option<u64>) {
        let place = Place::new();
        fs::copy(self.place.path(), place.path()).unwrap();
        fs::write(wal(&place.path()), log).unwrap();
        runtime.block_on(async {
            let journal = place.open();
            let damaged_log = journal.open_report().damaged_log.clone();
            let mut found = BTreeMap::new();
            for name in names(&journal, SessionFilter::All).await {
                let entries = read(&journal, &name).await;
                let last = entries.len() as u64;
                assert_eq!(entries, messages(0, last));
                assert!(
                    self.ends[&name].contains(&last),
                    "half an append: {name} ends with {last}"
                );
                let verification = journal.verify(&session(&name)).await.unwrap();
                assert_eq!((verification.finding, verification.entries), (None, last));
                found.insert(name, last);
            }
            // The appends were made one by one, so the rest is a beginning of all appends, not only of each session's.
            let mut is_over = false;
            for (length, name, last) in &self.lengths {
                let is_there = found.get(name).is_some_and(|found| found >= last);
                assert!(
                    is_there || *length > sound,
                    "{name} {last} was written before the damage"
                );
                assert!(
                    !(is_there && is_over),
                    "{name} {last} is there, and an earlier append is not"
                );
                is_over |= !is_there;
            }
            let total: u64 = self.ends.values().filter_map(|ends| ends.last()).sum();
            let lost = total - found.values().sum::<u64>();
            let kept = damaged_log.map(|damaged| {
                assert!(damaged.commits > 0 && damaged.pages > 0);
                let copy = Salvage::open(damaged.copy.unwrap()).unwrap();
                copy.sessions().iter().map(|session| session.entries).sum::<u64>() - (total - lost)
            });
            // New appends continue from there.
            let last = found.get("session 0").copied().unwrap_or(0);
            assert_eq!(write(&journal, "session 0", last, 2).await.unwrap(), last + 2);
            let a_new = journal
                .append(&session("new"), &Claim::new(), Seq::START, &messages(0, 1))
                .await;
            assert_eq!(a_new.unwrap(), Seq::new(1));
            (lost, kept)
        })
    }
}

#[test]
fn of_a_log_that_is_cut_or_damaged_anywhere_a_beginning_in_whole_appends_is_left() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let torn = runtime.block_on(torn());
    let log = fs::read(wal(&torn.place.path())).unwrap();
    assert_eq!(torn.check(&runtime, &log, log.len() as u64), (0, None));
    torn.check(&runtime, &[], 0);
    let counts = Cell::new((0, 0, 0));
    let config = ProptestConfig {
        cases: 150,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(at in 0..log.len(), bit in 0..8_u8, is_cut: bool)| {
        let mut damaged = log.clone();
        if is_cut {
            damaged.truncate(at);
        } else {
            damaged[at] ^= 1 << bit;
        }
        // A damaged header invalidates the whole log. All of it is under its checksum, except one byte of the file's
        // number.
        let (missing, saved) = torn.check(&runtime, &damaged, if at < 32 { 0 } else { at as u64 });
        if !is_cut {
            prop_assert!(missing == 0 || saved.is_some(), "{missing} entries were lost without a word");
            let (flips, lost, kept) = counts.get();
            counts.set((flips + 1, lost + missing, kept + saved.unwrap_or(0)));
        }
    });
    let (flips, lost, kept) = counts.get();
    println!("{flips} flipped bits: {lost} entries lost, all reported; {kept} of them saved from the copies");
    assert!(kept * 100 >= lost * 98);
}

#[tokio::test]
async fn the_log_of_a_file_that_was_deleted_or_emptied_is_kept() {
    for is_deleted in [false, true] {
        let place = Place::new();
        drop(place.open());
        let journal = place.open();
        write(&journal, "a", 0, 100).await.unwrap();
        // The state after a crash.
        let copy = Place::new();
        fs::copy(wal(&place.path()), wal(&copy.path())).unwrap();
        if !is_deleted {
            fs::write(copy.path(), []).unwrap();
        }
        assert!(SqliteJournal::open_read_only(copy.path()).is_err());
        let report = copy.open().open_report().clone();
        let kept = Salvage::open(report.damaged_log.unwrap().copy.unwrap()).unwrap();
        assert_eq!(kept.sessions()[0].entries, 100);
    }
}

/// Copies the files of an open journal, as a killed process leaves them.
fn as_if_killed(place: &Place) -> Place {
    let copy = Place::new();
    for name in ["sessions.db", "sessions.db-wal"] {
        fs::copy(place.file(name), copy.file(name)).unwrap();
    }
    copy
}

#[cfg(unix)]
#[tokio::test]
async fn a_salvage_through_a_link_reads_the_log_of_the_file() {
    let place = Place::new();
    let journal = place.open();
    write(&journal, "a", 0, 100).await.unwrap();
    let copy = as_if_killed(&place);
    let link = copy.file("link.db");
    std::os::unix::fs::symlink("sessions.db", &link).unwrap();
    let salvage = Salvage::open(&link).unwrap();
    let found: Vec<_> = salvage
        .sessions()
        .iter()
        .map(|found| (found.session.as_str(), found.entries))
        .collect();
    assert_eq!(found, [("a", 100)]);
}

#[tokio::test]
async fn a_salvage_never_mixes_a_removed_session_with_the_next_one() {
    for name in ["a", "b"] {
        let place = Place::new();
        let journal = place.open();
        let mut old = messages(0, 50);
        old.push(closed());
        journal
            .append(&session("a"), &Claim::new(), Seq::START, &old)
            .await
            .unwrap();
        assert!(journal.remove(&session("a")).await.unwrap());
        write(&journal, name, 0, 20).await.unwrap();
        let copy = as_if_killed(&place);
        let mut salvage = Salvage::open(copy.path()).unwrap();
        let sessions = salvage.sessions().to_vec();
        let found: Vec<_> = sessions.iter().filter(|found| found.session.as_str() == name).collect();
        let [found] = found[..] else {
            panic!("{name}: {sessions:?}");
        };
        assert_eq!(
            (found.entries, found.last, &found.missing[..]),
            (20, 20, &[][..]),
            "{name}"
        );
        for found in &sessions {
            let lines: Vec<_> = salvage.export(found).collect::<Result<_, _>>().unwrap();
            assert_eq!(lines.len() as u64, found.entries, "{name}");
        }
    }
}

#[tokio::test]
async fn a_damaged_page_is_a_finding_at_its_first_entry_and_the_other_sessions_are_verified() {
    for is_packed in [false, true] {
        let place = Place::new();
        let journal = place.open();
        let mut long = messages(0, 3_000);
        long.push(closed());
        write(&journal, "a", 0, 5).await.unwrap();
        journal
            .append(&session("b"), &Claim::new(), Seq::START, &long)
            .await
            .unwrap();
        write(&journal, "c", 0, 5).await.unwrap();
        if is_packed {
            journal.compact().await.unwrap();
        }
        journal.close().await;
        let mut file = fs::read(place.path()).unwrap();
        let page = if is_packed {
            // One row, so the table's first page.
            let database = rusqlite::Connection::open(place.path()).unwrap();
            let root = "SELECT rootpage - 1 FROM sqlite_schema WHERE name = 'packs'";
            database.query_row(root, [], |row| row.get(0)).unwrap()
        } else {
            let mut pages = file.chunks(4096);
            let has_entry = |page: &[u8]| page.windows(13).any(|part| part == b"message 1500\"");
            pages.position(|page| page[0] == 0x0D && has_entry(page)).unwrap()
        };
        file[page * 4096..][..4096].fill(0x5A);
        fs::write(place.path(), &file).unwrap();

        let journal = SqliteJournal::builder(place.path())
            .check(OpenCheck::None)
            .open_read_only()
            .unwrap();
        let verified: Vec<_> = journal.verify_all().try_collect().await.unwrap();
        let findings: Vec<_> = verified
            .iter()
            .map(|one| (one.session.as_str(), one.finding.map(|finding| finding.tampering)))
            .collect();
        assert_eq!(
            findings,
            [("a", None), ("b", Some(Tampering::Unreadable)), ("c", None)],
            "{is_packed}"
        );
        let finding = verified[1].finding.unwrap().seq.as_u64();
        let expected = if is_packed { 1..=1 } else { 1_400..=1_500 };
        assert!(expected.contains(&finding), "{is_packed}: {finding}");
        assert_eq!(verified[1].entries, finding - 1);

        // A read ends at the same entry, and says which one.
        let read: Result<Vec<_>, _> = read_after(&journal, "b", finding - 1).await;
        let error = read.unwrap_err();
        let error = std::error::Error::source(&error).unwrap().downcast_ref::<StoreError>();
        let Some(StoreError::Unreadable { session, seq, .. }) = error else {
            panic!("{error:?}");
        };
        assert_eq!((session.as_str(), seq.as_u64()), ("b", finding));
        assert_eq!(crate::fixture::read(&journal, "a").await, messages(0, 5));
    }
}
