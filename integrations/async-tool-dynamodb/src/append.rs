//! Appends: a conditional update of the session's head and the batch, in one transaction.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    SessionId,
    journal::{AppendError, Claim, Entry, Seq},
};
use aws_sdk_dynamodb::{
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    primitives::Blob,
    types::{AttributeValue, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update},
};
use uuid::Uuid;

use crate::{
    StoreError,
    batch::{Batch, Layout},
    head::{self, GIVEN_UP, Head, NAMES, Pending},
    holds::Admission,
    key::{self, Key},
    owner::Standing,
    parts,
    retry::persist,
    shared::Shared,
    snapshot,
    tables::{Tables, number, text},
};

/// Number of attempts. Each further one follows a change of the session's owner, or the removal of leftovers.
const ATTEMPTS: usize = 8;

/// A request to append.
#[derive(Debug)]
pub(crate) struct Append {
    session: SessionId,
    key: Key,
    claim: Claim,
    after: u64,
    batch: Batch,
    is_closing: bool,
    /// Names this append in the head. A head with this name has its entries, even if the answer was lost.
    by: String,
}

/// Result of an attempt.
enum Attempt {
    Written,
    /// The session is closed, and needs no owner.
    Closed,
    /// The head that refused it.
    Refused(Head),
}

/// Reason for an append's end without a write.
enum End {
    Conflict(u64),
    Taken(Option<Duration>),
}

impl Append {
    pub(crate) fn new(session: &SessionId, claim: &Claim, after: Seq, entries: &[Entry]) -> Result<Self, StoreError> {
        Ok(Self {
            session: session.clone(),
            key: Key::new(session)?,
            claim: claim.clone(),
            after: after.as_u64(),
            batch: Batch::new(entries)?,
            is_closing: matches!(entries.last(), Some(Entry::Closed { .. })),
            by: Uuid::new_v4().simple().to_string(),
        })
    }

    /// Number of the last entry after this append. No session reaches the largest number, so its fence refuses it.
    const fn last(&self) -> u64 {
        self.after.saturating_add(self.batch.count)
    }

    /// Takes the session and writes the entries, or changes nothing.
    pub(crate) async fn write(self, shared: Arc<Shared>) -> Result<Seq, AppendError> {
        let Some(mut admission) = shared.holds.admit(&self.session, &self.claim) else {
            return Err(AppendError::Taken { retry_after: None });
        };
        shared.keep();
        let mut prior = None;
        for attempt in 0..ATTEMPTS {
            let standing = shared
                .owner
                .stand(&shared.tables)
                .await
                .map_err(StoreError::unavailable)?;
            let head = match self.attempt(&shared.tables, &standing, prior.as_deref(), attempt).await {
                Ok(Attempt::Closed) => return Ok(Seq::new(self.last())),
                // An earlier try was written, and its answer was lost.
                Ok(Attempt::Refused(head)) if head.by.as_ref() != Some(&self.by) => head,
                Ok(Attempt::Written | Attempt::Refused(_)) => {
                    self.settle(&shared, admission, &standing).await;
                    return Ok(Seq::new(self.last()));
                }
                Err(error) => {
                    admission.doubt(&standing.id);
                    return Err(error.unavailable());
                }
            };
            let judged = self.judge(&shared, &mut admission, &standing, &head, &mut prior).await;
            if let Some(end) = judged.map_err(StoreError::unavailable)? {
                self.tidy(&shared.tables).await;
                return Err(match end {
                    End::Conflict(last) => AppendError::Conflict { last: Seq::new(last) },
                    End::Taken(retry_after) => AppendError::Taken { retry_after },
                });
            }
        }
        self.tidy(&shared.tables).await;
        let session = self.session.clone();
        Err(StoreError::Contested { session }.unavailable())
    }

    /// Notes that the append is durable.
    async fn settle(&self, shared: &Shared, admission: Admission<'_>, standing: &Standing) {
        if self.is_closing {
            drop(admission);
            shared.holds.remove(&self.session);
            // A closed session is never resumed, so its snapshot is useless.
            let _it_only_takes_space = snapshot::remove(&shared.tables, &self.key).await;
            let _the_keeper_tries_again = shared.leave_if_idle().await;
            return;
        }
        admission.keep(&standing.id);
        self.claim.confirm(standing.asked, shared.owner.lease());
    }

    async fn attempt(
        &self,
        tables: &Tables,
        standing: &Standing,
        prior: Option<&str>,
        attempt: usize,
    ) -> Result<Attempt, StoreError> {
        if self.batch.count == 0 {
            return self.take(tables, standing, prior).await;
        }
        let layout = self.batch.layout();
        if let Layout::Before(_) = layout {
            // The head names the parts before they are written, so that the next writer finds what a killed one leaves behind.
            if let Some(head) = self.announce(tables, standing, prior).await? {
                return Ok(Attempt::Refused(head));
            }
            parts::put(tables, &key::parts(&self.by), 0, &self.batch.bytes).await?;
        }
        // A further attempt is another transaction, which DynamoDB refuses with the token of the first one.
        let token = match attempt {
            0 => self.by.clone(),
            _ => Uuid::new_v4().simple().to_string(),
        };
        let mut items = vec![item(
            TransactWriteItem::builder().update(self.update(tables, standing, prior)?),
        )];
        items.push(item(TransactWriteItem::builder().put(self.put(tables, layout)?)));
        if let Layout::Together(_) = layout {
            for part in parts::puts(tables, &key::parts(&self.by), &self.batch.bytes)? {
                items.push(item(TransactWriteItem::builder().put(part)));
            }
        }
        let transact = tables.client.transact_write_items();
        let transact = transact.set_transact_items(Some(items)).client_request_token(token);
        match persist(tables.retry_for, || transact.clone().send()).await {
            Ok(_) => Ok(Attempt::Written),
            Err(error) => self.refusal(tables, error),
        }
    }

    /// The head's update.
    fn update(&self, tables: &Tables, standing: &Standing, prior: Option<&str>) -> Result<Update, StoreError> {
        let pending = match self.batch.layout() {
            Layout::Before(_) => Pending::By,
            _ => Pending::NoneOrBy,
        };
        let mut set = String::from("SET #last = :last, #open = :open, #by = :by");
        let mut remove = String::from(" REMOVE #pending");
        match self.is_closing {
            true => remove.push_str(", #owner"),
            false => set.push_str(", #owner = :me"),
        }
        let mut update = Update::builder()
            .table_name(&tables.heads)
            .key("pk", text(&self.key.text))
            .condition_expression(head::condition(self.after, prior.is_some(), pending))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .expression_attribute_values(":after", number(self.after))
            .expression_attribute_values(":last", number(self.last()))
            .expression_attribute_values(":open", AttributeValue::Bool(!self.is_closing))
            .expression_attribute_values(":by", text(&self.by))
            .expression_attribute_values(":me", text(&standing.id));
        for (placeholder, name) in NAMES {
            if placeholder != "#name" || self.key.name.is_some() {
                update = update.expression_attribute_names(placeholder, name);
            }
        }
        if let Some(prior) = prior {
            update = update.expression_attribute_values(":prior", text(prior));
        }
        if let Some(name) = &self.key.name {
            set.push_str(", #name = :name");
            update = update.expression_attribute_values(":name", text(name));
        }
        update
            .update_expression(set + &remove)
            .build()
            .map_err(StoreError::other)
    }

    /// The batch's item.
    fn put(&self, tables: &Tables, layout: Layout) -> Result<Put, StoreError> {
        let put = Put::builder()
            .table_name(&tables.log)
            .item("pk", text(&self.key.text))
            .item("sk", number(self.last()))
            .item("first", number(self.after.saturating_add(1)))
            // Only if the tables were restored to different moments is there one.
            .condition_expression("attribute_not_exists(pk)");
        let put = match layout {
            Layout::Whole => put.item("bytes", AttributeValue::B(Blob::new(&*self.batch.bytes))),
            Layout::Together(parts) | Layout::Before(parts) => {
                put.item("parts", number(parts as u64)).item("by", text(&self.by))
            }
        };
        put.build().map_err(StoreError::other)
    }

    /// Takes the session, and names this append in its head as the one whose parts are written. Returns the head if it refuses.
    async fn announce(
        &self,
        tables: &Tables,
        standing: &Standing,
        prior: Option<&str>,
    ) -> Result<Option<Head>, StoreError> {
        let set = "SET #pending = :by, #owner = :me, #last = :after, #open = if_not_exists(#open, :true)";
        self.change_head(tables, standing, prior, set, &[(":by", &self.by)], Pending::NoneOrBy)
            .await
    }

    /// Checks that `after` is the last entry, and takes the session.
    async fn take(&self, tables: &Tables, standing: &Standing, prior: Option<&str>) -> Result<Attempt, StoreError> {
        let head = find(tables, &self.key).await?;
        let is_free = head.owner.is_none() || head.owner.as_deref() == prior;
        let is_ours = head.owner.as_deref() == Some(&standing.id);
        if head.last == self.after && head.is_closed {
            return Ok(Attempt::Closed);
        }
        if head.last == self.after && is_ours {
            return Ok(Attempt::Written);
        }
        if head.last != self.after || !is_free {
            return Ok(Attempt::Refused(head));
        }
        let set = "SET #owner = :me, #last = :after, #open = if_not_exists(#open, :true)";
        let pending = head.pending.as_ref().unwrap_or(&self.by);
        let refused = self
            .change_head(tables, standing, prior, set, &[(":by", pending)], Pending::NoneOrBy)
            .await?;
        Ok(refused.map_or(Attempt::Written, Attempt::Refused))
    }

    /// Changes the head alone, by an expression with these names of appends. Returns the head if the condition refuses.
    async fn change_head(
        &self,
        tables: &Tables,
        standing: &Standing,
        prior: Option<&str>,
        set: &str,
        appends: &[(&str, &str)],
        pending: Pending,
    ) -> Result<Option<Head>, StoreError> {
        let mut update = tables
            .client
            .update_item()
            .table_name(&tables.heads)
            .key("pk", text(&self.key.text))
            .condition_expression(head::condition(self.after, prior.is_some(), pending))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .expression_attribute_values(":after", number(self.after))
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":me", text(&standing.id));
        for (placeholder, name) in NAMES {
            if !["#by", "#name"].contains(&placeholder) || (placeholder == "#name" && self.key.name.is_some()) {
                update = update.expression_attribute_names(placeholder, name);
            }
        }
        for (placeholder, append) in appends {
            update = update.expression_attribute_values(*placeholder, text(*append));
        }
        if let Some(prior) = prior {
            update = update.expression_attribute_values(":prior", text(prior));
        }
        let mut set = set.to_owned();
        if let Some(name) = &self.key.name {
            set.push_str(", #name = :name");
            update = update.expression_attribute_values(":name", text(name));
        }
        let update = update.update_expression(set);
        match persist(tables.retry_for, || update.clone().send()).await {
            Ok(_) => Ok(None),
            Err(SdkError::ServiceError(refused)) if refused.err().is_conditional_check_failed_exception() => {
                match refused.into_err() {
                    aws_sdk_dynamodb::operation::update_item::UpdateItemError::ConditionalCheckFailedException(
                        failed,
                    ) => Ok(Some(Head::of(failed.item()))),
                    _ => Ok(Some(Head::default())),
                }
            }
            Err(error) => Err(StoreError::of(tables, error)),
        }
    }

    /// Reads why a transaction was refused.
    fn refusal(&self, tables: &Tables, error: SdkError<TransactWriteItemsError>) -> Result<Attempt, StoreError> {
        if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() {
            let mut reasons = cancelled.cancellation_reasons().iter();
            let has_failed = |code: Option<&str>| code == Some("ConditionalCheckFailed");
            let head = reasons.next();
            if let Some(head) = head.filter(|head| has_failed(head.code())) {
                return Ok(Attempt::Refused(Head::of(head.item())));
            }
            // A head that was in conflict says nothing.
            let is_head_as_expected = head.is_some_and(|head| matches!(head.code(), None | Some("None")));
            if is_head_as_expected && reasons.any(|reason| has_failed(reason.code())) {
                return Err(StoreError::Ahead {
                    session: self.session.clone(),
                    last: Seq::new(self.after),
                });
            }
        }
        Err(StoreError::of(tables, error))
    }

    /// Decides about a refusal: the append has ended, or it is tried again.
    async fn judge(
        &self,
        shared: &Arc<Shared>,
        admission: &mut Admission<'_>,
        standing: &Standing,
        head: &Head,
        prior: &mut Option<String>,
    ) -> Result<Option<End>, StoreError> {
        let other = head.owner.as_ref().filter(|owner| **owner != standing.id);
        if let Some(other) = other.filter(|other| Some(*other) != prior.as_ref()) {
            // An id that this journal had before its row was removed.
            if shared.holds.owner_of(&self.session).as_ref() != Some(other) {
                admission.robbed();
                if let Some(left) = shared.ask(other).await? {
                    return Ok(Some(End::Taken(Some(left))));
                }
                if self.claim.is_lost() {
                    return Ok(Some(End::Taken(None)));
                }
            }
            *prior = Some(other.clone());
        }
        if head.last != self.after {
            return Ok(Some(End::Conflict(head.last)));
        }
        if let Some(left) = head.pending.as_ref().filter(|pending| **pending != self.by) {
            self.clean_up(&shared.tables, standing, prior.as_deref(), left).await?;
        }
        Ok(None)
    }

    /// Removes the parts of an append whose writer ended in the middle, or gave it up.
    ///
    /// First the session is taken and the append is renamed, so that the writer can't finish it. Nor can a request of its that comes late.
    async fn clean_up(
        &self,
        tables: &Tables,
        standing: &Standing,
        prior: Option<&str>,
        left: &str,
    ) -> Result<(), StoreError> {
        let append = left.trim_start_matches(GIVEN_UP);
        let given_up = format!("{GIVEN_UP}{append}");
        let take = "SET #pending = :given_up, #owner = :me, #last = :after, #open = if_not_exists(#open, :true)";
        let names = [(":by", left), (":given_up", &given_up)];
        if self
            .change_head(tables, standing, prior, take, &names, Pending::By)
            .await?
            .is_some()
        {
            return Ok(());
        }
        parts::remove(tables, &key::parts(append)).await?;
        let done = "SET #owner = :me, #last = :after, #open = if_not_exists(#open, :true) REMOVE #pending";
        self.change_head(tables, standing, None, done, &[(":by", &given_up)], Pending::By)
            .await
            .map(drop)
    }

    /// Removes the parts of this append, which was refused for good.
    async fn tidy(&self, tables: &Tables) {
        if let Layout::Before(_) = self.batch.layout()
            && let Err(error) = parts::remove(tables, &key::parts(&self.by)).await
        {
            tracing::warn!(target: "async_tool::journal", error = %error, append = self.by, "parts of a refused append are left in the table");
        }
    }
}

/// Reads a session's head.
pub(crate) async fn find(tables: &Tables, key: &Key) -> Result<Head, StoreError> {
    let get = tables.client.get_item().table_name(&tables.heads);
    let get = get.key("pk", text(&key.text)).consistent_read(true);
    let found = persist(tables.retry_for, || get.clone().send()).await;
    let found = found.map_err(|error| StoreError::of(tables, error))?;
    Ok(Head::of(found.item.as_ref()))
}

fn item(builder: aws_sdk_dynamodb::types::builders::TransactWriteItemBuilder) -> TransactWriteItem {
    builder.build()
}
