//! The end of the hold on one session.

use async_tool_runtime::SessionId;
use aws_sdk_dynamodb::{error::SdkError, types::ReturnValue};

use crate::{
    StoreError,
    key::Key,
    retry::persist,
    shared::Shared,
    tables::{number, number_of, text},
};

/// Removes this journal from the session's head, and forgets the session. A head that names another owner stays as it is.
pub(crate) async fn release(shared: &Shared, session: &SessionId) -> Result<(), StoreError> {
    if let Some(owner) = shared.holds.owner_of(session) {
        let (tables, key) = (&shared.tables, Key::new(session)?);
        let update = tables.client.update_item().table_name(&tables.heads);
        let update = update.key("pk", text(&key.text)).update_expression("REMOVE #owner");
        let update = update
            .condition_expression("#owner = :me")
            .expression_attribute_names("#owner", "owner");
        let update = update.expression_attribute_values(":me", text(owner));
        let update = update.return_values(ReturnValue::AllNew);
        let head = match persist(tables.retry_for, || update.clone().send()).await {
            Ok(updated) => updated.attributes,
            // Another process has it, or it was released before and the answer was lost.
            Err(SdkError::ServiceError(refused)) if refused.err().is_conditional_check_failed_exception() => None,
            Err(error) => return Err(StoreError::of(tables, error)),
        };
        if head.is_some_and(|head| number_of(&head, "last") == Some(0)) {
            remove_empty(shared, &key).await?;
        }
    }
    shared.holds.remove(session);
    shared.leave_if_idle().await
}

/// Removes the head of a session that was taken and never written.
async fn remove_empty(shared: &Shared, key: &Key) -> Result<(), StoreError> {
    let tables = &shared.tables;
    let delete = tables
        .client
        .delete_item()
        .table_name(&tables.heads)
        .key("pk", text(&key.text));
    let delete = delete
        .condition_expression("#last = :zero AND attribute_not_exists(#owner) AND attribute_not_exists(#pending)");
    let delete = delete.expression_attribute_names("#last", "last");
    let delete = delete.expression_attribute_names("#owner", "owner");
    let delete = delete.expression_attribute_names("#pending", "pending");
    let delete = delete.expression_attribute_values(":zero", number(0));
    match persist(tables.retry_for, || delete.clone().send()).await {
        Ok(_) => Ok(()),
        Err(SdkError::ServiceError(refused)) if refused.err().is_conditional_check_failed_exception() => Ok(()),
        Err(error) => Err(StoreError::of(tables, error)),
    }
}

/// Takes a session again for this journal, whose row was removed and which has a new id. If another process has it, its claim is lost.
pub(crate) async fn rename(shared: &Shared, session: &SessionId, from: &str, to: &str) -> Result<(), StoreError> {
    let (tables, key) = (&shared.tables, Key::new(session)?);
    let update = tables.client.update_item().table_name(&tables.heads);
    let update = update.key("pk", text(&key.text)).update_expression("SET #owner = :to");
    // The second one if the answer to an earlier try was lost.
    let update = update.condition_expression("#owner = :from OR #owner = :to");
    let update = update.expression_attribute_names("#owner", "owner");
    let update = update.expression_attribute_values(":from", text(from));
    let update = update.expression_attribute_values(":to", text(to));
    match persist(tables.retry_for, || update.clone().send()).await {
        Ok(_) => shared.holds.renamed(session, to),
        Err(SdkError::ServiceError(refused)) if refused.err().is_conditional_check_failed_exception() => {
            shared.holds.evict(session);
        }
        Err(error) => return Err(StoreError::of(tables, error)),
    }
    Ok(())
}
