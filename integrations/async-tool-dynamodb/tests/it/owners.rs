//! Sessions that change hands, and owners that hang.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use async_tool_dynamodb::DynamoJournal;
use async_tool_runtime::{
    Journal as _, SessionId,
    journal::{AppendError, Claim, Seq},
};

use crate::{
    fixture::{Place, figure, release, texts, wait_for, write},
    proxy::{Fate, Proxy},
};

/// Long enough for a machine that is busy with other tests.
const LEASE: Duration = Duration::from_secs(2);

/// Takes the session, or says for how long its owner has to be silent.
async fn take(journal: &DynamoJournal, claim: &Claim, session: &str, after: u64) -> Result<(), Option<Duration>> {
    let taken = journal
        .append(&SessionId::new(session), claim, Seq::new(after), &[])
        .await;
    match taken {
        Ok(_) => Ok(()),
        Err(AppendError::Taken { retry_after }) => Err(retry_after),
        Err(error) => panic!("{error:?}"),
    }
}

/// Number of rows of owners.
async fn owners(place: &Place) -> usize {
    place
        .keys("heads")
        .await
        .iter()
        .filter(|key| key.starts_with("o:"))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server of tests/aws/run"]
async fn a_live_owner_keeps_its_session_for_many_leases() {
    let place = Place::new().await;
    let (owner, other) = (place.open_for(LEASE), place.open_for(LEASE));
    let (claim, rival) = (Claim::new(), Claim::new());
    write(&owner, &claim, "s", 0, &["a"]).await.unwrap();
    let begun = Instant::now();
    while begun.elapsed() < 3 * LEASE {
        let left = take(&other, &rival, "s", 1).await.unwrap_err();
        assert!(left.is_some_and(|left| left <= LEASE), "{left:?}");
        tokio::time::sleep(LEASE / 10).await;
    }
    assert!(claim.is_confirmed() && !claim.is_lost() && !rival.is_confirmed());
    assert_eq!(write(&owner, &claim, "s", 1, &["b"]).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server of tests/aws/run"]
async fn a_killed_owners_session_is_free_after_its_lease_and_no_sooner() {
    let place = Place::new().await;
    let (killed, next) = (place.open_for(LEASE), place.open_for(LEASE));
    let (claim, heir) = (Claim::new(), Claim::new());
    write(&killed, &claim, "s", 0, &["a"]).await.unwrap();
    write(&killed, &claim, "t", 0, &["a"]).await.unwrap();
    killed.abandon().await;
    let begun = Instant::now();
    let mut said = Vec::new();
    while let Err(left) = take(&next, &heir, "s", 1).await {
        said.push(left.unwrap());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let passed = begun.elapsed();
    assert!(said[0] == LEASE && passed >= LEASE, "{:?} {passed:?}", said[0]);
    // Its other sessions are free at once, for all processes.
    take(&place.open_for(LEASE), &Claim::new(), "t", 1).await.unwrap();
    assert_eq!(write(&next, &heir, "s", 1, &["b"]).await.unwrap(), 2);
    figure!("free after {:.2} leases", passed.as_secs_f64() / LEASE.as_secs_f64());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server of tests/aws/run"]
async fn an_owner_that_hung_loses_the_sessions_that_were_taken_and_keeps_the_others() {
    let place = Place::new().await;
    // No request of the owner arrives while it hangs.
    let hangs = Arc::new(AtomicBool::new(false));
    let is_hanging = Arc::clone(&hangs);
    let proxy = Proxy::start(&place.endpoint, move |_| match is_hanging.load(Ordering::SeqCst) {
        true => Fate::LoseRequest,
        false => Fate::Pass,
    })
    .await;
    let through = place.through(&proxy.endpoint);
    let hung = through
        .builder()
        .lease(LEASE)
        .retry_for(Duration::from_millis(100))
        .build();
    let (lost, kept) = (Claim::new(), Claim::new());
    write(&hung, &lost, "lost", 0, &["a"]).await.unwrap();
    write(&hung, &kept, "kept", 0, &["a"]).await.unwrap();
    hangs.store(true, Ordering::SeqCst);

    let (next, heir) = (place.open_for(LEASE), Claim::new());
    wait_for("the end of the lease", async || {
        take(&next, &heir, "lost", 1).await.is_ok()
    })
    .await;
    assert!(!lost.is_confirmed() && !lost.is_lost());
    write(&next, &heir, "lost", 1, &["b"]).await.unwrap();

    hangs.store(false, Ordering::SeqCst);
    // At its next sign of life, without an append.
    wait_for("the loss", async || lost.is_lost()).await;
    wait_for("the confirmation", async || kept.is_confirmed()).await;
    assert!(!kept.is_lost());
    let refused = write(&hung, &lost, "lost", 1, &["late"]).await.unwrap_err();
    assert!(matches!(refused, AppendError::Taken { .. }), "{refused:?}");
    assert_eq!(write(&hung, &kept, "kept", 1, &["b"]).await.unwrap(), 2);
    assert!(take(&next, &heir, "kept", 2).await.is_err());
    assert_eq!(texts(&next, "lost").await, ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server of tests/aws/run"]
async fn a_robbed_owner_that_appends_first_is_refused_as_a_whole_and_told() {
    let place = Place::new().await;
    let (hung, next) = (place.open_for(Duration::from_secs(60)), place.open_for(LEASE));
    let (claim, heir) = (Claim::new(), Claim::new());
    write(&hung, &claim, "s", 0, &["a"]).await.unwrap();
    // Its row is gone, as after a whole lease of silence.
    for key in place
        .keys("heads")
        .await
        .into_iter()
        .filter(|key| key.starts_with("o:"))
    {
        let delete = place
            .client()
            .delete_item()
            .table_name(format!("{}-heads", place.prefix));
        delete
            .key("pk", aws_sdk_dynamodb::types::AttributeValue::S(key))
            .send()
            .await
            .unwrap();
    }
    take(&next, &heir, "s", 1).await.unwrap();
    let refused = write(&hung, &claim, "s", 1, &["late"]).await.unwrap_err();
    assert!(matches!(refused, AppendError::Taken { .. }), "{refused:?}");
    assert!(claim.is_lost());
    assert_eq!(texts(&next, "s").await, ["a"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server of tests/aws/run"]
async fn a_session_is_free_once_its_claim_is_dropped() {
    let place = Place::new().await;
    let (first, second) = (place.open_for(LEASE), place.open_for(LEASE));
    let (claim, heir) = (Claim::new(), Claim::new());
    write(&first, &claim, "s", 0, &["a"]).await.unwrap();
    assert!(take(&second, &heir, "s", 1).await.is_err());
    drop(claim);
    let begun = Instant::now();
    wait_for("the release", async || take(&second, &heir, "s", 1).await.is_ok()).await;
    assert!(begun.elapsed() < LEASE, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server of tests/aws/run"]
async fn a_journal_without_a_session_leaves_no_row_behind() {
    let place = Place::new().await;
    let (journal, claim) = (place.open(), Claim::new());
    write(&journal, &claim, "s", 0, &["a"]).await.unwrap();
    take(&journal, &claim, "empty", 0).await.unwrap();
    assert_eq!(owners(&place).await, 1);
    release(&journal, &claim, "s").await;
    assert_eq!(owners(&place).await, 1);
    release(&journal, &claim, "empty").await;
    // A session that was only taken leaves nothing either.
    assert_eq!(place.keys("heads").await, ["s:s"]);

    // Nor does a closed journal, or a dropped one.
    write(&journal, &claim, "s", 1, &["b"]).await.unwrap();
    journal.close().await.unwrap();
    assert_eq!(owners(&place).await, 0);
    let (dropped, claim) = (place.open(), Claim::new());
    write(&dropped, &claim, "s", 2, &["c"]).await.unwrap();
    drop(dropped);
    wait_for("the end of the row", async || owners(&place).await == 0).await;
    take(&place.open(), &Claim::new(), "s", 3).await.unwrap();
}
