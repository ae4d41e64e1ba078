//! Appends after another position than the last.

use super::{
    super::wrong::{Checked, Wrong},
    stage::{Stage, append, at_once, equal, in_turns, said},
    store::JournalStore,
};
use crate::{
    journal::{Entry, SessionFilter},
    session::SessionId,
};

/// Positions that no session reaches. They may not fit into the integers of a store.
const FAR: [u64; 3] = [i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX];

pub(super) async fn stale_fence<S: JournalStore>(stage: Stage<S>) -> Checked {
    let (session, entries) = stage.session("s", 3).await?;
    for after in 0..3 {
        stage.refused(&session, after, 3).await?;
    }
    stage.appended(&session, 3, &entries).await?;
    for after in 0..6 {
        stage.refused(&session, after, 6).await?;
    }
    Ok(())
}

pub(super) async fn future_fence<S: JournalStore>(stage: Stage<S>) -> Checked {
    let (session, _) = stage.session("s", 3).await?;
    for after in [4, 5, 1_000].into_iter().chain(FAR) {
        stage.refused(&session, after, 3).await?;
    }
    let absent = SessionId::new("absent");
    for after in [1, 2].into_iter().chain(FAR) {
        stage.refused(&absent, after, 0).await?;
    }
    Ok(())
}

pub(super) async fn empty_append<S: JournalStore>(stage: Stage<S>) -> Checked {
    let (session, entries) = stage.session("s", 3).await?;
    let absent = SessionId::new("absent");
    for (session, last) in [(&session, 3), (&absent, 0)] {
        for _ in 0..2 {
            let place = stage.appended(session, last, &[]).await?;
            equal(append(session, last, 0), &last, &place)?;
        }
        let others = [0, 1, 2, 4, 1_000].into_iter().chain(FAR);
        for after in others.filter(|after| *after != last) {
            if let Ok(place) = stage.append(session, after, &[]).await? {
                let doing = format!("{}, where entry {last} is the last", append(session, after, 0));
                return Err(Wrong::new(doing, "a conflict", &format!("success at place {place}")));
            }
        }
    }
    stage.holds(&session, &entries).await?;
    stage.holds(&absent, &[]).await?;
    stage.lists(SessionFilter::All, &[&session]).await?;
    stage.appended(&absent, 0, &entries).await?;
    stage.holds(&absent, &entries).await
}

pub(super) async fn conflict_changes_nothing<S: JournalStore>(stage: Stage<S>) -> Checked {
    let (session, mut entries) = stage.session("s", 3).await?;
    let absent = SessionId::new("absent");
    let others = said("other", 0..5);
    for after in [0, 1, 2, 4, 7].into_iter().chain(FAR) {
        // Other rules check that these are conflicts.
        if stage.append(&session, after, &others).await?.is_err() {
            stage.holds(&session, &entries).await?;
        }
    }
    for after in [1, 5].into_iter().chain(FAR) {
        if stage.append(&absent, after, &others).await?.is_err() {
            stage.holds(&absent, &[]).await?;
            stage.lists(SessionFilter::All, &[&session]).await?;
        }
    }
    let last = entries.len() as u64;
    stage.appended(&session, last, &others).await?;
    entries.extend_from_slice(&others);
    stage.holds(&session, &entries).await?;
    stage.appended(&absent, 0, &others).await?;
    stage.holds(&absent, &others).await
}

pub(super) async fn conflict_says_last<S: JournalStore>(stage: Stage<S>) -> Checked {
    let (session, entries) = stage.session("s", 3).await?;
    let absent = SessionId::new("absent");
    let check = async |session: &SessionId, after: u64, last: u64| {
        if let Err(said) = stage.append(session, after, &entries).await? {
            let doing = format!("{}; the last entry that the conflict names", append(session, after, 3));
            equal(doing, &last, &said)?;
        }
        Ok(())
    };
    for after in [0, 1, 2, 4, 1_000].into_iter().chain(FAR) {
        check(&session, after, 3).await?;
    }
    for after in [1, 2].into_iter().chain(FAR) {
        check(&absent, after, 0).await?;
    }
    Ok(())
}

pub(super) async fn one_writer_wins<S: JournalStore>(stage: Stage<S>) -> Checked {
    const WRITERS: usize = 6;
    const ROUNDS: usize = 40;
    let session = SessionId::new("s");
    let mut entries: Vec<Entry> = Vec::new();
    for round in 0..ROUNDS {
        let after = entries.len() as u64;
        let writers = (0..WRITERS).map(|writer| {
            let (stage, session) = (stage.clone(), session.clone());
            async move {
                // Batches of different sizes, so that a mixture of two batches shows.
                let batch = said(&format!("writer {writer} of round {round}"), 0..writer % 3 + 1);
                let written = stage.append(&session, after, &batch).await?;
                Ok(written.is_ok().then_some(batch))
            }
        });
        // Threads find races within a step of an append, and turns find races between two steps.
        let ended = if round % 2 == 0 {
            in_turns(writers).await
        } else {
            at_once(writers).await
        };
        let ended: Checked<Vec<_>> = ended.into_iter().collect();
        let winners: Vec<_> = ended?.into_iter().flatten().collect();
        if winners.len() != 1 {
            let doing = format!("{WRITERS} append to session \"s\" after entry {after} at the same time");
            let found = format!("{} that succeeded", winners.len());
            return Err(Wrong::new(doing, "1 that succeeded", &found));
        }
        entries.extend(winners.into_iter().flatten());
        stage.holds(&session, &entries).await?;
    }
    Ok(())
}
