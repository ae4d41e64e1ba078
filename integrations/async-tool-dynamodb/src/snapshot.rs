//! Snapshots: at most one per session.
//!
//! The parts of a snapshot have two places. A new snapshot is written to the place that the last one doesn't have, and then named by
//! the item at 0. So a writer that is killed in the middle leaves the last snapshot as it was, and what it leaves is written over.

use std::sync::Arc;

use async_tool_runtime::{
    SessionId,
    journal::{AppendError, Seq, Snapshot},
};
use aws_sdk_dynamodb::{error::SdkError, types::AttributeValue};

use crate::{
    StoreError, append,
    key::{Key, digest},
    parts,
    retry::persist,
    shared::Shared,
    tables::{Item, Tables, number, number_of, text, text_of},
};

/// First numbers of the parts of the two places. 1,000 parts are 380 MB.
const PLACES: [u64; 2] = [1, 1_001];
/// Most parts of a snapshot.
const MOST: u64 = 1_000;

/// Replaces the previous snapshot. Skips one beyond the last entry, and one of a closed session, which is never resumed.
pub(crate) async fn keep(shared: &Arc<Shared>, session: &SessionId, snapshot: Snapshot) -> Result<(), AppendError> {
    let key = Key::new(session).map_err(StoreError::unavailable)?;
    let head = append::find(&shared.tables, &key)
        .await
        .map_err(StoreError::unavailable)?;
    let seq = snapshot.seq.as_u64();
    if head.last == 0 || seq > head.last || head.is_closed {
        return Ok(());
    }
    if let Some(owner) = &head.owner
        && shared.holds.owner_of(session).as_ref() != Some(owner)
        && let Some(left) = shared.ask(owner).await.map_err(StoreError::unavailable)?
    {
        return Err(AppendError::Taken {
            retry_after: Some(left),
        });
    }
    write(&shared.tables, &key, seq, &snapshot.state)
        .await
        .map_err(StoreError::unavailable)
}

async fn write(tables: &Tables, key: &Key, seq: u64, state: &[u8]) -> Result<(), StoreError> {
    let pk = key.snapshot();
    let before = find(tables, &pk).await?;
    let used = before.as_ref().and_then(|item| number_of(item, "place"));
    let place = if used == Some(PLACES[0]) { PLACES[1] } else { PLACES[0] };
    let count = parts::put(tables, &pk, place, state).await?;
    if count > MOST {
        return Err(StoreError::other("the snapshot is larger than 380 MB"));
    }
    let put = tables.client.put_item().table_name(&tables.log);
    let put = put.item("pk", text(&pk)).item("sk", number(0)).item("seq", number(seq));
    let put = put.item("place", number(place)).item("parts", number(count));
    // Two writers at once mix their parts. The sum tells.
    let put = put.item("sum", text(digest(state)));
    let put = put.condition_expression("attribute_not_exists(seq) OR seq <= :seq");
    let put = put.expression_attribute_values(":seq", number(seq));
    match persist(tables.retry_for, || put.clone().send()).await {
        Ok(_) => Ok(()),
        // A later one is there.
        Err(SdkError::ServiceError(refused)) if refused.err().is_conditional_check_failed_exception() => Ok(()),
        Err(error) => Err(StoreError::of(tables, error)),
    }
}

/// Reads the snapshot of a session, unless it is beyond the last entry or damaged. Without one, all entries are folded.
pub(crate) async fn read(shared: &Shared, session: &SessionId) -> Result<Option<Snapshot>, StoreError> {
    let (tables, key) = (&shared.tables, Key::new(session)?);
    let pk = key.snapshot();
    let Some(item) = find(tables, &pk).await? else {
        return Ok(None);
    };
    let numbers = ["seq", "place", "parts"].map(|name| number_of(&item, name));
    let ([Some(seq), Some(place), Some(count)], Some(sum)) = (numbers, text_of(&item, "sum")) else {
        return Ok(None);
    };
    let state = match count {
        0 => Some(Vec::new()),
        _ => parts::read(tables, &pk, place, count.min(MOST)).await?,
    };
    if append::find(tables, &key).await?.last < seq {
        return Ok(None);
    }
    let intact = state.filter(|state| digest(state) == sum);
    Ok(intact.map(|state| Snapshot::new(Seq::new(seq), state)))
}

/// Removes the snapshot of a session.
pub(crate) async fn remove(tables: &Tables, key: &Key) -> Result<(), StoreError> {
    let pk = key.snapshot();
    match find(tables, &pk).await? {
        Some(_) => parts::remove(tables, &pk).await,
        None => Ok(()),
    }
}

async fn find(tables: &Tables, pk: &str) -> Result<Option<Item>, StoreError> {
    let get = tables.client.get_item().table_name(&tables.log);
    let get = get
        .key("pk", text(pk))
        .key("sk", AttributeValue::N("0".into()))
        .consistent_read(true);
    let found = persist(tables.retry_for, || get.clone().send()).await;
    Ok(found.map_err(|error| StoreError::of(tables, error))?.item)
}
