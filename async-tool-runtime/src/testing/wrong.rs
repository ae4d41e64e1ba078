//! Findings of a test suite.

use std::{error::Error, fmt};

/// Maximum length of a text that is shown, in characters.
const SHOWN: usize = 240;
/// Number of equal characters that are shown before the first difference.
const LEAD: usize = 60;

/// Result of a check.
pub(super) type Checked<T = ()> = Result<T, Wrong>;

/// Difference between the expected and the actual result of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    doing: String,
    expected: String,
    found: String,
}

impl Wrong {
    pub(super) fn new(doing: impl Into<String>, expected: &str, found: &str) -> Self {
        let equal = expected.chars().zip(found.chars()).take_while(|(a, b)| a == b).count();
        let skipped = if expected.chars().count().max(found.chars().count()) > SHOWN {
            equal.saturating_sub(LEAD)
        } else {
            0
        };
        Self {
            doing: doing.into(),
            expected: part(expected, skipped),
            found: part(found, skipped),
        }
    }

    pub(super) fn doing(&self) -> &str {
        &self.doing
    }

    pub(super) fn expected(&self) -> &str {
        &self.expected
    }

    pub(super) fn found(&self) -> &str {
        &self.found
    }

    /// An unexpected error.
    pub(super) fn error(doing: impl Into<String>, error: &dyn Error) -> Self {
        let mut found = format!("the error `{error}`");
        let mut source = error.source();
        while let Some(below) = source {
            found.push_str(&format!(", caused by `{below}`"));
            source = below.source();
        }
        Self::new(doing, "no error", &found)
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { doing, expected, found } = self;
        writeln!(f, "   doing: {doing}")?;
        writeln!(f, "expected: {expected}")?;
        write!(f, "   found: {found}")
    }
}

fn part(text: &str, skipped: usize) -> String {
    let mut letters = text.chars();
    let mut part = String::new();
    if skipped > 0 {
        part.push_str(&format!("({skipped} characters) …"));
        letters.nth(skipped - 1);
    }
    part.extend(letters.by_ref().take(SHOWN));
    match letters.count() {
        0 => part,
        rest => format!("{part}… ({rest} characters)"),
    }
}
