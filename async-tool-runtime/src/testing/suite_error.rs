//! Failure of a suite.

use std::{error::Error, fmt};

use super::{BackendRule, BrokenRule, JournalRule};

/// Rules that were broken in a run of a suite; at least one.
///
/// ```
/// # use async_tool_runtime::{journal::MemoryJournal, testing::JournalStore};
/// use async_tool_runtime::testing::{JournalRule, JournalSuite};
/// # use std::{error::Error, sync::Arc};
///
/// /// Opened again, it is empty.
/// struct Forgetful;
/// # impl JournalStore for Forgetful {
/// #     type Journal = Arc<MemoryJournal>;
/// #     async fn open(&self) -> Result<Self::Journal, Box<dyn Error + Send + Sync>> {
/// #         Ok(Arc::new(MemoryJournal::new()))
/// #     }
/// # }
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
/// # runtime.block_on(async {
/// let suite = JournalSuite::new(|| Forgetful).rules([JournalRule::Reopening]);
/// let failure = suite.run().await.unwrap_err();
/// assert!(failure.to_string().starts_with("the journal breaks 1 of 1 rules"));
/// assert_eq!(failure.broken().len(), 1);
/// # });
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SuiteError<R> {
    pub(super) subject: &'static str,
    pub(super) broken: Vec<BrokenRule<R>>,
    pub(super) kept: usize,
}

/// Rules that a journal broke.
pub type JournalSuiteError = SuiteError<JournalRule>;

/// Rules that a backend broke.
pub type BackendSuiteError = SuiteError<BackendRule>;

impl<R> SuiteError<R> {
    /// Broken rules, in the order in which they were checked.
    #[must_use]
    pub fn broken(&self) -> &[BrokenRule<R>] {
        &self.broken
    }
}

impl<R: fmt::Display> fmt::Display for SuiteError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (subject, broken, kept) = (self.subject, self.broken.len(), self.kept);
        write!(f, "the {subject} breaks {broken} of {} rules", broken + kept)?;
        for rule in &self.broken {
            write!(f, "\n\n{rule}")?;
        }
        Ok(())
    }
}

/// Same text as `Display`, because the test harness prints the error of a test with `Debug`.
impl<R: fmt::Display> fmt::Debug for SuiteError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<R: fmt::Display> Error for SuiteError<R> {}
