//! Appends and reads, small and large.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{
    super::wrong::{Checked, Wrong},
    stage::{Stage, append, at_once, equal, reading, said},
    store::JournalStore,
};
use crate::{clock::Timestamp, journal::Entry, session::SessionId};

const SIZES: [usize; 8] = [1, 2, 1, 7, 100, 1, 33, 1_000];

pub(super) async fn place<S: JournalStore>(stage: Stage<S>) -> Checked {
    let session = SessionId::new("s");
    let mut last = 0;
    for size in SIZES {
        let place = stage.appended(&session, last, &said("a", 0..size)).await?;
        let expected = last + size as u64;
        equal(append(&session, last, size), &expected, &place)?;
        last = expected;
    }
    Ok(())
}

pub(super) async fn order<S: JournalStore>(stage: Stage<S>) -> Checked {
    let session = SessionId::new("s");
    let mut written = 0;
    for size in SIZES {
        let entries = said("a", written..written + size);
        stage.appended(&session, written as u64, &entries).await?;
        written += size;
        stage.holds(&session, &said("a", 0..written)).await?;
    }
    Ok(())
}

pub(super) async fn read_after<S: JournalStore>(stage: Stage<S>) -> Checked {
    let (session, entries) = stage.session("s", 25).await?;
    for after in 0..30 {
        let later = entries.get(after..).unwrap_or_default();
        stage.holds_after(&session, after as u64, later).await?;
    }
    // The largest positions that a store can have, and some that don't fit into its integers.
    let far = [i64::MAX as u64 - 1, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX];
    for after in far {
        stage.holds_after(&session, after, &[]).await?;
    }
    let absent = SessionId::new("absent");
    for after in [0, 1, u64::MAX] {
        stage.holds_after(&absent, after, &[]).await?;
    }
    Ok(())
}

pub(super) async fn whole_batches<S: JournalStore>(stage: Stage<S>) -> Checked {
    const BATCH: usize = 40;
    const BATCHES: usize = 30;
    let session = SessionId::new("s");
    let is_over = Arc::new(AtomicBool::new(false));
    let parts = (0..3).map(|part| {
        let (stage, session, is_over) = (stage.clone(), session.clone(), Arc::clone(&is_over));
        async move {
            if part == 0 {
                let written = write_batches(&stage, &session, BATCH, BATCHES).await;
                is_over.store(true, Ordering::Release);
                return written;
            }
            let mut seen = 0;
            loop {
                let was_over = is_over.load(Ordering::Acquire);
                let read = stage.read(&session, 0).await?.len();
                if read % BATCH != 0 || read < seen {
                    let expected = format!("a multiple of {BATCH} entries, {seen} at least");
                    let doing = format!("{} while {BATCH} entries at a time are appended", reading(&session, 0));
                    return Err(Wrong::new(doing, &expected, &format!("{read} entries")));
                }
                seen = read;
                if was_over {
                    return Ok(());
                }
                tokio::task::yield_now().await;
            }
        }
    });
    at_once(parts).await.into_iter().collect()
}

async fn write_batches<S: JournalStore>(
    stage: &Stage<S>,
    session: &SessionId,
    batch: usize,
    batches: usize,
) -> Checked {
    for number in 0..batches {
        let first = number * batch;
        let entries = said("a", first..first + batch);
        stage.appended(session, first as u64, &entries).await?;
    }
    Ok(())
}

pub(super) async fn large_entries<S: JournalStore>(stage: Stage<S>) -> Checked {
    const MEGABYTE: usize = 1 << 20;
    let session = SessionId::new("s");
    let large = |letter: &str, number| Entry::UserMessage {
        text: letter.repeat(MEGABYTE / letter.len()),
        media: Vec::new(),
        traceparent: None,
        at: Timestamp::from_millis(number),
    };
    let mut entries = vec![
        large("a", 0),
        large("\"\\\n", 1),
        // Four bytes each: a store that splits text at a page boundary would split one of these letters.
        large("🦀", 2),
        large("\0", 3),
    ];
    stage.appended(&session, 0, &entries[..1]).await?;
    stage.appended(&session, 1, &entries[1..]).await?;
    // Eight megabytes at once.
    let more: Vec<_> = (4..12).map(|number| large("b", number)).collect();
    stage.appended(&session, 4, &more).await?;
    entries.extend(more);
    stage.holds(&session, &entries).await
}

pub(super) async fn many_entries<S: JournalStore>(stage: Stage<S>) -> Checked {
    const ENTRIES: usize = 100_000;
    const BATCH: usize = 1_000;
    let session = SessionId::new("s");
    write_batches(&stage, &session, BATCH, ENTRIES / BATCH).await?;
    let entries = said("a", 0..ENTRIES);
    stage.holds(&session, &entries).await?;
    let after = ENTRIES - 10;
    stage.holds_after(&session, after as u64, &entries[after..]).await?;
    let last = ENTRIES as u64;
    let said_last = stage.refused(&session, last - 1, last).await?;
    equal("append after the last entry but one", &last, &said_last)
}
