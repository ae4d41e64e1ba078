//! A rule that was broken.

use std::fmt;

use super::wrong::Wrong;

/// A rule of a suite that was broken.
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
pub struct BrokenRule<R> {
    rule: R,
    name: &'static str,
    wrong: Wrong,
}

impl<R: Copy> BrokenRule<R> {
    pub(super) const fn new(rule: R, name: &'static str, wrong: Wrong) -> Self {
        Self { rule, name, wrong }
    }

    /// Rule that was broken.
    #[must_use]
    pub const fn rule(&self) -> R {
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

impl<R: fmt::Display> fmt::Display for BrokenRule<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n{}", self.name, self.rule, self.wrong)
    }
}
