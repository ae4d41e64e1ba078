//! Marks of messages that may come twice.

use std::{collections::HashMap, future::poll_fn, time::Duration};

use async_tool_runtime::{
    Journal, SessionId, ToolError, ToolErrorKind,
    journal::{Entry, Seq},
};
use aws_sdk_dynamodb::types::AttributeValue;

use crate::{Cloud, fault, now};

/// Time after which a mark is deleted. A queue keeps messages for 14 days at most.
const KEPT: Duration = Duration::from_secs(15 * 24 * 3600);

/// Mark of a user's message. Queues deliver a message again if its handler dies, and the user said it once.
///
/// The mark has the place of the session's last entry before the message was told to the agent. So a later attempt finds in the journal if the
/// first one got so far.
#[derive(Clone, Debug)]
pub struct Mark {
    cloud: Cloud,
    id: String,
}

impl Mark {
    /// Mark of the message with this id.
    #[must_use]
    pub fn new(cloud: &Cloud, id: impl Into<String>) -> Self {
        Self {
            cloud: cloud.clone(),
            id: id.into(),
        }
    }

    /// True if an earlier attempt has told the agent this text. Otherwise marks the message; then tell it.
    ///
    /// The caller must have the session, whose last entry is `last`.
    ///
    /// # Errors
    ///
    /// [`ToolError`] if the table or the journal can't be asked.
    pub async fn was_told(
        &self,
        journal: &dyn Journal,
        session: &SessionId,
        last: Seq,
        text: &str,
    ) -> Result<bool, ToolError> {
        let table = self.cloud.names.received();
        let place = self.cloud.place("table", &table);
        // Two sessions may have messages of the same id.
        let id = AttributeValue::S(format!("{session}/{}", self.id));
        let expires = now().after(KEPT).as_millis() / 1000;
        let item = HashMap::from([
            ("id".to_owned(), id.clone()),
            ("after".to_owned(), AttributeValue::N(last.as_u64().to_string())),
            ("expires".to_owned(), AttributeValue::N(expires.to_string())),
        ]);
        let put = self.cloud.dynamo.put_item().table_name(&table).set_item(Some(item));
        match put.condition_expression("attribute_not_exists(id)").send().await {
            Ok(_) => return Ok(false),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) => {}
            Err(error) => return Err(fault::tool_error(&place, &error)),
        }
        let get = self
            .cloud
            .dynamo
            .get_item()
            .table_name(&table)
            .key("id", id)
            .consistent_read(true);
        let found = get.send().await.map_err(|error| fault::tool_error(&place, &error))?;
        let after = found
            .item
            .as_ref()
            .and_then(|item| item.get("after")?.as_n().ok()?.parse().ok());
        let mut entries = journal.read(session, Seq::new(after.unwrap_or(0)));
        while let Some(entry) = poll_fn(|cx| entries.as_mut().poll_next(cx)).await {
            match entry {
                Ok((_, Entry::UserMessage { text: told, .. })) if told == text => return Ok(true),
                Ok(_) => {}
                Err(error) => return Err(ToolError::from_error(error).with_kind(ToolErrorKind::Unavailable)),
            }
        }
        Ok(false)
    }
}
