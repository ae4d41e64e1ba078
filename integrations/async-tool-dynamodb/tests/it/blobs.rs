//! Bytes of media, and snapshots.

use std::sync::Arc;

use async_tool_runtime::{
    Journal as _, SessionId,
    journal::{Claim, Entry, Seq, Snapshot},
    task::Timestamp,
};
use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};

use crate::fixture::{Place, release, write};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server of tests/aws/run"]
async fn bytes_of_any_size_are_kept_once_for_each_session_and_returned() {
    let place = Place::new().await;
    let (journal, session, other) = (place.open(), SessionId::new("s"), SessionId::new("other"));
    for size in [0, 1, 389_120, 389_121, 2_000_000] {
        let bytes: Arc<[u8]> = (0..size).map(|place| (place % 251) as u8).collect();
        let name = journal.put_blob(&session, &bytes).await.unwrap().unwrap();
        let items = place.keys("log").await.len();
        assert_eq!(journal.put_blob(&session, &bytes).await.unwrap().unwrap(), name);
        assert_eq!(place.keys("log").await.len(), items);
        assert!(
            journal.blob(&session, &name).await.unwrap().as_deref() == Some(&*bytes),
            "{size}"
        );
        assert!(journal.blob(&other, &name).await.unwrap().is_none());
    }
    for name in ["", "no digest", &"0".repeat(64), &"é".repeat(32)] {
        assert!(journal.blob(&session, name).await.unwrap().is_none(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server of tests/aws/run"]
async fn damaged_bytes_are_not_returned() {
    let place = Place::new().await;
    let (journal, session) = (place.open(), SessionId::new("s"));
    let bytes: Arc<[u8]> = vec![7; 1_000].into();
    let name = journal.put_blob(&session, &bytes).await.unwrap().unwrap();
    let key = place
        .keys("log")
        .await
        .into_iter()
        .find(|key| key.starts_with("b:"))
        .unwrap();
    let put = place.client().put_item().table_name(format!("{}-log", place.prefix));
    let put = put
        .item("pk", AttributeValue::S(key))
        .item("sk", AttributeValue::N("1".to_owned()));
    put.item("bytes", AttributeValue::B(Blob::new(vec![8; 1_000])))
        .send()
        .await
        .unwrap();
    assert!(journal.blob(&session, &name).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server of tests/aws/run"]
async fn a_snapshot_is_replaced_by_a_later_one_and_gone_when_the_session_is_closed() {
    let place = Place::new().await;
    let (journal, claim, session) = (place.open(), Claim::new(), SessionId::new("s"));
    for after in 0..6 {
        write(&journal, &claim, "s", after, &["a"]).await.unwrap();
    }
    let of = |seq: u64, size: usize| Snapshot::new(Seq::new(seq), vec![seq as u8; size]);
    for (seq, size) in [(2, 900_000), (3, 0), (4, 500_000), (5, 10)] {
        journal.keep_snapshot(&session, of(seq, size)).await.unwrap();
        assert_eq!(journal.snapshot(&session).await.unwrap(), Some(of(seq, size)));
    }
    // A late one of a slower writer.
    journal.keep_snapshot(&session, of(4, 20)).await.unwrap();
    assert_eq!(journal.snapshot(&session).await.unwrap(), Some(of(5, 10)));
    // Another process can't keep one while this one has the session.
    assert!(place.open().keep_snapshot(&session, of(6, 1)).await.is_err());
    release(&journal, &claim, "s").await;
    place.open().keep_snapshot(&session, of(6, 1)).await.unwrap();
    assert_eq!(journal.snapshot(&session).await.unwrap(), Some(of(6, 1)));

    let closed = Entry::Closed {
        at: Timestamp::from_millis(1),
    };
    journal.append(&session, &claim, Seq::new(6), &[closed]).await.unwrap();
    assert_eq!(journal.snapshot(&session).await.unwrap(), None);
    assert!(place.keys("log").await.iter().all(|key| key == "s:s"));
    journal.keep_snapshot(&session, of(7, 1)).await.unwrap();
    assert_eq!(journal.snapshot(&session).await.unwrap(), None);
}
