//! Contents of a file after the machine stopped in the middle of a write.
//!
//! Guarantee: all transactions in the log before the damage remain. A transaction is a group of whole appends. So the
//! first appends of each session remain, each whole. No data after the damage comes back, and none is invented.

use std::{cell::Cell, collections::BTreeMap, fs, path::Path};

use async_tool_runtime::{
    Journal as _,
    journal::{Claim, Seq, SessionFilter},
};
use async_tool_sqlite::{Salvage, SqliteJournal};
use proptest::prelude::*;
use tokio::runtime::Runtime;

use crate::fixture::{Place, messages, names, read, session, write};

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
