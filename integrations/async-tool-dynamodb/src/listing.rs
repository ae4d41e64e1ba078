//! Lists of sessions.

use std::{collections::VecDeque, sync::Arc};

use async_tool_runtime::{
    SessionId,
    future::BoxStream,
    journal::{ReadError, SessionFilter},
};
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::stream;

use crate::{
    StoreError,
    key::Key,
    retry::persist,
    shared::Shared,
    tables::{Item, number, text_of},
};

/// Names of the sessions that have entries.
pub(crate) fn sessions<'a>(shared: &Arc<Shared>, filter: SessionFilter) -> BoxStream<'a, Result<SessionId, ReadError>> {
    let listing = Listing {
        shared: Arc::clone(shared),
        filter,
        names: VecDeque::new(),
        place: Place::Start,
    };
    Box::pin(stream::try_unfold(listing, |mut listing| async move {
        let next = listing.next().await?;
        Ok(next.map(|session| (session, listing)))
    }))
}

struct Listing {
    shared: Arc<Shared>,
    filter: SessionFilter,
    names: VecDeque<SessionId>,
    place: Place,
}

enum Place {
    Start,
    After(Item),
    End,
}

impl Listing {
    async fn next(&mut self) -> Result<Option<SessionId>, StoreError> {
        loop {
            if let Some(name) = self.names.pop_front() {
                return Ok(Some(name));
            }
            let start = match std::mem::replace(&mut self.place, Place::End) {
                Place::Start => None,
                Place::After(key) => Some(key),
                Place::End => return Ok(None),
            };
            self.place = self.page(start).await?;
        }
    }

    async fn page(&mut self, start: Option<Item>) -> Result<Place, StoreError> {
        let tables = &self.shared.tables;
        // Rows of owners have no number of entries, and sessions that were only taken have none yet.
        let mut scan = tables
            .client
            .scan()
            .table_name(&tables.heads)
            .consistent_read(true)
            .projection_expression("pk, #name")
            .expression_attribute_names("#name", "name")
            .expression_attribute_names("#last", "last")
            .expression_attribute_values(":zero", number(0))
            .set_exclusive_start_key(start);
        scan = match self.filter {
            SessionFilter::Open => scan
                .filter_expression("#last > :zero AND #open = :true")
                .expression_attribute_names("#open", "open")
                .expression_attribute_values(":true", AttributeValue::Bool(true)),
            _ => scan.filter_expression("#last > :zero"),
        };
        let page = persist(tables.retry_for, || scan.clone().send()).await;
        let page = page.map_err(|error| StoreError::of(tables, error))?;
        let names = page.items.unwrap_or_default();
        self.names = names
            .iter()
            .filter_map(|item| Key::session(&text_of(item, "pk")?, text_of(item, "name")))
            .collect();
        Ok(page.last_evaluated_key.map_or(Place::End, Place::After))
    }
}
