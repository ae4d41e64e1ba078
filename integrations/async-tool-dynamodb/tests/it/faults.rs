//! Answers that are lost, throttled or refused.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_dynamodb::StoreError;
use async_tool_runtime::journal::{AppendError, Claim, SessionFilter};
use serde_json::{Value, json};

use crate::{
    fixture::{Place, figure, names, read, release, texts, why, write},
    proxy::{Fate, Proxy, Request},
};

const TRANSACT: &str = "TransactWriteItems";

/// Loses the answers to the first `count` transactions, and notes the tokens of all of them.
fn losing(count: usize, tokens: &Arc<Mutex<Vec<String>>>) -> impl Fn(&mut Request) -> Fate + Send + Sync + 'static {
    let (lost, tokens) = (AtomicUsize::new(0), Arc::clone(tokens));
    move |request| {
        if request.operation != TRANSACT {
            return Fate::Pass;
        }
        let token = request.body["ClientRequestToken"].as_str().unwrap().to_owned();
        tokens.lock().unwrap().push(token);
        match lost.fetch_add(1, Ordering::SeqCst) {
            lost if lost >= count => Fate::Pass,
            lost if lost % 2 == 0 => Fate::LoseAnswer,
            _ => Fate::HalfAnswer,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server of tests/aws/run"]
async fn an_append_whose_answers_are_lost_after_the_commit_is_there_once_and_ok() {
    let (place, tokens) = (Place::new().await, Arc::default());
    let proxy = Proxy::start(&place.endpoint, losing(3, &tokens)).await;
    let journal = place.through(&proxy.endpoint).open();
    let claim = Claim::new();
    assert_eq!(write(&journal, &claim, "s", 0, &["a", "b"]).await.unwrap(), 2);
    assert_eq!(texts(&place.open(), "s").await, ["a", "b"]);
    let sent = std::mem::take(&mut *tokens.lock().unwrap());
    assert_eq!(sent.len(), 4);
    assert!(sent.iter().all(|token| *token == sent[0]), "{sent:?}");
    // The session goes on.
    assert_eq!(write(&journal, &claim, "s", 2, &["c"]).await.unwrap(), 3);
    assert_eq!(texts(&journal, "s").await, ["a", "b", "c"]);
    figure!("1 append of {} requests", sent.len());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server of tests/aws/run"]
async fn an_append_whose_answer_is_lost_is_found_by_its_name_when_the_token_is_forgotten() {
    // A token counts for ten minutes. Another one for each request stands for a retry after that time.
    let place = Place::new().await;
    let lost = AtomicUsize::new(0);
    let proxy = Proxy::start(&place.endpoint, move |request| {
        if request.operation != TRANSACT {
            return Fate::Pass;
        }
        request.body["ClientRequestToken"] = json!(format!("token {}", request.number));
        match lost.fetch_add(1, Ordering::SeqCst) {
            0 => Fate::LoseAnswer,
            _ => Fate::Pass,
        }
    })
    .await;
    let journal = place.through(&proxy.endpoint).open();
    let claim = Claim::new();
    assert_eq!(write(&journal, &claim, "s", 0, &["a"]).await.unwrap(), 1);
    assert_eq!(texts(&journal, "s").await, ["a"]);
    assert!(claim.is_confirmed());
    // The same append again is a conflict: only its own answer may be lost.
    let again = write(&journal, &claim, "s", 0, &["a"]).await.unwrap_err();
    assert!(
        matches!(again, AppendError::Conflict { last } if last.as_u64() == 1),
        "{again:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server of tests/aws/run"]
async fn throttling_conflicts_and_lost_connections_cost_time_and_no_entry() {
    const APPENDS: u64 = 25;
    let place = Place::new().await;
    let injected = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&injected);
    let proxy = Proxy::start(&place.endpoint, move |request| {
        // Two of five requests, in an order that is the same in every run for one order of requests.
        let dice = (request.number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        if dice % 5 > 1 {
            return Fate::Pass;
        }
        count.fetch_add(1, Ordering::SeqCst);
        let is_transaction = request.operation == TRANSACT;
        match (dice / 5) % 10 {
            0 => Fate::error(400, "ThrottlingException"),
            1 => Fate::error(400, "ProvisionedThroughputExceededException"),
            2 => Fate::error(400, "RequestLimitExceeded"),
            3 => Fate::error(500, "InternalServerError"),
            4 => Fate::Answer(503, "<html>try later</html>".to_owned()),
            5 if is_transaction => Fate::cancelled(&["TransactionConflict", "None"]),
            6 if is_transaction => Fate::cancelled(&["None", "ThrottlingError"]),
            7 if is_transaction => Fate::error(400, "TransactionInProgressException"),
            5..=7 => Fate::error(400, "TransactionConflictException"),
            8 => Fate::LoseRequest,
            _ => Fate::LoseAnswer,
        }
    })
    .await;
    let through = place.through(&proxy.endpoint);
    let journal = through.builder().retry_for(Duration::from_secs(60)).build();
    let writers = (0..4).map(|writer| {
        let journal = journal.clone();
        tokio::spawn(async move {
            let (claim, session) = (Claim::new(), format!("s{writer}"));
            for after in 0..APPENDS {
                let text = format!("{writer} says {after}");
                assert_eq!(
                    write(&journal, &claim, &session, after, &[&text]).await.unwrap(),
                    after + 1
                );
            }
            assert_eq!(read(&journal, &session).await.len() as u64, APPENDS);
            release(&journal, &claim, &session).await;
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let direct = place.open();
    for writer in 0..4 {
        let expected: Vec<_> = (0..APPENDS).map(|after| format!("{writer} says {after}")).collect();
        assert_eq!(texts(&direct, &format!("s{writer}")).await, expected);
    }
    assert_eq!(names(&direct, SessionFilter::Open).await, ["s0", "s1", "s2", "s3"]);
    let injected = injected.load(Ordering::SeqCst);
    assert!(injected > 60, "{injected}");
    figure!(
        "{injected} faults in {} requests; {} appends, each once",
        proxy.asked(),
        4 * APPENDS
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server of tests/aws/run"]
async fn throttling_that_does_not_end_is_told_and_the_session_goes_on_afterwards() {
    let place = Place::new().await;
    let is_throttled = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let throttled = Arc::clone(&is_throttled);
    let proxy = Proxy::start(&place.endpoint, move |request| {
        match request.operation == TRANSACT && throttled.load(Ordering::SeqCst) {
            true => Fate::cancelled(&["TransactionConflict", "None"]),
            false => Fate::Pass,
        }
    })
    .await;
    let journal = place
        .through(&proxy.endpoint)
        .builder()
        .retry_for(Duration::from_millis(600))
        .build();
    let claim = Claim::new();
    let error = write(&journal, &claim, "s", 0, &["a"]).await.unwrap_err();
    let text = why(&error);
    assert!(
        text.starts_with(
            "the journal can't be written to: DynamoDB is too busy (TransactionCanceledException); try again"
        ),
        "{text}"
    );
    assert!(texts(&journal, "s").await.is_empty());
    is_throttled.store(false, Ordering::SeqCst);
    assert_eq!(write(&journal, &claim, "s", 0, &["a"]).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server of tests/aws/run"]
async fn an_append_of_one_kilobyte_costs_what_the_readme_says() {
    let place = Place::new().await;
    let units = Arc::new(Mutex::new(Vec::<Value>::new()));
    let noted = Arc::clone(&units);
    let proxy = Proxy::start(&place.endpoint, move |request| {
        noted.lock().unwrap().push(json!(request.operation));
        Fate::Pass
    })
    .await;
    let journal = place.through(&proxy.endpoint).open();
    let claim = Claim::new();
    // Around 1 KB with all names.
    let text = "x".repeat(850);
    assert_eq!(write(&journal, &claim, "session 7", 0, &[&text]).await.unwrap(), 1);
    units.lock().unwrap().clear();
    for after in 1..5 {
        write(&journal, &claim, "session 7", after, &[&text]).await.unwrap();
    }
    // One request for each append, and nothing else.
    assert_eq!(*units.lock().unwrap(), vec![json!(TRANSACT); 4]);

    // The sizes of the items decide about the price: two units for each kilobyte that is begun, of head and batch.
    let client = place.client();
    let mut total = 0;
    for (table, sort) in [("heads", None), ("log", Some(5))] {
        let key = aws_sdk_dynamodb::types::AttributeValue::S("s:session 7".to_owned());
        let get = client
            .get_item()
            .table_name(format!("{}-{table}", place.prefix))
            .key("pk", key);
        let sort = sort.map(|sort: u64| aws_sdk_dynamodb::types::AttributeValue::N(sort.to_string()));
        let get = match sort {
            Some(sort) => get.key("sk", sort),
            None => get,
        };
        let item = get.send().await.unwrap().item.unwrap();
        let size: usize = item.iter().map(|(name, value)| name.len() + size_of(value)).sum();
        total += 2 * size.div_ceil(1024);
    }
    assert_eq!(total, 4);
    figure!("{total} write units, 1 request");
}

/// Size of an attribute, as DynamoDB counts it.
fn size_of(value: &aws_sdk_dynamodb::types::AttributeValue) -> usize {
    use aws_sdk_dynamodb::types::AttributeValue;
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(digits) => digits.len() / 2 + 2,
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::Bool(_) => 1,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server of tests/aws/run"]
async fn tables_that_were_restored_to_different_moments_are_noticed() {
    let place = Place::new().await;
    let (journal, claim) = (place.open(), Claim::new());
    for after in 0..3 {
        write(&journal, &claim, "s", after, &["a"]).await.unwrap();
    }
    release(&journal, &claim, "s").await;
    // The table of sessions is older than that of entries.
    let client = place.client();
    let key = || aws_sdk_dynamodb::types::AttributeValue::S("s:s".to_owned());
    let set = |last: &str| {
        let update = client
            .update_item()
            .table_name(format!("{}-heads", place.prefix))
            .key("pk", key());
        let update = update
            .update_expression("SET #last = :last")
            .expression_attribute_names("#last", "last");
        let last = aws_sdk_dynamodb::types::AttributeValue::N(last.to_owned());
        update.expression_attribute_values(":last", last).send()
    };
    set("2").await.unwrap();
    let error = write(&journal, &claim, "s", 2, &["b"]).await.unwrap_err();
    assert!(
        why(&error).contains("goes on after entry 2 of session \"s\", where the table of sessions ends"),
        "{}",
        why(&error)
    );
    // And the other way round.
    set("5").await.unwrap();
    let session = "s".into();
    let read: Vec<_> = {
        use futures_util::StreamExt as _;
        let stream = async_tool_runtime::Journal::read(&journal, &session, async_tool_runtime::journal::Seq::START);
        stream.collect().await
    };
    assert_eq!(read.len(), 4);
    let error = read.into_iter().last().unwrap().unwrap_err();
    let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<StoreError>());
    assert!(
        matches!(cause, Some(StoreError::Missing { seq, .. }) if seq.as_u64() == 4),
        "{error:?}"
    );
}
