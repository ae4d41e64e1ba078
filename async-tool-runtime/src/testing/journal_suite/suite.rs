//! The suite, which checks all rules.

use std::time::Duration;

use super::{
    super::{suite_error::JournalSuiteError, suite_run::SuiteRun, wrong::Checked},
    JournalRule, JournalStore, batches, claims, contents, crashes, fences, releases, sessions, snapshots,
    stage::Stage,
};
use crate::future::BoxFuture;

/// Checks that a journal keeps the rules of [`Journal`](crate::journal::Journal), for authors of journals. The rules are those of its
/// documentation, and those on which the agent's promises rest.
///
/// Each of the [rules](JournalRule) gets a new store. The suite needs a running clock, so don't use it with paused time. With a fast store
/// it takes a few seconds.
///
/// ```
/// use async_tool_runtime::testing::{JournalSuiteError, JournalStore, JournalSuite};
/// use async_tool_runtime::{
///     future::{BoxFuture, BoxStream},
///     journal::{AppendError, Entry, MemoryJournal, ReadError, Seq, SessionFilter},
///     Journal, SessionId,
/// };
/// use std::{error::Error, sync::Arc};
///
/// /// Stands for a directory: its entries are there when it is reopened.
/// struct Directory(Arc<MemoryJournal>);
///
/// impl JournalStore for Directory {
///     type Journal = Arc<MemoryJournal>;
///
///     async fn open(&self) -> Result<Self::Journal, Box<dyn Error + Send + Sync>> {
///         Ok(Arc::clone(&self.0))
///     }
/// }
///
/// // #[tokio::test]
/// async fn the_journal_keeps_the_rules() -> Result<(), JournalSuiteError> {
///     JournalSuite::new(|| Directory(Arc::new(MemoryJournal::new()))).run().await
/// }
///
/// // A journal in memory needs no store of its own, and can't be reopened.
/// // #[tokio::test]
/// async fn the_journal_in_memory_keeps_the_rules() -> Result<(), JournalSuiteError> {
///     JournalSuite::new(|| Arc::new(MemoryJournal::new())).volatile().run().await
/// }
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
/// # runtime.block_on(async { the_journal_keeps_the_rules().await?; the_journal_in_memory_keeps_the_rules().await })?;
/// # Ok::<(), JournalSuiteError>(())
/// ```
///
/// A failure shows the rule, the expected and the actual result:
///
/// ```text
/// the journal breaks 1 of 34 rules
///
/// stale-fence: an append after an entry that isn't the last one is a conflict
///    doing: append 1 entry to session "s" after entry 1, where entry 3 is the last
/// expected: a conflict
///    found: the entry was written at position 4
/// ```
#[derive(Clone, Debug)]
#[must_use = "a suite does nothing until it is run"]
pub struct JournalSuite<F> {
    new_store: F,
    rules: Vec<JournalRule>,
    is_volatile: bool,
    within: Duration,
}

impl<F, S> JournalSuite<F>
where
    F: Fn() -> S,
    S: JournalStore,
{
    /// A suite for the journals of these stores. `new_store` returns a new, empty store each time.
    pub fn new(new_store: F) -> Self {
        Self {
            new_store,
            rules: JournalRule::ALL.to_vec(),
            is_volatile: false,
            within: Duration::from_secs(120),
        }
    }

    /// Skips the rules that reopen the store, for a store that ends with its journal, such as memory.
    pub fn volatile(mut self) -> Self {
        self.is_volatile = true;
        self
    }

    /// Checks only these rules, for work on one of them.
    ///
    /// ```
    /// use async_tool_runtime::journal::MemoryJournal;
    /// use async_tool_runtime::testing::{JournalRule, JournalSuite};
    /// use std::sync::Arc;
    ///
    /// let suite = JournalSuite::new(|| Arc::new(MemoryJournal::new())).rules([JournalRule::StaleFence, JournalRule::FutureFence]);
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    /// # runtime.block_on(async {
    /// suite.run().await?;
    /// # Ok::<(), async_tool_runtime::testing::JournalSuiteError>(())
    /// # })?;
    /// # Ok::<(), async_tool_runtime::testing::JournalSuiteError>(())
    /// ```
    pub fn rules(mut self, rules: impl IntoIterator<Item = JournalRule>) -> Self {
        self.rules = rules.into_iter().collect();
        self
    }

    /// Limits the real time of each rule. A journal that takes longer breaks the rule. Default: 2 minutes.
    pub fn within(mut self, limit: Duration) -> Self {
        self.within = limit;
        self
    }

    /// Checks the rules, one after the other.
    ///
    /// # Errors
    ///
    /// [`JournalSuiteError`] with all broken rules. A rule is also broken if the journal panics, fails or takes too long while it is checked.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: the check of a rule that has begun continues in the background, and its finding is dropped.
    pub async fn run(&self) -> Result<(), JournalSuiteError> {
        let is_checked = |rule: &&JournalRule| !(self.is_volatile && rule.is_of_reopening());
        let rules = self.rules.iter().filter(is_checked).map(|rule| (*rule, rule.name()));
        let run = SuiteRun {
            subject: "journal",
            within: self.within,
        };
        let check = |rule| {
            let store = (self.new_store)();
            async move { check_rule(rule, Stage::new(store).await?).await }
        };
        run.of(rules, check).await
    }
}

fn check_rule<S: JournalStore>(rule: JournalRule, stage: Stage<S>) -> BoxFuture<'static, Checked> {
    match rule {
        JournalRule::Place => Box::pin(batches::place(stage)),
        JournalRule::Order => Box::pin(batches::order(stage)),
        JournalRule::ReadAfter => Box::pin(batches::read_after(stage)),
        JournalRule::WholeBatches => Box::pin(batches::whole_batches(stage)),
        JournalRule::LargeEntries => Box::pin(batches::large_entries(stage)),
        JournalRule::ManyEntries => Box::pin(batches::many_entries(stage)),
        JournalRule::StaleFence => Box::pin(fences::stale_fence(stage)),
        JournalRule::FutureFence => Box::pin(fences::future_fence(stage)),
        JournalRule::EmptyAppend => Box::pin(fences::empty_append(stage)),
        JournalRule::ConflictChangesNothing => Box::pin(fences::conflict_changes_nothing(stage)),
        JournalRule::ConflictSaysLast => Box::pin(fences::conflict_says_last(stage)),
        JournalRule::OneWriterWins => Box::pin(fences::one_writer_wins(stage)),
        JournalRule::SessionsApart => Box::pin(sessions::sessions_apart(stage)),
        JournalRule::Names => Box::pin(sessions::names(stage)),
        JournalRule::AllSessions => Box::pin(sessions::all_sessions(stage)),
        JournalRule::OpenSessions => Box::pin(sessions::open_sessions(stage)),
        JournalRule::ClosedSessions => Box::pin(sessions::closed_sessions(stage)),
        JournalRule::Removal => Box::pin(sessions::removal(stage)),
        JournalRule::Texts => Box::pin(contents::texts(stage)),
        JournalRule::EveryEntry => Box::pin(contents::every_entry(stage)),
        JournalRule::Numbers => Box::pin(contents::numbers(stage)),
        JournalRule::DeepValues => Box::pin(contents::deep_values(stage)),
        JournalRule::Release => Box::pin(releases::release(stage)),
        JournalRule::ReleaseOfAnother => Box::pin(releases::of_another(stage)),
        JournalRule::OneClaim => Box::pin(claims::one_claim(stage)),
        JournalRule::ClaimEnds => Box::pin(claims::claim_ends(stage)),
        JournalRule::RefusedClaimsNothing => Box::pin(claims::refused_claims_nothing(stage)),
        JournalRule::ReleaseKeepsTheFence => Box::pin(releases::keeps_the_fence(stage)),
        JournalRule::DroppedAppend => Box::pin(crashes::dropped_append(stage)),
        JournalRule::Reopening => Box::pin(crashes::reopening(stage)),
        JournalRule::KilledAppend => Box::pin(crashes::killed_append(stage)),
        JournalRule::SnapshotsAreTheSessions => Box::pin(snapshots::of_the_session(stage)),
        JournalRule::SnapshotsAreOfThePast => Box::pin(snapshots::of_the_past(stage)),
        JournalRule::SnapshotsChangeNothing => Box::pin(snapshots::change_nothing(stage)),
    }
}
