//! Rules that a backend broke.

use std::{error::Error, fmt};

use super::{super::wrong::Wrong, rule::BackendRule};

/// A rule that a backend broke.
///
/// ```
/// use async_tool_runtime::testing::BrokenBackendRule;
///
/// fn show(broken: &BrokenBackendRule) -> String {
///     format!("{}: expected {}, found {}", broken.doing(), broken.expected(), broken.found())
/// }
/// # let _ = show;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenBackendRule {
    rule: BackendRule,
    wrong: Wrong,
}

impl BrokenBackendRule {
    pub(super) const fn new(rule: BackendRule, wrong: Wrong) -> Self {
        Self { rule, wrong }
    }

    /// Rule that was broken.
    #[must_use]
    pub const fn rule(&self) -> BackendRule {
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

impl fmt::Display for BrokenBackendRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n{}", self.rule.name(), self.rule, self.wrong)
    }
}

/// Rules that a backend broke; at least one.
///
/// ```
/// use async_tool_runtime::testing::BackendSuiteError;
///
/// fn names(error: &BackendSuiteError) -> Vec<&str> {
///     error.broken().iter().map(|broken| broken.rule().name()).collect()
/// }
/// # let _ = names;
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct BackendSuiteError {
    pub(super) broken: Vec<BrokenBackendRule>,
    pub(super) kept: usize,
}

impl BackendSuiteError {
    /// Broken rules, in the order of [`BackendRule::ALL`].
    #[must_use]
    pub fn broken(&self) -> &[BrokenBackendRule] {
        &self.broken
    }
}

impl fmt::Display for BackendSuiteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (broken, kept) = (self.broken.len(), self.kept);
        write!(f, "the backend breaks {broken} of {} rules", broken + kept)?;
        for rule in &self.broken {
            write!(f, "\n\n{rule}")?;
        }
        Ok(())
    }
}

/// Same text as `Display`, because the test harness prints the error of a test with `Debug`.
impl fmt::Debug for BackendSuiteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for BackendSuiteError {}
