//! Appends that don't fit into one item, or into one transaction.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_tool_runtime::{
    Journal as _, SessionId,
    journal::{AppendError, Claim, Seq},
};

use crate::{
    fixture::{Place, figure, read, release, said, texts, wait_for, write},
    proxy::{Fate, Late, Proxy},
};

const KILOBYTE: usize = 1024;
const MEGABYTE: usize = 1024 * KILOBYTE;

/// Number of items that are parts.
async fn parts(place: &Place) -> usize {
    place
        .keys("log")
        .await
        .iter()
        .filter(|key| key.starts_with("p:"))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server of tests/aws/run"]
async fn an_append_of_12_megabytes_is_one_append() {
    let place = Place::new().await;
    let (journal, claim, session) = (place.open(), Claim::new(), SessionId::new("s"));
    let entries = said((0..12).map(|number| format!("{number:02}").repeat(MEGABYTE / 2)));
    let begun = Instant::now();
    let last = journal.append(&session, &claim, Seq::START, &entries).await.unwrap();
    let (wrote, begun) = (begun.elapsed(), Instant::now());
    assert_eq!(last, Seq::new(12));
    assert!(read(&journal, "s").await == entries);
    let after = journal.read(&session, Seq::new(11));
    let tail: Vec<_> = futures_util::StreamExt::collect(after).await;
    assert_eq!(tail.len(), 1);
    figure!(
        "{} parts, written in {:.1} s and read in {:.1} s",
        parts(&place).await,
        wrote.as_secs_f64(),
        begun.elapsed().as_secs_f64()
    );
    assert_eq!(parts(&place).await, 33);
    assert_eq!(write(&journal, &claim, "s", 12, &["after"]).await.unwrap(), 13);
    assert!(place.head("s", "pending").await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server of tests/aws/run"]
async fn appends_of_sizes_around_the_limits_are_read_as_they_were_written() {
    let place = Place::new().await;
    let (journal, claim) = (place.open(), Claim::new());
    let mut expected = Vec::new();
    // The bytes of an entry beside its text.
    let overhead = serde_json::to_vec(&said([""])[0]).unwrap().len();
    for (limit, around) in [(380 * KILOBYTE, 2), (760 * KILOBYTE, 1), (2_900_000, 1)] {
        for size in limit - around..=limit + around {
            let text = "x".repeat(size - overhead);
            let after = expected.len() as u64;
            assert_eq!(write(&journal, &claim, "s", after, &[&text]).await.unwrap(), after + 1);
            expected.push(text);
        }
    }
    assert!(texts(&journal, "s").await == expected);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server of tests/aws/run"]
async fn a_large_append_that_is_refused_leaves_no_parts() {
    let place = Place::new().await;
    let (journal, claim, session) = (place.open(), Claim::new(), SessionId::new("s"));
    write(&journal, &claim, "s", 0, &["a"]).await.unwrap();
    let large = said((0..4).map(|_| "x".repeat(MEGABYTE)));
    let refused = journal.append(&session, &claim, Seq::new(7), &large).await.unwrap_err();
    assert!(matches!(refused, AppendError::Conflict { last } if last == Seq::new(1)));
    let other = place.open();
    let refused = other
        .append(&session, &Claim::new(), Seq::new(1), &large)
        .await
        .unwrap_err();
    assert!(matches!(refused, AppendError::Taken { .. }));
    assert_eq!(parts(&place).await, 0);
    assert_eq!(write(&journal, &claim, "s", 1, &["b"]).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server of tests/aws/run"]
async fn parts_of_a_writer_that_was_killed_are_removed_by_the_next_one() {
    let place = Place::new().await;
    let put = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&put);
    // The process hangs after some parts.
    let proxy = Proxy::start(&place.endpoint, move |request| {
        let is_part =
            request.operation == "PutItem" && request.body["Item"]["pk"]["S"].as_str().unwrap().starts_with("p:");
        match is_part && count.fetch_add(1, Ordering::SeqCst) >= 5 {
            true => Fate::LoseRequest,
            false => Fate::Pass,
        }
    })
    .await;
    let through = place.through(&proxy.endpoint);
    let killed = through
        .builder()
        .lease(Duration::from_millis(500))
        .retry_for(Duration::from_secs(60))
        .build();
    let (claim, session) = (Claim::new(), SessionId::new("s"));
    write(&killed, &claim, "s", 0, &["a"]).await.unwrap();
    let large = said((0..4).map(|_| "x".repeat(MEGABYTE)));
    {
        let mut append = Box::pin(killed.append(&session, &claim, Seq::new(1), &large));
        let waited = wait_for("five parts", async || parts(&place).await >= 5);
        tokio::select! {
            _ = &mut append => panic!("it can't end"),
            () = waited => {}
        }
    }
    killed.abandon().await;
    drop(proxy);

    let next = place.open_for(Duration::from_millis(500));
    let fresh = Claim::new();
    wait_for("the end of the lease", async || {
        write(&next, &fresh, "s", 1, &["b"]).await.is_ok()
    })
    .await;
    assert_eq!(texts(&next, "s").await, ["a", "b"]);
    assert_eq!(parts(&place).await, 0);
    assert!(place.head("s", "pending").await.is_none());
    release(&next, &fresh, "s").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server of tests/aws/run"]
async fn a_large_append_after_a_failed_one_of_the_same_writer_goes_through() {
    let place = Place::new().await;
    let put = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&put);
    let proxy = Proxy::start(&place.endpoint, move |request| {
        let is_part =
            request.operation == "PutItem" && request.body["Item"]["pk"]["S"].as_str().unwrap().starts_with("p:");
        // The fourth part is refused for good, once.
        match is_part && count.fetch_add(1, Ordering::SeqCst) == 3 {
            true => Fate::error(400, "AccessDeniedException"),
            false => Fate::Pass,
        }
    })
    .await;
    let journal = place.through(&proxy.endpoint).open();
    let (claim, session) = (Claim::new(), SessionId::new("s"));
    let large = said((0..4).map(|_| "x".repeat(MEGABYTE)));
    journal.append(&session, &claim, Seq::START, &large).await.unwrap_err();
    assert_eq!(
        journal.append(&session, &claim, Seq::START, &large).await.unwrap(),
        Seq::new(4)
    );
    assert!(read(&journal, "s").await == large);
    assert_eq!(parts(&place).await, 11);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server of tests/aws/run"]
async fn a_large_append_that_arrives_after_it_was_given_up_loses_no_entry() {
    // While its parts are removed, and after that.
    for is_early in [true, false] {
        let place = Place::new().await;
        let (late, transactions, deletions) = (Arc::<Late>::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        let proxy = Proxy::start(&place.endpoint, move |request| {
            let nth = |count: &AtomicUsize| count.fetch_add(1, Ordering::SeqCst);
            match &*request.operation {
                "TransactWriteItems" => match nth(&transactions) {
                    0 => Fate::PassLate(Arc::clone(&late)),
                    // The second one finds the parts, the third one comes after their removal.
                    2 if !is_early => Fate::PassAfter(Arc::clone(&late)),
                    _ => Fate::Pass,
                },
                "DeleteItem" if is_early && nth(&deletions) == 0 => Fate::PassAfter(Arc::clone(&late)),
                _ => Fate::Pass,
            }
        })
        .await;
        let journal = place
            .through(&proxy.endpoint)
            .builder()
            .retry_for(Duration::ZERO)
            .build();
        let (claim, session) = (Claim::new(), SessionId::new("s"));
        let large = said((0..4).map(|_| "x".repeat(MEGABYTE)));
        let given_up = journal.append(&session, &claim, Seq::START, &large).await.unwrap_err();
        assert!(matches!(given_up, AppendError::Unavailable(_)), "{given_up:?}");
        assert_eq!(write(&journal, &claim, "s", 0, &["b"]).await.unwrap(), 1);
        assert_eq!(texts(&place.open(), "s").await, ["b"]);
        assert_eq!(parts(&place).await, 0);
        assert!(place.head("s", "pending").await.is_none());
    }
}
