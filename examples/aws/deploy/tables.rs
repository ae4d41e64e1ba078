//! The tables.

use std::collections::HashMap;

use anyhow::Context as _;
use aws::{Cloud, fault};
use aws_sdk_dynamodb::{
    client::Waiters as _,
    types::{
        AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
        TimeToLiveSpecification,
    },
};
use std::time::Duration;

/// Longest wait for a table.
const WAIT: Duration = Duration::from_secs(120);
/// Orders of the shop: number, customer, article, cents.
const ORDERS: [(&str, &str, &str, &str); 5] = [
    ("o-17", "ann", "tea", "650"),
    ("o-18", "bob", "bread", "480"),
    ("o-19", "ann", "honey", "875"),
    ("o-20", "ann", "coffee", "1290"),
    ("o-21", "bob", "tea", "650"),
];

pub(crate) async fn create(cloud: &Cloud) -> anyhow::Result<()> {
    create_table(cloud, &cloud.names.orders()).await?;
    create_table(cloud, &cloud.names.received()).await?;
    forget_received(cloud).await?;
    for (id, customer, article, cents) in ORDERS {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let item = HashMap::from([
            ("id".to_owned(), text(id)),
            ("customer".to_owned(), text(customer)),
            ("article".to_owned(), text(article)),
            ("cents".to_owned(), AttributeValue::N(cents.to_owned())),
        ]);
        let put = cloud
            .dynamo
            .put_item()
            .table_name(cloud.names.orders())
            .set_item(Some(item));
        put.send()
            .await
            .map_err(|error| fault::tool_error(&cloud.place("table", &cloud.names.orders()), &error))?;
    }
    aws::journal(cloud)
        .create_tables()
        .await
        .context("the tables of the journal can't be created")?;
    println!(
        "tables:    {}, {}, and the journal's",
        cloud.names.orders(),
        cloud.names.received()
    );
    Ok(())
}

/// A table whose items have an `id`. It costs what is read and written, and nothing while it rests.
async fn create_table(cloud: &Cloud, name: &str) -> anyhow::Result<()> {
    let place = cloud.place("table", name);
    let created = cloud
        .dynamo
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(
            AttributeDefinition::builder()
                .attribute_name("id")
                .attribute_type(ScalarAttributeType::S)
                .build()?,
        )
        .key_schema(
            KeySchemaElement::builder()
                .attribute_name("id")
                .key_type(KeyType::Hash)
                .build()?,
        )
        .send()
        .await;
    if let Err(error) = created
        && !error
            .as_service_error()
            .is_some_and(|error| error.is_resource_in_use_exception())
    {
        return Err(fault::tool_error(&place, &error).into());
    }
    let exists = cloud.dynamo.wait_until_table_exists().table_name(name).wait(WAIT).await;
    exists.with_context(|| format!("{place} is not ready after {} s", WAIT.as_secs()))?;
    Ok(())
}

/// Marks of messages are deleted some days after the messages are.
async fn forget_received(cloud: &Cloud) -> anyhow::Result<()> {
    let name = cloud.names.received();
    let place = cloud.place("table", &name);
    let described = cloud.dynamo.describe_time_to_live().table_name(&name).send().await;
    let described = described.map_err(|error| fault::tool_error(&place, &error))?;
    if described
        .time_to_live_description
        .is_some_and(|time| time.attribute_name.is_some())
    {
        return Ok(());
    }
    let expires = TimeToLiveSpecification::builder()
        .attribute_name("expires")
        .enabled(true)
        .build()?;
    let updated = cloud
        .dynamo
        .update_time_to_live()
        .table_name(&name)
        .time_to_live_specification(expires);
    updated
        .send()
        .await
        .map_err(|error| fault::tool_error(&place, &error))?;
    Ok(())
}

pub(crate) async fn remove(cloud: &Cloud) -> anyhow::Result<()> {
    let journal = aws::journal(cloud).tables().map(str::to_owned);
    let names = [cloud.names.orders(), cloud.names.received()]
        .into_iter()
        .chain(journal);
    for name in names {
        let deleted = cloud.dynamo.delete_table().table_name(&name).send().await;
        match deleted {
            Ok(_) => println!("removed:   table {name}"),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_resource_not_found_exception()) => {}
            Err(error) => return Err(fault::tool_error(&cloud.place("table", &name), &error).into()),
        }
    }
    Ok(())
}
