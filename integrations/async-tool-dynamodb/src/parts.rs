//! Bytes that don't fit into one item, as items with the same partition key.

use aws_sdk_dynamodb::{primitives::Blob, types::Put};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    StoreError,
    batch::PART,
    retry::persist,
    tables::{Item, Tables, bytes_of, number, number_of, text},
};

/// Number of parts that are written or removed at the same time.
const AT_ONCE: usize = 4;

/// Item of one part.
fn item(key: &str, place: u64, bytes: &[u8]) -> Item {
    let bytes = aws_sdk_dynamodb::types::AttributeValue::B(Blob::new(bytes));
    [("pk", text(key)), ("sk", number(place)), ("bytes", bytes)]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

/// Parts as operations of a transaction.
pub(crate) fn puts(tables: &Tables, key: &str, bytes: &[u8]) -> Result<Vec<Put>, StoreError> {
    let parts = (0..).zip(bytes.chunks(PART));
    let puts = parts.map(|(place, part)| {
        let put = Put::builder()
            .table_name(&tables.log)
            .set_item(Some(item(key, place, part)));
        put.build().map_err(StoreError::other)
    });
    puts.collect()
}

/// Writes parts, the first with the number `first`. Returns how many there are.
pub(crate) async fn put(tables: &Tables, key: &str, first: u64, bytes: &[u8]) -> Result<u64, StoreError> {
    let parts = (first..).zip(bytes.chunks(PART));
    let puts: Vec<_> = parts
        .map(|(place, part)| put_one(tables.clone(), item(key, place, part)))
        .collect();
    let count = puts.len() as u64;
    stream::iter(puts).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    Ok(count)
}

async fn put_one(tables: Tables, item: Item) -> Result<(), StoreError> {
    let put = tables.client.put_item().table_name(&tables.log).set_item(Some(item));
    let put = persist(tables.retry_for, || put.clone().send()).await;
    put.map(drop).map_err(|error| StoreError::of(&tables, error))
}

/// Reads `count` parts from number `first` on; `None` if one is missing.
pub(crate) async fn read(tables: &Tables, key: &str, first: u64, count: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let (mut bytes, mut next, mut start) = (Vec::new(), first, None);
    while next < first + count {
        let query = tables.client.query().table_name(&tables.log).consistent_read(true);
        let query = query.key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last");
        let query = query.expression_attribute_values(":pk", text(key));
        let query = query.expression_attribute_values(":first", number(first));
        let query = query.expression_attribute_values(":last", number(first + count - 1));
        let query = query.set_exclusive_start_key(start.take());
        let page = persist(tables.retry_for, || query.clone().send()).await;
        let page = page.map_err(|error| StoreError::of(tables, error))?;
        for mut item in page.items.unwrap_or_default() {
            let (place, part) = (number_of(&item, "sk"), bytes_of(&mut item, "bytes"));
            let (true, Some(part)) = (place == Some(next), part) else {
                return Ok(None);
            };
            bytes.extend_from_slice(&part);
            next += 1;
        }
        match page.last_evaluated_key {
            Some(key) => start = Some(key),
            None => break,
        }
    }
    Ok((next == first + count).then_some(bytes))
}

/// Removes all parts of a key.
pub(crate) async fn remove(tables: &Tables, key: &str) -> Result<(), StoreError> {
    let mut start = None;
    loop {
        let query = tables.client.query().table_name(&tables.log).consistent_read(true);
        let query = query
            .key_condition_expression("pk = :pk")
            .projection_expression("pk, sk");
        let query = query.expression_attribute_values(":pk", text(key));
        let query = query.set_exclusive_start_key(start.take());
        let page = persist(tables.retry_for, || query.clone().send()).await;
        let page = page.map_err(|error| StoreError::of(tables, error))?;
        let found = page.items.unwrap_or_default().into_iter();
        let removals: Vec<_> = found.map(|key| remove_one(tables.clone(), key)).collect();
        stream::iter(removals)
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        match page.last_evaluated_key {
            Some(key) => start = Some(key),
            None => return Ok(()),
        }
    }
}

async fn remove_one(tables: Tables, key: Item) -> Result<(), StoreError> {
    let delete = tables.client.delete_item().table_name(&tables.log).set_key(Some(key));
    let delete = persist(tables.retry_for, || delete.clone().send()).await;
    delete.map(drop).map_err(|error| StoreError::of(&tables, error))
}
