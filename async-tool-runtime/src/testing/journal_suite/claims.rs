//! Two agents that want the same session.

use super::{
    super::wrong::{Checked, Wrong},
    stage::{Stage, append, in_turns, said},
    store::JournalStore,
};
use crate::{clock::Timestamp, journal::Entry, session::SessionId};

pub(super) async fn one_claim<S: JournalStore>(stage: Stage<S>) -> Checked {
    let mut rivals = vec![("with the same open journal", stage.rival())];
    if let Some(other) = stage.another().await? {
        rivals.push(("through another open journal", other));
    }
    let (session, mut entries) = stage.session("s", 3).await?;
    let fresh = SessionId::new("fresh");
    // Without entries, it only takes the session.
    stage.appended(&fresh, 0, &[]).await?;
    let robber = said("robber", 0..1);
    for (where_, rival) in &rivals {
        for after in [3, 0] {
            rival.is_kept_out(&session, after, &[], where_).await?;
            rival.is_kept_out(&session, after, &robber, where_).await?;
        }
        rival.is_kept_out(&fresh, 0, &robber, where_).await?;
        stage.holds(&session, &entries).await?;
        let next = said(where_, 0..2);
        stage.appended(&session, entries.len() as u64, &next).await?;
        entries.extend(next);
        stage.released(&fresh).await?;
        rival.appended(&fresh, 0, &[]).await?;
        stage.is_kept_out(&fresh, 0, &robber, where_).await?;
        rival.released(&fresh).await?;
        stage.appended(&fresh, 0, &[]).await?;
        let last = entries.len() as u64;
        rival.is_kept_out(&session, last, &[], where_).await?;
    }

    // Several agents at once, none of which has the session yet.
    for round in 0..10 {
        let session = SessionId::new(format!("race {round}"));
        let racers: Vec<_> = (0..4).map(|_| stage.rival()).collect();
        let races = racers.iter().map(|racer| racer.append(&session, 0, &[]));
        let ended: Checked<Vec<_>> = in_turns(races).await.into_iter().collect();
        let won = ended?.iter().filter(|end| end.is_ok()).count();
        if won != 1 {
            let doing = format!("4 agents {} at the same time", append(&session, 0, 0));
            return Err(Wrong::new(doing, "1 that succeeded", &format!("{won} that succeeded")));
        }
    }

    // A closed session needs no owner.
    let closed = Entry::Closed {
        at: Timestamp::from_millis(9),
    };
    let last = entries.len() as u64;
    stage.appended(&session, last, &[closed]).await?;
    for (_, rival) in &rivals {
        rival.appended(&session, last + 1, &[]).await?;
    }
    stage.appended(&session, last + 1, &[]).await.map(drop)
}

pub(super) async fn claim_ends<S: JournalStore>(stage: Stage<S>) -> Checked {
    let (session, _) = stage.session("s", 3).await?;
    stage.released(&session).await?;
    let dropped = stage.rival();
    dropped.appended(&session, 3, &said("dropped", 0..1)).await?;
    stage
        .is_kept_out(&session, 4, &[], "before the other claim was dropped")
        .await?;
    drop(dropped);
    stage.appended(&session, 4, &[]).await?;

    let next = stage.rival();
    next.is_kept_out(&session, 4, &[], "before the other claim was lost")
        .await?;
    stage.claim().lose();
    next.appended(&session, 4, &said("next", 0..1)).await?;
    let (why, free) = ("with a claim that was lost", SessionId::new("free"));
    for (session, after) in [(&session, 5), (&free, 0)] {
        stage.is_kept_out(session, after, &[], why).await?;
        stage.is_kept_out(session, after, &said("lost", 0..1), why).await?;
    }
    Ok(())
}

pub(super) async fn refused_claims_nothing<S: JournalStore>(stage: Stage<S>) -> Checked {
    let (session, _) = stage.session("s", 3).await?;
    stage.released(&session).await?;
    let refused = stage.rival();
    let unconfirmed = |claimant: &Stage<S>, doing: String| match claimant.claim().is_confirmed() {
        true => Err(Wrong::new(doing, "that the claim isn't confirmed", "a confirmed claim")),
        false => Ok(()),
    };
    for after in [2, 4] {
        refused.refused(&session, after, 3).await?;
        unconfirmed(&refused, append(&session, after, 1))?;
    }
    stage.appended(&session, 3, &[]).await?;
    refused
        .is_kept_out(&session, 3, &[], "where another claim has the session")
        .await?;
    unconfirmed(
        &refused,
        format!("{}, where another claim has the session", append(&session, 3, 0)),
    )
}
