//! The suite for journals: the journal in memory passes, and each rule finds the journal that breaks it.

use std::{
    collections::HashMap,
    error::Error,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use async_tool_runtime::{
    Journal, SessionId, TaskOutcome,
    future::{BoxFuture, BoxStream},
    journal::{AppendError, Asked, Claim, Entry, MemoryJournal, ReadError, Seq, SessionFilter, Snapshot, WeakClaim},
    testing::{JournalRule, JournalStore, JournalSuite, JournalSuiteError},
};
use serde_json::{Value, json};
use tokio::task::yield_now;

#[tokio::test]
async fn the_journal_in_memory_keeps_all_rules() -> Result<(), JournalSuiteError> {
    JournalSuite::new(|| Arc::new(MemoryJournal::new()))
        .volatile()
        .run()
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_journal_in_memory_keeps_all_rules_on_many_threads() -> Result<(), JournalSuiteError> {
    JournalSuite::new(|| Arc::new(MemoryJournal::new()))
        .volatile()
        .run()
        .await
}

#[tokio::test]
async fn a_journal_without_a_flaw_keeps_all_rules() -> Result<(), JournalSuiteError> {
    JournalSuite::new(|| Disk::new(None)).run().await
}

#[tokio::test]
async fn each_rule_finds_the_journal_that_breaks_it() {
    for (flaw, rule) in FLAWS {
        let failure = broken_by(*flaw, &[*rule]).await;
        let broken = &failure.broken()[0];
        assert_eq!(broken.rule(), *rule);
        assert!(
            !broken.found().starts_with("the journal panicked"),
            "{flaw:?}: {failure}"
        );
        assert!(failure.to_string().contains(&rule.to_string()), "{flaw:?}: {failure}");
    }
    let is_missed = |rule: &&JournalRule| FLAWS.iter().all(|(_, found)| found != *rule);
    let missed: Vec<_> = JournalRule::ALL.iter().filter(is_missed).collect();
    assert!(missed.is_empty(), "rules that no flaw breaks: {missed:?}");
}

#[tokio::test]
async fn a_failure_names_the_rule_the_expected_and_the_found_value() {
    let failure = broken_by(Flaw::TakesStaleFences, &[JournalRule::Place, JournalRule::StaleFence]).await;
    expect_test::expect![[r#"
        the journal breaks 1 of 2 rules

        stale-fence: an append after an entry that isn't the last one is a conflict
           doing: append 1 entry to session "s" after entry 0, where entry 3 is the last
        expected: a conflict
           found: the entry was written at position 4"#]]
    .assert_eq(&failure.to_string());
    // A test that returns the failure is reported with `Debug`.
    assert_eq!(format!("{failure:?}"), failure.to_string());
}

#[tokio::test]
async fn a_failure_shows_the_place_at_which_long_texts_differ() {
    let failure = broken_by(Flaw::CutsTexts, &[JournalRule::LargeEntries]).await;
    let broken = &failure.broken()[0];
    expect_test::expect![
        "(1048547 characters) …aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"at\":0}"
    ]
    .assert_eq(broken.expected());
    expect_test::expect![
        "(1048547 characters) …aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"at\":0}"
    ]
    .assert_eq(broken.found());
}

#[tokio::test]
async fn an_error_of_the_store_and_a_panic_and_a_journal_that_never_answers_are_findings() {
    let table = [
        (
            Flaw::Fails,
            "the error `the journal can't be written to`, caused by `disk full`",
        ),
        (Flaw::Panics, "the journal panicked: index out of bounds"),
        (Flaw::Hangs, "it still waits for the journal"),
    ];
    for (flaw, expected) in table {
        let suite = JournalSuite::new(move || Disk::new(Some(flaw)));
        let suite = suite.rules([JournalRule::Place]).within(Duration::from_millis(50));
        let failure = suite.run().await.unwrap_err();
        assert_eq!(failure.broken()[0].found(), expected);
    }
}

#[tokio::test]
async fn a_volatile_journal_is_not_opened_again() {
    let suite = JournalSuite::new(|| Disk::new(Some(Flaw::WritesLater)));
    suite.clone().volatile().run().await.unwrap();
    suite.run().await.unwrap_err();
}

async fn broken_by(flaw: Flaw, rules: &[JournalRule]) -> JournalSuiteError {
    let suite = JournalSuite::new(move || Disk::new(Some(flaw))).rules(rules.iter().copied());
    suite.run().await.expect_err(&format!("{flaw:?} breaks a rule"))
}

/// Flaw of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    GivesPlaceOfFirst,
    ReversesBatches,
    ReadsFromInsteadOfAfter,
    TakesStaleFences,
    TakesFutureFences,
    EmptyIsNotChecked,
    EmptyMakesSession,
    ConflictMakesSession,
    ConflictRepeatsAfter,
    WritesOneByOne,
    RemembersSession,
    ChecksThenWrites,
    IgnoresCase,
    EndsNamesAtNul,
    CutsTexts,
    ReadsLineBreaks,
    ForgetsCuts,
    RoundsFloats,
    MakesWholeFloatsIntegers,
    RefusesDeepValues,
    RefusesLargeEntries,
    CountsInSixteenBits,
    ListsAPage,
    ListsClosedAsOpen,
    ListsNoneAsOpen,
    ForgetsClosed,
    RemovesOpen,
    RemovesHalf,
    StaysLocked,
    WritesLater,
    ForgetsFences,
    WritesInHalves,
    SharesSnapshots,
    KeepsSnapshotsOfTheFuture,
    SnapshotMakesSession,
    HoldsReleased,
    ReleasesAll,
    ReleasesForOthers,
    ReleaseWrites,
    ReleasesForGood,
    SharesByJournal,
    SharesByProcess,
    LetsRacersIn,
    KeepsClosed,
    KeepsDropped,
    KeepsLost,
    TakesLost,
    RefusalClaims,
    RefusalConfirms,
    Fails,
    Panics,
    Hangs,
}

/// A rule that each flaw breaks.
const FLAWS: &[(Flaw, JournalRule)] = {
    use JournalRule as Rule;
    &[
        (Flaw::GivesPlaceOfFirst, Rule::Place),
        (Flaw::ReversesBatches, Rule::Order),
        (Flaw::ReadsFromInsteadOfAfter, Rule::ReadAfter),
        (Flaw::TakesStaleFences, Rule::StaleFence),
        (Flaw::TakesFutureFences, Rule::FutureFence),
        (Flaw::EmptyIsNotChecked, Rule::EmptyAppend),
        (Flaw::EmptyMakesSession, Rule::EmptyAppend),
        (Flaw::ConflictMakesSession, Rule::ConflictChangesNothing),
        (Flaw::ConflictRepeatsAfter, Rule::ConflictSaysLast),
        (Flaw::WritesOneByOne, Rule::WholeBatches),
        (Flaw::RemembersSession, Rule::SessionsApart),
        (Flaw::ChecksThenWrites, Rule::OneWriterWins),
        (Flaw::IgnoresCase, Rule::Names),
        (Flaw::EndsNamesAtNul, Rule::Names),
        (Flaw::CutsTexts, Rule::LargeEntries),
        (Flaw::ReadsLineBreaks, Rule::Texts),
        (Flaw::ForgetsCuts, Rule::EveryEntry),
        (Flaw::RoundsFloats, Rule::Numbers),
        (Flaw::MakesWholeFloatsIntegers, Rule::Numbers),
        (Flaw::RefusesDeepValues, Rule::DeepValues),
        (Flaw::RefusesLargeEntries, Rule::LargeEntries),
        (Flaw::CountsInSixteenBits, Rule::ManyEntries),
        (Flaw::ListsAPage, Rule::AllSessions),
        (Flaw::ListsClosedAsOpen, Rule::OpenSessions),
        (Flaw::ListsNoneAsOpen, Rule::OpenSessions),
        (Flaw::ForgetsClosed, Rule::ClosedSessions),
        (Flaw::RemovesOpen, Rule::Removal),
        (Flaw::RemovesHalf, Rule::Removal),
        (Flaw::StaysLocked, Rule::DroppedAppend),
        (Flaw::WritesLater, Rule::Reopening),
        (Flaw::ForgetsFences, Rule::Reopening),
        (Flaw::WritesInHalves, Rule::KilledAppend),
        (Flaw::SharesSnapshots, Rule::SnapshotsAreTheSessions),
        (Flaw::KeepsSnapshotsOfTheFuture, Rule::SnapshotsAreOfThePast),
        (Flaw::SnapshotMakesSession, Rule::SnapshotsChangeNothing),
        (Flaw::HoldsReleased, Rule::Release),
        (Flaw::ReleasesAll, Rule::Release),
        (Flaw::ReleasesForOthers, Rule::ReleaseOfAnother),
        (Flaw::ReleaseWrites, Rule::ReleaseKeepsTheFence),
        (Flaw::ReleasesForGood, Rule::ReleaseKeepsTheFence),
        (Flaw::SharesByJournal, Rule::OneClaim),
        (Flaw::SharesByProcess, Rule::OneClaim),
        (Flaw::LetsRacersIn, Rule::OneClaim),
        (Flaw::KeepsClosed, Rule::OneClaim),
        (Flaw::KeepsDropped, Rule::ClaimEnds),
        (Flaw::KeepsLost, Rule::ClaimEnds),
        (Flaw::TakesLost, Rule::ClaimEnds),
        (Flaw::RefusalClaims, Rule::RefusedClaimsNothing),
        (Flaw::RefusalConfirms, Rule::RefusedClaimsNothing),
    ]
};

/// Entries on disk, shared by all that open the journal.
struct Disk {
    flaw: Option<Flaw>,
    written: Arc<Mutex<Logs>>,
    /// Entries that all open journals see at once.
    shared: Arc<Mutex<Logs>>,
    holds: Arc<Mutex<Holds>>,
    opened: AtomicUsize,
}

type Logs = HashMap<String, Vec<Entry>>;
/// The journal that holds each session, and its claim.
type Holds = HashMap<String, (usize, WeakClaim)>;

impl Disk {
    fn new(flaw: Option<Flaw>) -> Self {
        Self {
            flaw,
            written: Arc::default(),
            shared: Arc::default(),
            holds: Arc::default(),
            opened: AtomicUsize::new(0),
        }
    }

    /// True if more than one journal can use the store at a time; each then holds its sessions.
    fn is_shared(&self) -> bool {
        matches!(
            self.flaw,
            Some(Flaw::HoldsReleased | Flaw::ReleasesAll | Flaw::ReleasesForOthers | Flaw::SharesByProcess)
        )
    }
}

impl JournalStore for Disk {
    type Journal = Flawed;

    async fn open(&self) -> Result<Flawed, Box<dyn Error + Send + Sync>> {
        let logs = self.written.lock().unwrap().clone();
        Ok(Flawed {
            flaw: self.flaw,
            disk: Arc::clone(&self.written),
            logs: match self.is_shared() {
                true => Arc::clone(&self.shared),
                false => Arc::new(Mutex::new(logs)),
            },
            holds: Arc::clone(&self.holds),
            number: self.opened.fetch_add(1, Ordering::SeqCst),
            is_given_up: AtomicBool::new(false),
            snapshots: Mutex::default(),
            current: Mutex::default(),
            is_locked: AtomicBool::new(false),
            is_reopened: !self.written.lock().unwrap().is_empty(),
        })
    }
}

/// A journal that is correct except for its flaw. [`FailingJournal`](crate::stand::FailingJournal) can't break these
/// rules: they are about stored entries.
struct Flawed {
    flaw: Option<Flaw>,
    disk: Arc<Mutex<Logs>>,
    logs: Arc<Mutex<Logs>>,
    holds: Arc<Mutex<Holds>>,
    number: usize,
    is_given_up: AtomicBool,
    snapshots: Mutex<HashMap<String, Snapshot>>,
    current: Mutex<String>,
    is_locked: AtomicBool,
    is_reopened: bool,
}

impl Flawed {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn logs(&self) -> MutexGuard<'_, Logs> {
        self.logs.lock().unwrap()
    }

    fn key(&self, session: &SessionId) -> String {
        let name = session.as_str();
        match self.flaw {
            Some(Flaw::IgnoresCase) => name.to_ascii_lowercase(),
            Some(Flaw::EndsNamesAtNul) => name.split('\0').next().unwrap_or_default().to_owned(),
            _ => name.to_owned(),
        }
    }

    fn check(&self, key: &str, after: Seq, entries: &[Entry]) -> Result<(), AppendError> {
        let last = self.logs().get(key).map_or(0, Vec::len) as u64;
        let is_taken = match self.flaw {
            Some(Flaw::TakesStaleFences) => after.as_u64() <= last,
            Some(Flaw::TakesFutureFences) => after.as_u64() >= last,
            Some(Flaw::EmptyIsNotChecked) => entries.is_empty() || after.as_u64() == last,
            Some(Flaw::ForgetsFences) => self.is_reopened || after.as_u64() == last,
            _ => after.as_u64() == last,
        };
        if is_taken {
            return Ok(());
        }
        if self.has(Flaw::ConflictMakesSession) {
            self.logs().entry(key.to_owned()).or_default();
        }
        let last = match self.flaw {
            Some(Flaw::ConflictRepeatsAfter) => after,
            _ => Seq::new(last),
        };
        Err(AppendError::Conflict { last })
    }

    fn written(&self, entry: &Entry) -> Entry {
        let mut entry = entry.clone();
        match (self.flaw, &mut entry) {
            (Some(Flaw::CutsTexts), Entry::UserMessage { text, .. }) if text.len() == 1 << 20 => {
                text.pop();
            }
            (Some(Flaw::ReadsLineBreaks), Entry::UserMessage { text, .. }) => *text = text.replace("\r\n", "\n"),
            (Some(Flaw::ForgetsCuts), Entry::TurnEnded { cuts, .. }) => *cuts = 0,
            (Some(Flaw::RoundsFloats | Flaw::MakesWholeFloatsIntegers), Entry::Settled { result }) => {
                if let TaskOutcome::Completed(value) = &mut Arc::make_mut(result).outcome {
                    self.change_floats(value);
                }
            }
            _ => {}
        }
        entry
    }

    fn change_floats(&self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.change_floats(item)),
            Value::Number(number) if number.is_f64() => {
                let float = number.as_f64().unwrap();
                if self.has(Flaw::MakesWholeFloatsIntegers) && float == 1.0 {
                    *value = json!(1);
                }
                // Changes the last bit of numbers with full precision, as a fast JSON parser does.
                if self.has(Flaw::RoundsFloats) && float.to_string().len() > 20 {
                    *value = json!(f64::from_bits(float.to_bits() ^ 1));
                }
            }
            _ => {}
        }
    }

    fn refuses(&self, entry: &Entry) -> bool {
        match self.flaw {
            Some(Flaw::RefusesDeepValues) => serde_json::to_string(entry).unwrap().contains(&"[".repeat(120)),
            Some(Flaw::RefusesLargeEntries) => serde_json::to_string(entry).unwrap().len() > 1_000_000,
            Some(Flaw::Fails) => true,
            _ => false,
        }
    }

    fn add(&self, key: &str, entries: impl IntoIterator<Item = Entry>) -> Seq {
        let mut logs = self.logs();
        let log = logs.entry(key.to_owned()).or_default();
        let before = log.clone();
        log.extend(entries);
        if self.has(Flaw::ForgetsClosed) && matches!(log.last(), Some(Entry::Closed { .. })) {
            log.truncate(1);
        }
        let disk = if self.has(Flaw::WritesLater) {
            before
        } else {
            Vec::new()
        };
        let mut written = self.disk.lock().unwrap();
        // Only tests that open the journal again need a disk, and copies of a long session take too long.
        if log.len() < 1_000 {
            written.insert(key.to_owned(), if disk.is_empty() { log.clone() } else { disk });
        }
        Seq::new(log.len() as u64)
    }
}

impl Journal for Flawed {
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        claim: &'a Claim,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        Box::pin(async move {
            let key = self.key(session);
            match self.flaw {
                Some(Flaw::Panics) => panic!("index out of bounds"),
                Some(Flaw::Hangs) => std::future::pending().await,
                _ => {}
            }
            let was_free = self.take(&key, claim)?;
            let written = self.write(key.clone(), after, entries).await;
            let is_closed = matches!(
                self.logs().get(&key).and_then(|log| log.last()),
                Some(Entry::Closed { .. })
            );
            let is_refused = written.is_err() && !self.has(Flaw::RefusalClaims);
            if (was_free && is_refused) || (is_closed && !self.has(Flaw::KeepsClosed)) {
                self.holds.lock().unwrap().remove(&key);
            }
            if written.is_ok() || self.has(Flaw::RefusalConfirms) {
                claim.confirm(Asked::now(), Duration::MAX);
            }
            written
        })
    }

    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
        let entries = self.logs().get(&self.key(session)).cloned().unwrap_or_default();
        let numbered = (1..).map(Seq::new).zip(entries);
        let is_wanted = |seq: Seq| seq > after || (self.has(Flaw::ReadsFromInsteadOfAfter) && seq == after);
        let wanted: Vec<_> = numbered.filter(|(seq, _)| is_wanted(*seq)).map(Ok).collect();
        let limit = if self.has(Flaw::CountsInSixteenBits) {
            1 << 16
        } else {
            usize::MAX
        };
        Box::pin(Listed(wanted.into_iter().take(limit).collect::<Vec<_>>().into_iter()))
    }

    fn release<'a>(&'a self, session: &'a SessionId, claim: &'a Claim) -> BoxFuture<'a, Result<(), AppendError>> {
        let key = self.key(session);
        let mut holds = self.holds.lock().unwrap();
        match self.flaw {
            Some(Flaw::HoldsReleased) => {}
            Some(Flaw::ReleasesAll) => holds.clear(),
            Some(Flaw::ReleasesForOthers) => drop(holds.remove(&key)),
            _ => holds.retain(|held, (_, tenant)| *held != key || !tenant.is_of(claim)),
        }
        match self.flaw {
            Some(Flaw::ReleaseWrites) => drop(self.logs().entry(key).or_default().pop()),
            Some(Flaw::ReleasesForGood) => self.is_given_up.store(true, Ordering::SeqCst),
            _ => {}
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn remove<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<bool, AppendError>> {
        let key = self.key(session);
        let mut logs = self.logs();
        let is_open = |log: &Vec<Entry>| !matches!(log.last(), Some(Entry::Closed { .. }));
        let is_kept = logs.get(&key).is_some_and(is_open) && !self.has(Flaw::RemovesOpen);
        if self.has(Flaw::RemovesHalf) {
            logs.entry(key).or_default().truncate(1);
        } else if !is_kept {
            logs.remove(&key);
            self.disk.lock().unwrap().remove(&key);
        }
        Box::pin(std::future::ready(Ok(!is_kept)))
    }

    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
        let logs = self.logs();
        let is_open = |log: &[Entry]| match self.flaw {
            Some(Flaw::ListsClosedAsOpen) => true,
            Some(Flaw::ListsNoneAsOpen) => false,
            _ => !matches!(log.last(), Some(Entry::Closed { .. })),
        };
        let wanted = logs
            .iter()
            .filter(|(_, log)| filter == SessionFilter::All || is_open(log));
        let limit = if self.has(Flaw::ListsAPage) { 100 } else { usize::MAX };
        let names: Vec<_> = wanted
            .take(limit)
            .map(|(name, _)| Ok(SessionId::new(name.as_str())))
            .collect();
        Box::pin(Listed(names.into_iter()))
    }

    fn keep_snapshot<'a>(
        &'a self,
        session: &'a SessionId,
        snapshot: Snapshot,
    ) -> BoxFuture<'a, Result<(), AppendError>> {
        let key = match self.flaw {
            Some(Flaw::SharesSnapshots) => session.as_str().to_ascii_lowercase(),
            _ => self.key(session),
        };
        if self.has(Flaw::SnapshotMakesSession) {
            self.logs().entry(key.clone()).or_default();
        }
        let last = self.logs().get(&key).map_or(0, Vec::len) as u64;
        if snapshot.seq.as_u64() <= last || self.has(Flaw::KeepsSnapshotsOfTheFuture) {
            self.snapshots.lock().unwrap().insert(key, snapshot);
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn snapshot<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<Option<Snapshot>, ReadError>> {
        let key = match self.flaw {
            Some(Flaw::SharesSnapshots) => session.as_str().to_ascii_lowercase(),
            _ => self.key(session),
        };
        let snapshot = self.snapshots.lock().unwrap().get(&key).cloned();
        Box::pin(std::future::ready(Ok(snapshot)))
    }
}

impl Flawed {
    /// Takes a session for an append; true if it was free. An unflawed hold is the claim's: in any open journal, until it is dropped or
    /// lost.
    fn take(&self, key: &str, claim: &Claim) -> Result<bool, AppendError> {
        let mut holds = self.holds.lock().unwrap();
        let is_ours = |(owner, tenant): &(usize, WeakClaim)| match self.flaw {
            Some(Flaw::SharesByProcess) => true,
            Some(Flaw::SharesByJournal) => *owner == self.number,
            Some(Flaw::KeepsDropped) if tenant.is_dropped() => false,
            Some(Flaw::KeepsLost) if !tenant.is_dropped() => tenant.is_of(claim),
            _ => tenant.live().is_none_or(|tenant| tenant == *claim),
        };
        let is_taken = holds.get(key).is_some_and(|hold| !is_ours(hold));
        if is_taken || (claim.is_lost() && !self.has(Flaw::TakesLost)) {
            return Err(AppendError::Taken { retry_after: None });
        }
        let was_free = holds.get(key).is_none_or(|(_, tenant)| !tenant.is_of(claim));
        if !self.has(Flaw::LetsRacersIn) || self.logs().contains_key(key) {
            holds.insert(key.to_owned(), (self.number, claim.downgrade()));
        }
        Ok(was_free)
    }

    async fn write(&self, mut key: String, after: Seq, entries: &[Entry]) -> Result<Seq, AppendError> {
        if self.is_given_up.load(Ordering::SeqCst) {
            return Err(AppendError::Conflict { last: after });
        }
        if entries.iter().any(|entry| self.refuses(entry)) {
            return Err(AppendError::Unavailable("disk full".into()));
        }
        if self.has(Flaw::StaysLocked) {
            if self.is_locked.swap(true, Ordering::SeqCst) {
                return Err(AppendError::Unavailable("locked".into()));
            }
            yield_now().await;
            self.is_locked.store(false, Ordering::SeqCst);
        }
        if entries.is_empty() {
            self.check(&key, after, entries)?;
            if self.has(Flaw::EmptyMakesSession) {
                self.logs().entry(key).or_default();
            }
            return Ok(after);
        }
        if self.has(Flaw::RemembersSession) {
            self.current.lock().unwrap().clone_from(&key);
            self.check(&key, after, entries)?;
            yield_now().await;
            key.clone_from(&self.current.lock().unwrap());
        }
        if self.has(Flaw::ChecksThenWrites) {
            self.check(&key, after, entries)?;
            yield_now().await;
            return Ok(self.add(&key, entries.iter().cloned()));
        }
        let entries: Vec<_> = entries.iter().map(|entry| self.written(entry)).collect();
        match self.flaw {
            Some(Flaw::WritesOneByOne) => {
                let mut last = after;
                for entry in entries {
                    last = self.checked(&key, last, [entry])?;
                    yield_now().await;
                }
                return Ok(last);
            }
            Some(Flaw::WritesInHalves) if entries.len() > 10 => {
                let half = [
                    self.logs().get(&key).cloned().unwrap_or_default(),
                    entries[..5].to_vec(),
                ]
                .concat();
                self.disk.lock().unwrap().insert(key.clone(), half);
                yield_now().await;
            }
            _ => {}
        }
        let first = Seq::new(after.as_u64().saturating_add(1));
        let last = match self.flaw {
            Some(Flaw::ReversesBatches) => self.checked(&key, after, entries.into_iter().rev())?,
            _ => self.checked(&key, after, entries)?,
        };
        Ok(if self.has(Flaw::GivesPlaceOfFirst) { first } else { last })
    }

    /// Checks the fence and appends in one step.
    fn checked(&self, key: &str, after: Seq, entries: impl IntoIterator<Item = Entry>) -> Result<Seq, AppendError> {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _one = ONE_AT_A_TIME.lock().unwrap();
        self.check(
            key,
            after,
            &[Entry::Closed {
                at: async_tool_runtime::task::Timestamp::from_millis(0),
            }],
        )?;
        Ok(self.add(key, entries))
    }
}

struct Listed<T>(std::vec::IntoIter<T>);

impl<T: Unpin> futures_core::Stream for Listed<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<T>> {
        Poll::Ready(self.0.next())
    }
}
