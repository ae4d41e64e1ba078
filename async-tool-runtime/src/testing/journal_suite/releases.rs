//! Sessions that change hands while their journals stay open.

use super::{
    super::wrong::Checked,
    stage::{Stage, said},
    store::JournalStore,
};
use crate::{
    clock::Timestamp,
    journal::{Entry, SessionFilter},
    session::SessionId,
};

/// Rounds of a hand-over to and fro.
const ROUNDS: u64 = 20;

pub(super) async fn release<S: JournalStore>(stage: Stage<S>) -> Checked {
    let Some(other) = stage.another().await? else {
        return Ok(());
    };
    let (session, mut entries) = stage.session("s", 3).await?;
    let (kept, _) = stage.session("kept", 3).await?;
    other.is_kept_out(&kept, 3, &[], "through another open journal").await?;
    other
        .is_kept_out(&session, 3, &[], "through another open journal")
        .await?;

    let (mut from, mut to) = (&stage, &other);
    for round in 0..ROUNDS {
        let last = entries.len() as u64;
        from.released(&session).await?;
        // A claim, entries at once, or both.
        if round % 3 != 1 {
            to.appended(&session, last, &[]).await?;
        }
        if round % 3 != 0 {
            let next = said(&format!("round {round}"), 0..2);
            to.appended(&session, last, &next).await?;
            entries.extend(next);
        }
        to.holds(&session, &entries).await?;
        std::mem::swap(&mut from, &mut to);
    }
    let robber = said("robber", 0..1);
    other
        .is_kept_out(&kept, 3, &robber, "after the release of another session")
        .await?;

    // The release comes after an append that was polled before it.
    let last = entries.len() as u64;
    let next = said("last", 0..1);
    let (written, released) = {
        let mut append = Box::pin(from.appended(&session, last, &next));
        let first = polled_once(&mut append).await;
        let released = from.released(&session).await;
        let written = match first {
            Some(written) => written,
            None => append.await,
        };
        (written, released)
    };
    written?;
    released?;
    to.appended(&session, last + 1, &said("next", 0..1)).await.map(drop)
}

/// Polls a future once.
async fn polled_once<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(cx) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

pub(super) async fn of_another<S: JournalStore>(stage: Stage<S>) -> Checked {
    let Some(other) = stage.another().await? else {
        return Ok(());
    };
    let third = other.beside().await?;
    let (session, mut entries) = stage.session("s", 3).await?;
    let robber = said("robber", 0..1);
    // Another agent with the owner's open journal holds nothing either.
    for stranger in [&other, &stage.rival(), &other] {
        stranger.released(&session).await?;
        third
            .is_kept_out(&session, 3, &robber, "after a claim that didn't have it released it")
            .await?;
    }
    let next = said("owner", 0..2);
    stage.appended(&session, 3, &next).await?;
    entries.extend(next);

    // Released by its owner before another journal took it, and after.
    for _ in 0..2 {
        stage.released(&session).await?;
    }
    other.appended(&session, 5, &[]).await?;
    stage.released(&session).await?;
    third
        .is_kept_out(&session, 5, &[], "after its earlier owner released it again")
        .await?;
    let next = said("next owner", 0..1);
    other.appended(&session, 5, &next).await?;
    entries.extend(next);
    stage.holds(&session, &entries).await
}

pub(super) async fn keeps_the_fence<S: JournalStore>(stage: Stage<S>) -> Checked {
    let absent = SessionId::new("absent");
    stage.released(&absent).await?;
    stage.holds(&absent, &[]).await?;
    stage.lists(SessionFilter::All, &[]).await?;

    let (session, mut entries) = stage.session("s", 3).await?;
    for _ in 0..2 {
        stage.released(&session).await?;
    }
    stage.holds(&session, &entries).await?;
    for after in [0, 2, 4] {
        stage.refused(&session, after, 3).await?;
    }
    let next = said("anew", 0..2);
    stage.appended(&session, 3, &next).await?;
    entries.extend(next);
    stage.released(&session).await?;
    stage.appended(&session, 5, &[]).await?;

    let closed = Entry::Closed {
        at: Timestamp::from_millis(9),
    };
    stage.appended(&session, 5, std::slice::from_ref(&closed)).await?;
    entries.push(closed);
    stage.released(&session).await?;
    stage.holds(&session, &entries).await?;
    stage.refused(&session, 5, 6).await?;
    stage.lists(SessionFilter::All, &[&session]).await?;
    stage.lists(SessionFilter::Open, &[]).await
}
