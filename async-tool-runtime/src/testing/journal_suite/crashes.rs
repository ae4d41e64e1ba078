//! Appends that nobody waits for, and journals that are killed.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use super::{
    error::Wrong,
    stage::{Checked, Stage, append, equal, said},
    store::JournalStore,
};
use crate::{
    journal::{Entry, Journal, Seq, SessionFilter},
    session::SessionId,
};

/// How many entries the session has, and how many the append that is broken off.
const BEFORE: usize = 3;
const BATCH: usize = 50;

pub(super) async fn dropped_append<S: JournalStore>(stage: Stage<S>) -> Checked {
    for polls in 0..12 {
        let (session, before) = stage.session(&format!("dropped after {polls}"), BEFORE).await?;
        let batch = said("dropped", 0..BATCH);
        dropped_after(polls, stage.journal().append(&session, Seq::new(BEFORE as u64), &batch)).await;
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
        // At once after the acknowledgement.
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
        dropped_after(polls, stage.journal().append(&session, Seq::new(BEFORE as u64), &batch)).await;
        stage = stage.reopened().await?;
        let read = all_or_nothing(&stage, &session, &before, &batch).await?;
        // Whatever was under way, nobody is there any more who could do it.
        stage.appended(&session, read, &said("after", 0..1)).await?;
        let mut entries = [before, batch].concat();
        entries.truncate(usize::try_from(read).unwrap_or(usize::MAX));
        entries.extend(said("after", 0..1));
        stage.holds(&session, &entries).await?;
    }
    Ok(())
}

/// After an append was broken off: it may still go on in the background, but in the end all of it is there or none, and so is what
/// comes after.
async fn goes_on<S: JournalStore>(
    stage: &Stage<S>,
    session: &SessionId,
    before: Vec<Entry>,
    batch: Vec<Entry>,
) -> Checked {
    let after = said("after", 0..2);
    // The first try may be too late by one batch. There is no second reason.
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
            "drop an append, and {} as soon as this is the last",
            append(session, last, 2)
        ),
        "success",
        "a conflict each time",
    ))
}

/// Whether all of a batch is there or nothing of it; gives the last place.
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
            "break off an append of {} entries to session {:?} after entry {}, and read",
            batch.len(),
            session.as_str(),
            before.len()
        );
        let expected = format!("{} entries or {all}", before.len());
        return Err(Wrong::new(doing, &expected, &format!("{} entries", read.len())));
    }
    let expected = [before, batch].concat();
    for ((seq, entry), (place, expected)) in read.iter().zip((1_u64..).zip(&expected)) {
        equal(
            "read after an append was broken off",
            &(place, expected),
            &(*seq, entry),
        )?;
    }
    Ok(read.len() as u64)
}

/// Polls a future so often, letting others go on in between, and drops it.
async fn dropped_after(polls: usize, future: impl Future) {
    let mut future = pin!(future);
    for _ in 0..polls {
        if poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await.is_ready() {
            return;
        }
        tokio::task::yield_now().await;
    }
}
