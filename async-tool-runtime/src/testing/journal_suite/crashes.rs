//! Appends whose future is dropped, and journals that are killed.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use super::{
    super::wrong::{Checked, Wrong},
    stage::{Stage, append, equal, said},
    store::JournalStore,
};
use crate::{
    journal::{Entry, Journal, Seq, SessionFilter},
    session::SessionId,
};

/// Number of entries before the append that is dropped.
const BEFORE: usize = 3;
/// Number of entries in the append that is dropped.
const BATCH: usize = 50;

pub(super) async fn dropped_append<S: JournalStore>(stage: Stage<S>) -> Checked {
    for polls in 0..12 {
        let (session, before) = stage.session(&format!("dropped after {polls}"), BEFORE).await?;
        let batch = said("dropped", 0..BATCH);
        dropped_after(
            polls,
            stage
                .journal()
                .append(&session, stage.claim(), Seq::new(BEFORE as u64), &batch),
        )
        .await;
        goes_on(&stage, &session, before, batch).await?;
    }
    Ok(())
}

pub(super) async fn reopening<S: JournalStore>(mut stage: Stage<S>) -> Checked {
    let (session, mut entries) = stage.session("s", 0).await?;
    let (closed, mut closed_entries) = stage.session("closed", 2).await?;
    closed_entries.push(Entry::Closed {
        at: crate::clock::Timestamp::from_millis(1),
    });
    stage.appended(&closed, 2, &closed_entries[2..]).await?;
    for round in 0..8 {
        let last = entries.len();
        let more = said(&format!("round {round}"), 0..round * 7 + 1);
        stage.appended(&session, last as u64, &more).await?;
        entries.extend(more);
        // Immediately after the acknowledgement, before a lazy store has written anything.
        stage = stage.reopened().await?;
        stage.holds(&session, &entries).await?;
        stage.holds(&closed, &closed_entries).await?;
        let last = entries.len() as u64;
        for after in [0, last - 1, last + 1] {
            let said = stage.refused(&session, after, last).await?;
            equal(append(&session, after, 1), &last, &said)?;
        }
        stage.lists(SessionFilter::All, &[&session, &closed]).await?;
        stage.lists(SessionFilter::Open, &[&session]).await?;
    }
    Ok(())
}

pub(super) async fn killed_append<S: JournalStore>(mut stage: Stage<S>) -> Checked {
    for polls in 0..12 {
        let (session, before) = stage.session(&format!("killed after {polls}"), BEFORE).await?;
        let batch = said("killed", 0..BATCH);
        dropped_after(
            polls,
            stage
                .journal()
                .append(&session, stage.claim(), Seq::new(BEFORE as u64), &batch),
        )
        .await;
        stage = stage.reopened().await?;
        let read = all_or_nothing(&stage, &session, &before, &batch).await?;
        // The killed journal can't finish its append any more, so this append must succeed.
        stage.appended(&session, read, &said("after", 0..1)).await?;
        let mut entries = [before, batch].concat();
        entries.truncate(usize::try_from(read).unwrap_or(usize::MAX));
        entries.extend(said("after", 0..1));
        stage.holds(&session, &entries).await?;
    }
    Ok(())
}

/// Checks the session after an append was dropped: all its entries are there or none, and a further append succeeds. The dropped append
/// may still complete in the background.
async fn goes_on<S: JournalStore>(
    stage: &Stage<S>,
    session: &SessionId,
    before: Vec<Entry>,
    batch: Vec<Entry>,
) -> Checked {
    let after = said("after", 0..2);
    // The dropped append may complete between the read and the first try; nothing else may cause a conflict.
    for _ in 0..2 {
        let last = all_or_nothing(stage, session, &before, &batch).await?;
        if stage.append(session, last, &after).await?.is_ok() {
            let mut entries = [before, batch].concat();
            entries.truncate(usize::try_from(last).unwrap_or(usize::MAX));
            entries.extend(after);
            return stage.holds(session, &entries).await;
        }
    }
    let last = stage.read(session, 0).await?.len() as u64;
    Err(Wrong::new(
        format!(
            "drop an append, then {} when this is the last",
            append(session, last, 2)
        ),
        "success",
        "a conflict each time",
    ))
}

/// Checks that a session has all entries of a batch or none; returns its last position.
async fn all_or_nothing<S: JournalStore>(
    stage: &Stage<S>,
    session: &SessionId,
    before: &[Entry],
    batch: &[Entry],
) -> Checked<u64> {
    let read = stage.read(session, 0).await?;
    let all = before.len() + batch.len();
    if read.len() != before.len() && read.len() != all {
        let doing = format!(
            "drop an append of {} entries to session {:?} after entry {}, and read",
            batch.len(),
            session.as_str(),
            before.len()
        );
        let expected = format!("{} entries or {all}", before.len());
        return Err(Wrong::new(doing, &expected, &format!("{} entries", read.len())));
    }
    let expected = [before, batch].concat();
    for ((seq, entry), (place, expected)) in read.iter().zip((1_u64..).zip(&expected)) {
        equal("read after an append was dropped", &(place, expected), &(*seq, entry))?;
    }
    Ok(read.len() as u64)
}

/// Polls a future this many times, with a yield after each poll, and drops it.
async fn dropped_after(polls: usize, future: impl Future) {
    let mut future = pin!(future);
    for _ in 0..polls {
        if poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await.is_ready() {
            return;
        }
        tokio::task::yield_now().await;
    }
}
