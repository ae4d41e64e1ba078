//! Reads of a session's entries, one page of batches at a time.

use std::{collections::VecDeque, sync::Arc};

use async_tool_runtime::{
    SessionId,
    future::BoxStream,
    journal::{Entry, ReadError, Seq},
};
use futures_util::stream;

use crate::{
    StoreError, append,
    batch::Batch,
    key::{self, Key},
    parts,
    retry::persist,
    shared::Shared,
    tables::{Item, bytes_of, number, number_of, text, text_of},
};

/// Entries of a session after a position.
pub(crate) fn entries<'a>(
    shared: &Arc<Shared>,
    session: &SessionId,
    after: Seq,
) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
    let reading = Reading {
        shared: Arc::clone(shared),
        session: session.clone(),
        known: after.as_u64(),
        state: State::Begin,
        entries: VecDeque::new(),
        batches: VecDeque::new(),
    };
    Box::pin(stream::try_unfold(reading, |mut reading| async move {
        let next = reading.next().await?;
        Ok(next.map(|entry| (entry, reading)))
    }))
}

struct Reading {
    shared: Arc<Shared>,
    session: SessionId,
    /// The last entry that was returned, or the position to begin after.
    known: u64,
    state: State,
    entries: VecDeque<(Seq, Entry)>,
    batches: VecDeque<Item>,
}

enum State {
    Begin,
    /// Batches follow after this place. The head named that entry as the last when the reading began.
    Page {
        start: Option<Item>,
        key: Key,
        last: u64,
    },
    /// The head named this entry as the last.
    End {
        last: u64,
    },
}

impl Reading {
    async fn next(&mut self) -> Result<Option<(Seq, Entry)>, StoreError> {
        loop {
            if let Some((seq, entry)) = self.entries.pop_front() {
                self.known = seq.as_u64();
                return Ok(Some((seq, entry)));
            }
            if let Some(batch) = self.batches.pop_front() {
                self.entries = self.decode(batch).await?.into();
                continue;
            }
            match std::mem::replace(&mut self.state, State::End { last: 0 }) {
                State::Begin => {
                    let key = Key::new(&self.session)?;
                    let last = append::find(&self.shared.tables, &key).await?.last;
                    self.state = match self.known >= last {
                        true => State::End { last: 0 },
                        false => State::Page { start: None, key, last },
                    };
                }
                State::Page { start, key, last } => self.state = self.page(start, key, last).await?,
                State::End { last } if self.known < last => return Err(self.missing()),
                State::End { .. } => return Ok(None),
            }
        }
    }

    async fn page(&mut self, start: Option<Item>, key: Key, last: u64) -> Result<State, StoreError> {
        let tables = &self.shared.tables;
        let query = tables.client.query().table_name(&tables.log).consistent_read(true);
        let query = query.key_condition_expression("pk = :pk AND sk > :after");
        let query = query.expression_attribute_values(":pk", text(&key.text));
        let query = query.expression_attribute_values(":after", number(self.known));
        let query = query.set_exclusive_start_key(start);
        let page = persist(tables.retry_for, || query.clone().send()).await;
        let page = page.map_err(|error| StoreError::of(tables, error))?;
        self.batches = page.items.unwrap_or_default().into();
        Ok(match page.last_evaluated_key {
            // Without this, the condition and the place to go on from would contradict each other once the page is read.
            Some(_) if !self.batches.is_empty() => State::Page { start: None, key, last },
            Some(start) => State::Page {
                start: Some(start),
                key,
                last,
            },
            None => State::End { last },
        })
    }

    async fn decode(&self, mut batch: Item) -> Result<Vec<(Seq, Entry)>, StoreError> {
        let place = (number_of(&batch, "first"), number_of(&batch, "sk"));
        let (Some(first), Some(last)) = place else {
            return Err(self.missing());
        };
        let next = self.known + 1;
        if first > next || last < next {
            return Err(self.missing());
        }
        let bytes = match bytes_of(&mut batch, "bytes") {
            Some(bytes) => Some(bytes),
            None => match (text_of(&batch, "by"), number_of(&batch, "parts")) {
                (Some(by), Some(count)) => parts::read(&self.shared.tables, &key::parts(&by), 0, count).await?,
                _ => None,
            },
        };
        let bytes = bytes.ok_or_else(|| self.missing())?;
        Batch::decode(&bytes, &self.session, (first, last), next)
    }

    fn missing(&self) -> StoreError {
        StoreError::Missing {
            session: self.session.clone(),
            seq: Seq::new(self.known.saturating_add(1)),
        }
    }
}
