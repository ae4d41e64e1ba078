//! Bytes of images, sounds and files, beside the entries that name them by their SHA-256.

use std::sync::Arc;

use async_tool_runtime::SessionId;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    StoreError,
    key::{Key, digest},
    parts,
    retry::persist,
    tables::{Tables, number, number_of, text},
};

/// Keeps bytes of a session, once, and returns their name.
///
/// The item at 0 says how many parts there are. It is written after them, so it proves that they are durable.
pub(crate) async fn put(tables: &Tables, session: &SessionId, bytes: &[u8]) -> Result<Arc<str>, StoreError> {
    let name = digest(bytes);
    let pk = Key::new(session)?.blob(&name);
    if count(tables, &pk).await?.is_none() {
        let count = parts::put(tables, &pk, 1, bytes).await?;
        let put = tables.client.put_item().table_name(&tables.log);
        let put = put
            .item("pk", text(&pk))
            .item("sk", number(0))
            .item("parts", number(count));
        let put = persist(tables.retry_for, || put.clone().send()).await;
        put.map_err(|error| StoreError::of(tables, error))?;
    }
    Ok(name.into())
}

/// Finds the bytes of this name; `None` if there are none, or damaged ones.
pub(crate) async fn find(tables: &Tables, session: &SessionId, name: &str) -> Result<Option<Arc<[u8]>>, StoreError> {
    if name.len() != 64 || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let pk = Key::new(session)?.blob(name);
    let bytes = match count(tables, &pk).await? {
        None => None,
        Some(0) => Some(Vec::new()),
        Some(count) => parts::read(tables, &pk, 1, count).await?,
    };
    Ok(bytes.filter(|bytes| digest(bytes) == name).map(Arc::from))
}

async fn count(tables: &Tables, pk: &str) -> Result<Option<u64>, StoreError> {
    let get = tables.client.get_item().table_name(&tables.log);
    let get = get
        .key("pk", text(pk))
        .key("sk", AttributeValue::N("0".into()))
        .consistent_read(true);
    let found = persist(tables.retry_for, || get.clone().send()).await;
    let found = found.map_err(|error| StoreError::of(tables, error))?;
    Ok(found.item.and_then(|item| number_of(&item, "parts")))
}
