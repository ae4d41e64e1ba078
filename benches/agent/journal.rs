//! Cost of the memory journal.

use std::time::Instant;

use async_tool_runtime::{
    Journal, SessionId,
    journal::{Claim, MemoryJournal, Seq},
};
use tokio::runtime::Builder;

use crate::{floor::remember, quantile::Samples, quantile::show, session::appends};

const SESSIONS: usize = 50;
const MESSAGES: usize = 2_000;

/// Prints the time of an entry, in a whole session that is written with the appends of a real agent machine.
pub(crate) fn measure() {
    let appends = appends(MESSAGES);
    let entries: usize = appends.iter().map(Vec::len).sum();
    let runtime = Builder::new_current_thread()
        .build()
        .expect("a runtime without drivers needs nothing from the system");
    let (mut floor, mut journal) = (Samples::default(), Samples::default());
    let mut list = Vec::new();
    runtime.block_on(async {
        let store = MemoryJournal::new();
        for number in 0..SESSIONS {
            let session = SessionId::new(format!("session {number}"));
            let (mut seq, claim) = (Seq::START, Claim::new());
            for entries in &appends {
                let count = entries.len() as u32;
                floor.push(remember(&mut list, entries) / count);
                let begin = Instant::now();
                let appended = store.append(&session, &claim, seq, entries).await;
                journal.push(begin.elapsed() / count);
                seq = appended.expect("the session has no other writer");
            }
        }
    });
    println!(
        "journal                   {SESSIONS} sessions of {entries} entries in {} appends; floor: the entries are copied into a list (budget: 1 µs)",
        appends.len()
    );
    for (name, mut samples) in [("floor, per entry", floor), ("memory journal, per entry", journal)] {
        println!(
            "  {name:<28}mean {}, p50 {}, p99 {}",
            show(samples.mean()),
            show(samples.quantile(0.5)),
            show(samples.quantile(0.99))
        );
    }
}
