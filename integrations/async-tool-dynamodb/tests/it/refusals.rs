//! Failures that a person has to mend: each is one clear line, at once.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use async_tool_dynamodb::{DynamoJournal, StoreError};
use async_tool_runtime::{
    Journal as _,
    journal::{AppendError, Claim, Seq},
};
use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError, future};
use aws_sdk_dynamodb::{Client, config::Region};

use crate::{
    fixture::{Place, settings, why, write},
    proxy::{Fate, Proxy},
};

/// A chain of providers that finds nothing.
#[derive(Debug)]
struct Nothing;

impl ProvideCredentials for Nothing {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded(
            "no providers in chain provided credentials",
        )))
    }
}

fn cause(error: &AppendError) -> &StoreError {
    error.source().and_then(|cause| cause.downcast_ref()).unwrap()
}

#[tokio::test]
async fn missing_credentials_are_one_line_that_says_how_to_set_them() {
    // No request leaves this process, so any address will do.
    let begun = Instant::now();
    let client = Client::from_conf(settings("http://127.0.0.1:9").credentials_provider(Nothing).build());
    let journal = DynamoJournal::new(client, "agents");
    let error = write(&journal, &Claim::new(), "s", 0, &["a"]).await.unwrap_err();
    assert!(matches!(cause(&error), StoreError::NoCredentials { .. }), "{error:?}");
    assert_eq!(
        cause(&error).to_string(),
        "there are no AWS credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or give the machine a role"
    );
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_with_the_region_after_the_time_for_retries() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let client = crate::fixture::client(&format!("http://{closed}"));
    let limit = Duration::from_millis(400);
    let journal = DynamoJournal::builder(client).retry_for(limit).build();
    let begun = Instant::now();
    let error = write(&journal, &Claim::new(), "s", 0, &["a"]).await.unwrap_err();
    assert!(matches!(cause(&error), StoreError::Unreachable { .. }), "{error:?}");
    let text = cause(&error).to_string();
    assert!(
        text.starts_with("DynamoDB doesn't answer in region us-east-1; check the region and the network: "),
        "{text}"
    );
    assert!(text.contains("refused"), "{text}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_client_without_a_region_is_told() {
    let credentials = aws_sdk_dynamodb::config::Credentials::new("test", "test", None, None, "test");
    let config = aws_sdk_dynamodb::config::Config::builder()
        .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
        .credentials_provider(credentials)
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    let journal = DynamoJournal::new(Client::from_conf(config.build()), "agents");
    let error = write(&journal, &Claim::new(), "s", 0, &["a"]).await.unwrap_err();
    assert!(matches!(cause(&error), StoreError::NoRegion), "{error:?}");
    assert_eq!(
        cause(&error).to_string(),
        "there is no AWS region; set AWS_REGION, or a region in the profile"
    );
}

#[tokio::test]
#[ignore = "needs the server of tests/aws/run"]
async fn a_missing_table_is_one_line_with_its_name_and_region() {
    let place = Place::without_tables();
    let error = write(&place.open(), &Claim::new(), "s", 0, &["a"]).await.unwrap_err();
    let expected = format!(
        "the tables {0}-heads and {0}-log don't both exist in region us-east-1; create them with `DynamoJournal::create_tables`, or set \
         AWS_REGION to their region",
        place.prefix
    );
    assert_eq!(cause(&error).to_string(), expected);

    // The tables of another region.
    let place = Place::new().await;
    let credentials = aws_sdk_dynamodb::config::Credentials::new("test", "test", None, None, "test");
    let config = settings(&place.endpoint)
        .region(Region::new("eu-central-1"))
        .credentials_provider(credentials);
    let journal = DynamoJournal::new(Client::from_conf(config.build()), &place.prefix);
    let error = write(&journal, &Claim::new(), "s", 0, &["a"]).await.unwrap_err();
    assert!(
        why(&error).contains("don't both exist in region eu-central-1"),
        "{}",
        why(&error)
    );
    let error = futures_util::StreamExt::next(&mut journal.read(&"s".into(), Seq::START))
        .await
        .unwrap()
        .unwrap_err();
    assert!(
        why(&error).contains("don't both exist in region eu-central-1"),
        "{}",
        why(&error)
    );
}

#[tokio::test]
#[ignore = "needs the server of tests/aws/run"]
async fn a_missing_permission_is_told_at_once_in_the_words_of_aws() {
    let place = Place::new().await;
    let proxy = Proxy::start(&place.endpoint, |request| match &*request.operation {
        "TransactWriteItems" => Fate::error(400, "AccessDeniedException"),
        _ => Fate::Pass,
    })
    .await;
    let journal = place.through(&proxy.endpoint).open();
    let error = write(&journal, &Claim::new(), "s", 0, &["a"]).await.unwrap_err();
    assert_eq!(
        cause(&error).to_string(),
        "DynamoDB refused the request (AccessDeniedException): injected: AccessDeniedException"
    );
    // The owner's row, and one try.
    assert_eq!(proxy.asked(), 2);
}
