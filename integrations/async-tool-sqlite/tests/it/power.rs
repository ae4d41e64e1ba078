//! Journals on a disk that loses its power, with the writes that were not synced.

use std::{collections::BTreeMap, env, fs, process::Command};

use async_tool_sqlite::{Durability, SqliteJournal};
use power_cut::Event;

use crate::fixture::{Place, messages, read, write};

const DURABILITY: &str = "ASYNC_TOOL_SQLITE_POWER";
const CUTS: usize = 200;
const APPENDS: u64 = 250;

/// Pseudorandom numbers: xorshift64*, Marsaglia 2003.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit
    }
}

/// Writes, with a mark for each acknowledged append. Returns session and last entry of each append.
async fn work(durability: Durability, dice: &mut Dice) -> Vec<(String, u64)> {
    let place = Place::new();
    let builder = || {
        SqliteJournal::builder(place.path())
            .durability(durability)
            .boot("first")
    };
    let mut journal = builder().open().unwrap();
    let mut lasts = BTreeMap::new();
    let mut appends = Vec::new();
    for number in 0..APPENDS {
        let name = format!("session {}", dice.below(5));
        let last = lasts.entry(name.clone()).or_insert(0);
        let count = 1 + dice.below(8) as u64;
        *last = write(&journal, &name, *last, count).await.unwrap();
        appends.push((name, *last));
        power_cut::mark(appends.len());
        match number % 50 {
            // The log is carried over, and begins anew.
            20 => {
                let other = rusqlite::Connection::open(place.path()).unwrap();
                other
                    .query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))
                    .unwrap();
            }
            // A clean close.
            45 => {
                drop(journal);
                journal = builder().open().unwrap();
            }
            _ => {}
        }
    }
    appends
}

/// The body of the process whose SQLite is recorded. Without a mode it does nothing.
#[test]
fn the_recorded_process() {
    let Ok(mode) = env::var(DURABILITY) else { return };
    let durability = if mode == "full" {
        Durability::Full
    } else {
        Durability::Normal
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    power_cut::record();
    let appends = runtime.block_on(work(durability, &mut dice));
    let events = power_cut::take();
    let (mut lost, mut cuts_with_loss, mut reported) = (0, 0, 0);
    for number in 0..CUTS {
        // Every fourth cut is while the first tables are made.
        let is_early = number % 4 == 0;
        let cut = dice.below(if is_early { events.len() / 12 } else { events.len() + 1 });
        let acknowledged = events[..cut].iter().rev().find_map(|event| match event {
            Event::Mark(number) => Some(*number),
            _ => None,
        });
        let place = Place::new();
        for (name, contents) in power_cut::disk(&events[..cut], &mut |limit| dice.below(limit)) {
            fs::write(place.file(&name), contents).unwrap();
        }
        let journal = SqliteJournal::builder(place.path()).boot("second").open().unwrap();
        let mut found = BTreeMap::new();
        for number in 0..5 {
            let name = format!("session {number}");
            let entries = runtime.block_on(read(&journal, &name));
            assert_eq!(entries, messages(0, entries.len() as u64));
            found.insert(name, entries.len() as u64);
        }
        // The last append may be there without its acknowledgement.
        let acknowledged = acknowledged.unwrap_or(0);
        let is_there = |(name, last): &(String, u64)| found[name] >= *last;
        let kept = appends.iter().take_while(|append| is_there(append)).count();
        assert!(!appends[kept..].iter().any(is_there), "what is lost is a suffix");
        let missing = acknowledged.saturating_sub(kept);
        lost += missing;
        cuts_with_loss += usize::from(missing > 0);
        if missing > 0 {
            assert_eq!(durability, Durability::Normal, "{missing} of {acknowledged} are lost");
            assert!(
                journal.open_report().may_have_lost_appends,
                "{missing} are lost in silence"
            );
            reported += 1;
        }
        // And a journal that lost nothing goes on.
        let last = found["session 0"];
        drop(journal);
        let journal = SqliteJournal::open(place.path()).unwrap();
        runtime.block_on(write(&journal, "session 0", last, 1)).unwrap();
    }
    println!(
        "{mode}: {CUTS} cuts in {} events, {} appends: {lost} acknowledged appends lost in {cuts_with_loss} cuts, {reported} of them \
         reported",
        events.len(),
        appends.len()
    );
}

fn cut_power(mode: &str) {
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "power::the_recorded_process"])
        .env(DURABILITY, mode)
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&child.stdout);
    let figures = out.lines().find(|line| line.contains(" cuts in "));
    assert!(
        child.status.success(),
        "{out}{}",
        String::from_utf8_lossy(&child.stderr)
    );
    println!("{}", figures.unwrap());
}

#[test]
fn no_power_loss_loses_an_append_that_was_acknowledged_as_synced() {
    cut_power("full");
}

#[test]
fn without_syncs_a_power_loss_loses_the_last_appends_and_the_next_opening_says_so() {
    cut_power("normal");
}
