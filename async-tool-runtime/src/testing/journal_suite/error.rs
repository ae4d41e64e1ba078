//! Rules that a journal broke.

use std::{error::Error, fmt};

use super::{super::wrong::Wrong, JournalRule};

/// A rule that a journal broke.
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
/// let broken = &failure.broken()[0];
/// assert_eq!(broken.rule(), JournalRule::Reopening);
/// println!("{}: expected {}, found {}", broken.doing(), broken.expected(), broken.found());
/// # });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenRule {
    rule: JournalRule,
    wrong: Wrong,
}

impl BrokenRule {
    pub(super) const fn new(rule: JournalRule, wrong: Wrong) -> Self {
        Self { rule, wrong }
    }

    /// Rule that was broken.
    #[must_use]
    pub const fn rule(&self) -> JournalRule {
        self.rule
    }

    /// Operation that broke the rule.
    #[must_use]
    pub fn doing(&self) -> &str {
        self.wrong.doing()
    }

    /// Expected result; of a long text only the part that differs.
    #[must_use]
    pub fn expected(&self) -> &str {
        self.wrong.expected()
    }

    /// Actual result; of a long text only the part that differs.
    #[must_use]
    pub fn found(&self) -> &str {
        self.wrong.found()
    }
}

impl fmt::Display for BrokenRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n{}", self.rule.name(), self.rule, self.wrong)
    }
}

/// Rules that a journal broke; at least one.
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
pub struct JournalSuiteError {
    pub(super) broken: Vec<BrokenRule>,
    pub(super) kept: usize,
}

impl JournalSuiteError {
    /// Broken rules, in the order of [`JournalRule::ALL`].
    #[must_use]
    pub fn broken(&self) -> &[BrokenRule] {
        &self.broken
    }
}

impl fmt::Display for JournalSuiteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (broken, kept) = (self.broken.len(), self.kept);
        write!(f, "the journal breaks {broken} of {} rules", broken + kept)?;
        for rule in &self.broken {
            write!(f, "\n\n{rule}")?;
        }
        Ok(())
    }
}

/// Same text as `Display`, because the test harness prints the error of a test with `Debug`.
impl fmt::Debug for JournalSuiteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for JournalSuiteError {}
