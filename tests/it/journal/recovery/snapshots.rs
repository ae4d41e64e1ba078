//! Snapshots of long sessions.

use std::time::Duration;

use async_tool_runtime::{AsyncAgent, Effect, SessionId, agent::Ledger, journal::Snapshot};

use super::process::{Seen, caller, check, entries, kept, listener, stuck};
use crate::stand::{FailingJournal, manager};

#[tokio::test(start_paused = true)]
async fn a_long_session_is_resumed_from_its_last_snapshot() {
    let (kept, seen) = (kept(), Seen::default());
    let journal = FailingJournal::of(&kept).snapshot_every(20);
    let tools = || [stuck("look", Effect::Read, &seen)];
    let builder = AsyncAgent::builder(caller(&["look"]), manager(tools()));
    let agent = builder.journal(journal.clone()).session("s").start().await.unwrap();
    for _ in 0..100 {
        agent.send("go on").await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let before = agent.transcript().await.unwrap();
    let snapshot = journal.snapshots().pop().unwrap();
    let folded = Ledger::fold(&entries(&kept)[..usize::try_from(snapshot.seq.as_u64()).unwrap()]).unwrap();
    assert_eq!(Ledger::from_snapshot(&snapshot), Some(folded));

    let resume = || {
        kept.expire(&SessionId::new("s"));
        let builder = AsyncAgent::builder(listener(), manager(tools()));
        builder.journal(journal.clone()).session("s").resume()
    };
    let written = entries(&kept).len();
    let again = resume().await.unwrap();
    let read = journal.take_read();
    assert!(
        read > 0 && read <= written / 4 + 20,
        "{read} of {written} entries are read"
    );
    assert_eq!(again.transcript().await.unwrap()[..before.len()], before[..]);
    again.run_until_idle().await.unwrap();
    check(&kept);

    // A snapshot that can't be read does no harm.
    journal.add_snapshot(Snapshot::new(snapshot.seq, b"{\"format\":99}".to_vec()));
    let written = entries(&kept).len();
    let again = resume().await.unwrap();
    assert_eq!(journal.take_read(), written);
    again.run_until_idle().await.unwrap();
    check(&kept);
}
