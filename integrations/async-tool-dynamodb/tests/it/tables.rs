//! Creation of the tables.

use async_tool_dynamodb::StoreError;
use async_tool_runtime::journal::Claim;
use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};

use crate::fixture::{Place, texts, write};

#[tokio::test]
#[ignore = "needs the server of tests/aws/run"]
async fn tables_are_created_once_by_any_number_of_processes() {
    let place = Place::without_tables();
    let all = (0..4).map(|_| {
        let journal = place.open();
        async move { journal.create_tables().await }
    });
    for created in futures_util::future::join_all(all).await {
        created.unwrap();
    }
    let journal = place.open();
    let claim = Claim::new();
    write(&journal, &claim, "s", 0, &["a"]).await.unwrap();
    journal.create_tables().await.unwrap();
    assert_eq!(texts(&journal, "s").await, ["a"]);
}

#[tokio::test]
#[ignore = "needs the server of tests/aws/run"]
async fn a_table_with_other_keys_is_refused_and_left_as_it_is() {
    let place = Place::without_tables();
    let key = |kind| {
        KeySchemaElement::builder()
            .attribute_name("pk")
            .key_type(kind)
            .build()
            .unwrap()
    };
    let attribute = AttributeDefinition::builder()
        .attribute_name("pk")
        .attribute_type(ScalarAttributeType::N);
    let create = place
        .client()
        .create_table()
        .table_name(format!("{}-heads", place.prefix));
    let create = create
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key(KeyType::Hash));
    create
        .attribute_definitions(attribute.build().unwrap())
        .send()
        .await
        .unwrap();
    let error = place.open().create_tables().await.unwrap_err();
    assert!(matches!(&error, StoreError::OtherTable { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!(
            "the table {}-heads isn't a journal's, which needs the partition key pk (a string), and no sort key; give another prefix",
            place.prefix
        )
    );
}

#[tokio::test]
#[ignore = "needs the server of tests/aws/run"]
async fn the_template_makes_the_tables_of_a_journal() {
    let prefix = std::env::var("ASYNC_TOOL_DYNAMODB_TEMPLATE").expect("tests/aws/run deploys the template");
    let place = Place {
        prefix,
        ..Place::without_tables()
    };
    let (journal, claim) = (place.open(), Claim::new());
    // Without creating any: a missing one is an error here.
    assert_eq!(write(&journal, &claim, "s", 0, &["a"]).await.unwrap(), 1);
    // Their keys are right.
    journal.create_tables().await.unwrap();
    assert_eq!(texts(&journal, "s").await, ["a"]);
}
