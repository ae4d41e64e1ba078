//! The runtime's conformance suite for journals.

use std::{
    error::Error,
    sync::Mutex,
    time::{Duration, Instant},
};

use async_tool_dynamodb::DynamoJournal;
use async_tool_runtime::{
    Journal as _, SessionId,
    journal::{AppendError, Claim, Seq},
    testing::{JournalRule, JournalStore, JournalSuite},
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    fixture::{Place, endpoint, figure},
    proxy::{Fate, Proxy},
};

/// Rules that reopen the store after a kill, and so wait for leases.
const REOPENING: [JournalRule; 2] = [JournalRule::Reopening, JournalRule::KilledAppend];

/// Limit of each rule. One appends and reads 100,000 entries, and other tests use the same server.
const WITHIN: Duration = Duration::from_secs(400);

/// A pair of tables.
struct Store {
    place: Place,
    lease: Duration,
    /// Sessions that killed journals had.
    left: Mutex<Vec<SessionId>>,
}

impl Store {
    fn new(endpoint: &str, lease: Duration) -> Self {
        Self {
            place: Place::without_tables().through(endpoint),
            lease,
            left: Mutex::default(),
        }
    }
}

impl JournalStore for Store {
    type Journal = DynamoJournal;

    async fn open(&self) -> Result<DynamoJournal, Box<dyn Error + Send + Sync>> {
        let journal = self.place.open_for(self.lease);
        journal.create_tables().await?;
        // A killed journal's sessions are free when it was watched for its lease, and no sooner.
        let left = std::mem::take(&mut *self.left.lock().unwrap());
        for session in left {
            let claim = Claim::new();
            while let Err(error) = journal.append(&session, &claim, Seq::START, &[]).await {
                let AppendError::Taken {
                    retry_after: Some(left),
                } = error
                else {
                    return Err(error.into());
                };
                tokio::time::sleep(left / 4).await;
            }
            journal.release(&session, &claim).await?;
        }
        Ok(journal)
    }

    async fn kill(&self, journal: DynamoJournal) {
        let session = SessionId::new(format!("left {}", Uuid::new_v4()));
        let claim = Claim::new();
        journal.append(&session, &claim, Seq::START, &[]).await.unwrap();
        self.left.lock().unwrap().push(session);
        journal.abandon().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server of tests/aws/run"]
async fn the_journal_keeps_the_rules() {
    let begun = Instant::now();
    let rules: Vec<_> = JournalRule::ALL
        .iter()
        .copied()
        .filter(|rule| !REOPENING.contains(rule))
        .collect();
    let count = rules.len();
    let suite = JournalSuite::new(|| Store::new(&endpoint(), Duration::from_secs(10))).rules(rules);
    suite.within(WITHIN).run().await.unwrap();
    figure!("{count} rules in {:.0} s", begun.elapsed().as_secs_f64());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server of tests/aws/run"]
async fn the_journal_keeps_the_rules_of_reopening_after_kills() {
    let begun = Instant::now();
    let suite = JournalSuite::new(|| Store::new(&endpoint(), Duration::from_millis(500))).rules(REOPENING);
    suite.within(WITHIN).run().await.unwrap();
    figure!("{} rules in {:.0} s", REOPENING.len(), begun.elapsed().as_secs_f64());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the server of tests/aws/run"]
async fn a_journal_without_its_condition_breaks_the_rules() {
    let proxy = Proxy::start(&endpoint(), |request| {
        if request.operation == "TransactWriteItems" {
            for item in request.body["TransactItems"].as_array_mut().unwrap() {
                for operation in item.as_object_mut().unwrap().values_mut() {
                    let condition = operation["ConditionExpression"].as_str().unwrap_or_default();
                    // Always true, and with the same placeholders.
                    if !condition.is_empty() {
                        let mutant = format!("attribute_exists(pk) OR attribute_not_exists(pk) OR ({condition})");
                        operation["ConditionExpression"] = json!(mutant);
                    }
                }
            }
        }
        Fate::Pass
    })
    .await;
    let rules = [
        JournalRule::StaleFence,
        JournalRule::FutureFence,
        JournalRule::ConflictChangesNothing,
        JournalRule::OneWriterWins,
        JournalRule::OneClaim,
    ];
    let (count, through) = (rules.len(), proxy.endpoint.clone());
    let suite = JournalSuite::new(|| Store::new(&through, Duration::from_secs(10))).rules(rules);
    let broken = suite.within(WITHIN).run().await.unwrap_err();
    figure!("breaks {} of {count} rules", broken.broken().len());
    assert_eq!(broken.broken().len(), count, "{broken}");
}
