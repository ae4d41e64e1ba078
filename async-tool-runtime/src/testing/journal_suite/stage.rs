//! A journal under test.

use std::{
    fmt::Debug,
    future::{Future, poll_fn},
    ops::Range,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use serde_json::Value;
use tokio::{runtime::Handle, task::spawn_blocking};

use super::{
    super::{
        real_time::RealTime,
        wrong::{Checked, Wrong},
    },
    JournalStore,
};
use crate::{
    clock::Timestamp,
    future::BoxStream,
    journal::{AppendError, Claim, Entry, Journal, ReadError, Seq, SessionFilter},
    session::SessionId,
};

/// A store with an open journal, and the claim of one agent. Clones share all of them.
pub(super) struct Stage<S: JournalStore> {
    store: Arc<S>,
    journal: Arc<S::Journal>,
    claim: Claim,
}

impl<S: JournalStore> Clone for Stage<S> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            journal: Arc::clone(&self.journal),
            claim: self.claim.clone(),
        }
    }
}

impl<S: JournalStore> Stage<S> {
    pub(super) async fn new(store: S) -> Checked<Self> {
        Self::open(Arc::new(store)).await
    }

    async fn open(store: Arc<S>) -> Checked<Self> {
        let journal = store.open().await;
        let journal = journal.map_err(|error| Wrong::error("open the store", &*error))?;
        Ok(Self {
            store,
            journal: Arc::new(journal),
            claim: Claim::new(),
        })
    }

    /// Kills the journal and reopens the store. There must be no clones.
    pub(super) async fn reopened(self) -> Checked<Self> {
        let Self { store, journal, .. } = self;
        if let Some(journal) = Arc::into_inner(journal) {
            store.kill(journal).await;
        }
        Self::open(store).await
    }

    /// Opens a second journal of the store beside this one, as another process would. `None` if one open journal at a time can use the
    /// store: it waits, fails, or doesn't see what the other one writes.
    pub(super) async fn another(&self) -> Checked<Option<Self>> {
        const WAIT: Duration = Duration::from_secs(2);

        let limit = RealTime::start(WAIT);
        let other = tokio::select! {
            biased;
            other = self.beside() => other.ok(),
            () = limit.passed() => None,
        };
        let Some(other) = other else { return Ok(None) };
        let (probe, written) = self.session("probe", 1).await?;
        let is_shared = other.read(&probe, 0).await?.len() == written.len();
        Ok(is_shared.then_some(other))
    }

    /// Opens a journal of a store that more than one journal can use.
    pub(super) async fn beside(&self) -> Checked<Self> {
        Self::open(Arc::clone(&self.store)).await
    }

    /// Another agent with the same open journal.
    pub(super) fn rival(&self) -> Self {
        Self {
            claim: Claim::new(),
            ..self.clone()
        }
    }

    pub(super) const fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Checks that an append is refused because another claim has the session.
    pub(super) async fn is_kept_out(&self, session: &SessionId, after: u64, entries: &[Entry], why: &str) -> Checked {
        let found = match self
            .journal
            .append(session, &self.claim, Seq::new(after), entries)
            .await
        {
            Err(AppendError::Taken { .. }) => return Ok(()),
            Err(AppendError::Conflict { last }) => format!("a conflict that names {} as the last entry", last.as_u64()),
            Err(error) => return Err(Wrong::error(append(session, after, entries.len()), &error)),
            Ok(place) => format!("success at position {}", place.as_u64()),
        };
        let doing = format!("{}, {why}", append(session, after, entries.len()));
        Err(Wrong::new(doing, "that the session is taken", &found))
    }

    /// Releases a session.
    pub(super) async fn released(&self, session: &SessionId) -> Checked {
        let released = self.journal.release(session, &self.claim).await;
        released.map_err(|error| Wrong::error(format!("release session {:?}", session.as_str()), &error))
    }

    /// Removes a session; true if the journal says that nothing of it is left.
    pub(super) async fn removed(&self, session: &SessionId) -> Checked<bool> {
        let removed = self.journal.remove(session).await;
        removed.map_err(|error| Wrong::error(format!("remove session {:?}", session.as_str()), &error))
    }

    pub(super) fn journal(&self) -> &S::Journal {
        &self.journal
    }

    /// Appends; returns the position, or for a refusal the last entry that it names. A session that is taken counts as a conflict with
    /// the last entry that is there.
    pub(super) async fn append(&self, session: &SessionId, after: u64, entries: &[Entry]) -> Checked<Result<u64, u64>> {
        match self
            .journal
            .append(session, &self.claim, Seq::new(after), entries)
            .await
        {
            Ok(place) => Ok(Ok(place.as_u64())),
            Err(AppendError::Conflict { last }) => Ok(Err(last.as_u64())),
            Err(AppendError::Taken { .. }) => Ok(Err(self.read(session, 0).await?.len() as u64)),
            Err(error) => Err(Wrong::error(append(session, after, entries.len()), &error)),
        }
    }

    /// Appends and checks that it succeeds; returns the position.
    pub(super) async fn appended(&self, session: &SessionId, after: u64, entries: &[Entry]) -> Checked<u64> {
        let doing = || append(session, after, entries.len());
        match self.append(session, after, entries).await? {
            Ok(place) => Ok(place),
            Err(last) => Err(Wrong::new(
                doing(),
                "no conflict",
                &format!("a conflict that names {last} as the last entry"),
            )),
        }
    }

    /// Appends one entry and checks that it is a conflict; returns the last entry that it names.
    pub(super) async fn refused(&self, session: &SessionId, after: u64, last: u64) -> Checked<u64> {
        match self.append(session, after, &said("refused", 0..1)).await? {
            Err(last) => Ok(last),
            Ok(place) => Err(Wrong::new(
                format!("{}, where entry {last} is the last", append(session, after, 1)),
                "a conflict",
                &format!("the entry was written at position {place}"),
            )),
        }
    }

    /// Creates a session with this many entries, two in each append.
    pub(super) async fn session(&self, name: &str, entries: usize) -> Checked<(SessionId, Vec<Entry>)> {
        let session = SessionId::new(name);
        let entries = said(name, 0..entries);
        let mut place = 0;
        for some in entries.chunks(2) {
            // Another rule checks the position that the append returns.
            self.appended(&session, place, some).await?;
            place += some.len() as u64;
        }
        Ok((session, entries))
    }

    pub(super) async fn read(&self, session: &SessionId, after: u64) -> Checked<Vec<(u64, Entry)>> {
        let read = collect(self.journal.read(session, Seq::new(after))).await;
        let read = read.map_err(|error| Wrong::error(reading(session, after), &error))?;
        Ok(read.into_iter().map(|(seq, entry)| (seq.as_u64(), entry)).collect())
    }

    /// Checks that a session has exactly these entries.
    pub(super) async fn holds(&self, session: &SessionId, expected: &[Entry]) -> Checked {
        self.holds_after(session, 0, expected).await
    }

    /// Checks that a session has exactly these entries after a position.
    pub(super) async fn holds_after(&self, session: &SessionId, after: u64, expected: &[Entry]) -> Checked {
        let read = self.read(session, after).await?;
        let place = |index: usize| after.saturating_add(index as u64 + 1);
        for (index, (expected, (seq, entry))) in expected.iter().zip(&read).enumerate() {
            let doing = || format!("{}, entry {}", reading(session, after), place(index));
            if *seq != place(index) {
                return Err(Wrong::new(
                    doing(),
                    &format!("position {}", place(index)),
                    &format!("position {seq}"),
                ));
            }
            if !is_same(expected, entry) {
                return Err(Wrong::new(doing(), &shown(expected), &shown(entry)));
            }
        }
        if read.len() != expected.len() {
            let count = |entries: usize| format!("{entries} entries");
            return Err(Wrong::new(
                reading(session, after),
                &count(expected.len()),
                &count(read.len()),
            ));
        }
        Ok(())
    }

    pub(super) async fn listed(&self, filter: SessionFilter) -> Checked<Vec<SessionId>> {
        let listed = collect(self.journal.sessions(filter)).await;
        listed.map_err(|error| Wrong::error(format!("list the sessions ({filter:?})"), &error))
    }

    /// Checks that exactly these sessions are listed, each once.
    pub(super) async fn lists(&self, filter: SessionFilter, expected: &[&SessionId]) -> Checked {
        let mut listed = self.listed(filter).await?;
        let mut expected: Vec<_> = expected.iter().map(|session| (*session).clone()).collect();
        listed.sort();
        expected.sort();
        equal(
            format!("list the sessions ({filter:?}); the order doesn't count"),
            &expected,
            &listed,
        )
    }
}

pub(super) fn equal<T: Debug + PartialEq>(doing: impl Into<String>, expected: &T, found: &T) -> Checked {
    if expected == found {
        Ok(())
    } else {
        Err(Wrong::new(doing, &format!("{expected:?}"), &format!("{found:?}")))
    }
}

pub(super) fn append(session: &SessionId, after: u64, entries: usize) -> String {
    let entries = match entries {
        0 => "no entries".to_owned(),
        1 => "1 entry".to_owned(),
        entries => format!("{entries} entries"),
    };
    format!("append {entries} to session {:?} after entry {after}", session.as_str())
}

pub(super) fn reading(session: &SessionId, after: u64) -> String {
    format!("read session {:?} after entry {after}", session.as_str())
}

/// User messages with these numbers; all differ.
pub(super) fn said(by: &str, numbers: Range<usize>) -> Vec<Entry> {
    let said = |number: usize| Entry::UserMessage {
        text: format!("{by} says {number}"),
        media: Vec::new(),
        traceparent: None,
        at: Timestamp::from_millis(number as u64),
    };
    numbers.map(said).collect()
}

/// Runs the futures on this thread, polling each in turn. The order of their steps is the same in every run.
pub(super) async fn in_turns<T: Unpin>(futures: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut running: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    poll_fn(|cx| {
        let mut is_over = true;
        for (future, end) in &mut running {
            if end.is_none() {
                match future.as_mut().poll(cx) {
                    Poll::Ready(value) => *end = Some(value),
                    Poll::Pending => is_over = false,
                }
            }
        }
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    running.into_iter().filter_map(|(_, end)| end).collect()
}

/// Runs the futures in parallel, each on a thread of its own, on any kind of runtime.
pub(super) async fn at_once<T: Send + 'static>(
    futures: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let runtime = Handle::current();
    let start = |future| {
        let runtime = runtime.clone();
        spawn_blocking(move || runtime.block_on(future))
    };
    let running: Vec<_> = futures.into_iter().map(start).collect();
    let mut ended = Vec::with_capacity(running.len());
    for one in running {
        match one.await {
            Ok(end) => ended.push(end),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down, and drops this future too.
                Err(_) => std::future::pending().await,
            },
        }
    }
    ended
}

async fn collect<T>(mut stream: BoxStream<'_, Result<T, ReadError>>) -> Result<Vec<T>, ReadError> {
    let mut items = Vec::new();
    while let Some(item) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
        items.push(item?);
    }
    Ok(items)
}

/// True if two entries are equal in all that is serialized. `==` alone ignores the sign of a zero, and the advice of an error.
fn is_same(expected: &Entry, found: &Entry) -> bool {
    match (serde_json::to_value(expected), serde_json::to_value(found)) {
        (Ok(written), Ok(read)) => expected == found && is_same_value(&written, &read),
        _ => expected == found,
    }
}

fn is_same_value(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len() && expected.iter().zip(found).all(|(a, b)| is_same_value(a, b))
        }
        // The order of keys doesn't count.
        (Value::Object(expected), Value::Object(found)) => {
            let same =
                |(key, value): (&String, &Value)| found.get(key).is_some_and(|found| is_same_value(value, found));
            expected.len() == found.len() && expected.iter().all(same)
        }
        (Value::Number(expected), Value::Number(found)) => expected.to_string() == found.to_string(),
        (expected, found) => expected == found,
    }
}

/// Serialized entry. `Debug` omits some fields of errors.
fn shown(entry: &Entry) -> String {
    serde_json::to_string(entry).unwrap_or_else(|_| format!("{entry:?}"))
}
