//! Snapshots, which a journal may store.

use super::{
    super::wrong::{Checked, Wrong},
    stage::{Stage, said},
    store::JournalStore,
};
use crate::{
    journal::{Journal, Seq, SessionFilter, Snapshot},
    session::SessionId,
};

pub(super) async fn of_the_session<S: JournalStore>(stage: Stage<S>) -> Checked {
    let mut sessions = Vec::new();
    for name in ["a", "A", "b", ""] {
        let (session, _) = stage.session(name, 6).await?;
        sessions.push(session);
    }
    let mut kept: Vec<Vec<Snapshot>> = vec![Vec::new(); sessions.len()];
    given(&stage, &sessions, &kept).await?;
    for seq in [2, 4, 6] {
        for (number, session) in sessions.iter().enumerate() {
            let snapshot = Snapshot::new(Seq::new(seq), state(number, seq));
            // A journal may store no snapshots, and may return an error.
            let _ = stage.journal().keep_snapshot(session, snapshot.clone()).await;
            kept[number].push(snapshot);
        }
        given(&stage, &sessions, &kept).await?;
    }
    // The stored snapshots stay valid after further appends.
    for session in &sessions {
        stage.appended(session, 6, &said("more", 0..3)).await?;
    }
    given(&stage, &sessions, &kept).await
}

/// State by position: no bytes, bytes that aren't text, or a megabyte.
fn state(number: usize, seq: u64) -> Vec<u8> {
    match seq {
        2 => Vec::new(),
        4 => (0..=255).chain([number as u8]).collect(),
        _ => vec![number as u8 ^ 0xff; 1 << 20],
    }
}

/// Checks that the journal returns for each session no snapshot, or one that was stored for it.
async fn given<S: JournalStore>(stage: &Stage<S>, sessions: &[SessionId], kept: &[Vec<Snapshot>]) -> Checked {
    let absent = (SessionId::new("absent"), Vec::new());
    let sessions = sessions.iter().zip(kept).chain([(&absent.0, &absent.1)]);
    for (session, kept) in sessions {
        let Some(found) = snapshot(stage, session).await? else {
            continue;
        };
        if !kept.contains(&found) {
            let doing = format!("ask for the snapshot of session {:?}", session.as_str());
            let kept: Vec<_> = kept.iter().map(shown).collect();
            let expected = format!("none, or one of these: {kept:?}");
            return Err(Wrong::new(doing, &expected, &shown(&found)));
        }
    }
    Ok(())
}

pub(super) async fn of_the_past<S: JournalStore>(stage: Stage<S>) -> Checked {
    let (session, _) = stage.session("s", 3).await?;
    let absent = SessionId::new("absent");
    for (session, last) in [(&session, 3), (&absent, 0)] {
        for seq in [last + 1, last + 10, i64::MAX as u64, u64::MAX] {
            let _ = stage
                .journal()
                .keep_snapshot(session, Snapshot::new(Seq::new(seq), vec![1]))
                .await;
            if let Some(found) = snapshot(&stage, session).await?
                && found.seq.as_u64() > last
            {
                let doing = format!(
                    "keep a snapshot of session {:?} after entry {seq}, where entry {last} is the last, and ask for it",
                    session.as_str()
                );
                return Err(Wrong::new(doing, "none, or an earlier one", &shown(&found)));
            }
        }
    }
    Ok(())
}

pub(super) async fn change_nothing<S: JournalStore>(stage: Stage<S>) -> Checked {
    let (session, mut entries) = stage.session("s", 4).await?;
    let absent = SessionId::new("absent");
    for seq in [1, 4, 9] {
        for session in [&session, &absent] {
            let _ = stage
                .journal()
                .keep_snapshot(session, Snapshot::new(Seq::new(seq), vec![7]))
                .await;
        }
        stage.holds(&session, &entries).await?;
        stage.holds(&absent, &[]).await?;
        stage.lists(SessionFilter::All, &[&session]).await?;
        stage.lists(SessionFilter::Open, &[&session]).await?;
    }
    for after in [0, 3, 5, 9] {
        stage.refused(&session, after, 4).await?;
    }
    let more = said("more", 0..2);
    stage.appended(&session, 4, &more).await?;
    entries.extend(more);
    stage.holds(&session, &entries).await
}

async fn snapshot<S: JournalStore>(stage: &Stage<S>, session: &SessionId) -> Checked<Option<Snapshot>> {
    let doing = || format!("ask for the snapshot of session {:?}", session.as_str());
    let found = stage.journal().snapshot(session).await;
    found.map_err(|error| Wrong::error(doing(), &error))
}

fn shown(snapshot: &Snapshot) -> String {
    let (seq, state) = (snapshot.seq.as_u64(), &snapshot.state);
    let start = &state[..state.len().min(4)];
    format!("after entry {seq}: {} bytes, {start:02x?}…", state.len())
}
