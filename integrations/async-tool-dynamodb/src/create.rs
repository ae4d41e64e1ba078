//! Creation of the two tables.

use std::time::Duration;

use aws_sdk_dynamodb::{
    error::SdkError,
    types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableDescription, TableStatus,
    },
};
use tokio::time::{Instant, sleep};

use crate::{StoreError, retry::persist, tables::Tables};

/// Time within which a new table has to become active. AWS needs some seconds.
const LIMIT: Duration = Duration::from_secs(180);
/// Pause between two looks at a new table.
const PAUSE: Duration = Duration::from_millis(500);

/// Keys of a table, by kind.
#[derive(Clone, Copy)]
enum Keys {
    Partition,
    PartitionAndSort,
}

impl Keys {
    fn definitions(self) -> Vec<(&'static str, KeyType, ScalarAttributeType)> {
        let mut keys = vec![("pk", KeyType::Hash, ScalarAttributeType::S)];
        if matches!(self, Self::PartitionAndSort) {
            keys.push(("sk", KeyType::Range, ScalarAttributeType::N));
        }
        keys
    }

    const fn needed(self) -> &'static str {
        match self {
            Self::Partition => "the partition key pk (a string), and no sort key",
            Self::PartitionAndSort => "the partition key pk (a string) and the sort key sk (a number)",
        }
    }

    fn are_of(self, table: &TableDescription) -> bool {
        let keys = self.definitions();
        table.key_schema().len() == keys.len()
            && keys.iter().all(|(name, kind, scalar)| {
                let key = table.key_schema().iter().find(|key| key.attribute_name() == *name);
                let attribute = table
                    .attribute_definitions()
                    .iter()
                    .find(|key| key.attribute_name() == *name);
                key.is_some_and(|key| key.key_type() == kind)
                    && attribute.is_some_and(|attribute| attribute.attribute_type() == scalar)
            })
    }
}

/// Creates the tables that don't exist, and waits until both can be used.
pub(crate) async fn create(tables: &Tables) -> Result<(), StoreError> {
    for (table, keys) in [(&tables.heads, Keys::Partition), (&tables.log, Keys::PartitionAndSort)] {
        // First asked for, so that a program that finds its tables needs no permission to create some.
        if describe(tables, table).await?.is_none() {
            begin(tables, table, keys).await?;
        }
    }
    for (table, keys) in [(&tables.heads, Keys::Partition), (&tables.log, Keys::PartitionAndSort)] {
        wait(tables, table, keys).await?;
    }
    Ok(())
}

async fn begin(tables: &Tables, table: &str, keys: Keys) -> Result<(), StoreError> {
    let mut create = tables
        .client
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest);
    for (name, kind, scalar) in keys.definitions() {
        let key = KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
        let attribute = AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(scalar)
            .build();
        create = create.key_schema(key.map_err(StoreError::other)?);
        create = create.attribute_definitions(attribute.map_err(StoreError::other)?);
    }
    match persist(tables.retry_for, || create.clone().send()).await {
        Ok(_) => Ok(()),
        // Another process was faster, or the answer to an earlier try was lost.
        Err(SdkError::ServiceError(refused)) if refused.err().is_resource_in_use_exception() => Ok(()),
        Err(error) => Err(StoreError::of(tables, error)),
    }
}

async fn wait(tables: &Tables, table: &str, keys: Keys) -> Result<(), StoreError> {
    let begun = Instant::now();
    loop {
        if let Some(found) = describe(tables, table).await? {
            if !keys.are_of(&found) {
                return Err(StoreError::OtherTable {
                    table: table.to_owned(),
                    needed: keys.needed(),
                });
            }
            // A table that is updated can be used.
            if [Some(&TableStatus::Active), Some(&TableStatus::Updating)].contains(&found.table_status()) {
                return Ok(());
            }
        }
        if begun.elapsed() > LIMIT {
            return Err(StoreError::other(format!(
                "the table {table} was not active after {} s; look for its status in the console",
                LIMIT.as_secs()
            )));
        }
        sleep(PAUSE).await;
    }
}

async fn describe(tables: &Tables, table: &str) -> Result<Option<TableDescription>, StoreError> {
    let describe = tables.client.describe_table().table_name(table);
    match persist(tables.retry_for, || describe.clone().send()).await {
        Ok(found) => Ok(found.table),
        Err(SdkError::ServiceError(refused)) if refused.err().is_resource_not_found_exception() => Ok(None),
        Err(error) => Err(StoreError::of(tables, error)),
    }
}
