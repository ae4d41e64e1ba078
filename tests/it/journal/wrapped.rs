//! Journals that wrap another.

use std::{
    future::{Future, ready},
    num::NonZeroU64,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use async_tool_runtime::{
    SessionId,
    future::{BoxFuture, BoxStream},
    journal::{AppendError, Claim, Entry, Journal, MemoryJournal, ReadError, Seq, SessionFilter, Snapshot},
};

/// A journal with its own answer to each question, which notes what it is asked.
#[derive(Default)]
struct Noting {
    kept: MemoryJournal,
    asked: Mutex<Vec<&'static str>>,
}

impl Noting {
    fn note(&self, method: &'static str) {
        self.asked.lock().unwrap().push(method);
    }
}

impl Journal for Noting {
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        claim: &'a Claim,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        self.kept.append(session, claim, after, entries)
    }

    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
        self.kept.read(session, after)
    }

    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
        self.kept.sessions(filter)
    }

    fn release<'a>(&'a self, _: &'a SessionId, _: &'a Claim) -> BoxFuture<'a, Result<(), AppendError>> {
        self.note("release");
        Box::pin(ready(Err(AppendError::Unavailable("it is away".into()))))
    }

    fn is_durable(&self) -> bool {
        self.note("is_durable");
        false
    }

    fn put_blob<'a>(
        &'a self,
        _: &'a SessionId,
        _: &'a Arc<[u8]>,
    ) -> BoxFuture<'a, Result<Option<Arc<str>>, AppendError>> {
        self.note("put_blob");
        Box::pin(ready(Ok(Some("a name".into()))))
    }

    fn blob<'a>(&'a self, _: &'a SessionId, name: &'a str) -> BoxFuture<'a, Result<Option<Arc<[u8]>>, ReadError>> {
        self.note("blob");
        Box::pin(ready(Ok(Some(name.as_bytes().into()))))
    }

    fn remove<'a>(&'a self, _: &'a SessionId) -> BoxFuture<'a, Result<bool, AppendError>> {
        self.note("remove");
        Box::pin(ready(Ok(true)))
    }

    fn snapshot_every(&self) -> Option<NonZeroU64> {
        self.note("snapshot_every");
        NonZeroU64::new(7)
    }

    fn keep_snapshot<'a>(&'a self, _: &'a SessionId, _: Snapshot) -> BoxFuture<'a, Result<(), AppendError>> {
        self.note("keep_snapshot");
        Box::pin(ready(Ok(())))
    }

    fn snapshot<'a>(&'a self, _: &'a SessionId) -> BoxFuture<'a, Result<Option<Snapshot>, ReadError>> {
        self.note("snapshot");
        Box::pin(ready(Ok(Some(Snapshot::new(Seq::new(3), vec![1])))))
    }
}

/// A journal that wraps another, or hides that it does.
struct Wrapping {
    journal: Arc<Noting>,
    tells: bool,
}

impl Journal for Wrapping {
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        claim: &'a Claim,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        self.journal.append(session, claim, after, entries)
    }

    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
        self.journal.read(session, after)
    }

    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
        self.journal.sessions(filter)
    }

    fn inner(&self) -> Option<&dyn Journal> {
        self.tells.then_some(&*self.journal)
    }
}

fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits for nothing"),
    }
}

/// Asks all that has a default, and returns the answers as text.
fn ask(journal: &dyn Journal) -> Vec<String> {
    let (session, claim, bytes) = (SessionId::new("s"), Claim::new(), Arc::from(*b"abc"));
    vec![
        format!("{:?}", now(journal.release(&session, &claim))),
        format!("{:?}", journal.is_durable()),
        format!("{:?}", now(journal.put_blob(&session, &bytes)).unwrap()),
        format!("{:?}", now(journal.blob(&session, "n")).unwrap()),
        format!("{:?}", now(journal.remove(&session)).unwrap()),
        format!("{:?}", journal.snapshot_every()),
        format!(
            "{:?}",
            now(journal.keep_snapshot(&session, Snapshot::new(Seq::new(1), Vec::new())))
        ),
        format!("{:?}", now(journal.snapshot(&session)).unwrap()),
    ]
}

#[test]
fn what_a_wrapping_journal_does_not_define_is_passed_on() {
    let journal = Arc::new(Noting::default());
    let own = ask(&journal);
    let all = std::mem::take(&mut *journal.asked.lock().unwrap());
    assert_eq!(all.len(), own.len(), "each has its note: {all:?}");

    let wrapping = |tells| Wrapping {
        journal: Arc::clone(&journal),
        tells,
    };
    for wrapped in [
        Arc::new(wrapping(true)) as Arc<dyn Journal>,
        Arc::new(Arc::new(wrapping(true))),
    ] {
        assert_eq!(ask(&*wrapped), own);
        assert_eq!(std::mem::take(&mut *journal.asked.lock().unwrap()), all);
    }

    let defaults = ["Ok(())", "true", "None", "None", "false", "None", "Ok(())", "None"];
    assert_eq!(ask(&wrapping(false)), defaults);
    assert!(journal.asked.lock().unwrap().is_empty());
}
