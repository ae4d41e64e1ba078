//! The part of a schema that a dialect can't express.

use std::borrow::Cow;

/// Broken rule and its fix. The dialect is missing, because several dialects share the step that refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) path: String,
    pub(super) keyword: Cow<'static, str>,
    /// The rule, to be read after the name of the dialect: `has no maps`.
    pub(super) rule: Cow<'static, str>,
    /// The fix, as an imperative.
    pub(super) hint: Cow<'static, str>,
    /// Part of the schema that breaks the rule, to be read after "has"; `None` for the keyword.
    pub(super) found: Option<Cow<'static, str>>,
}

impl Refusal {
    pub(super) fn new(
        path: &str,
        keyword: impl Into<Cow<'static, str>>,
        rule: impl Into<Cow<'static, str>>,
        hint: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            path: path.to_owned(),
            keyword: keyword.into(),
            rule: rule.into(),
            hint: hint.into(),
            found: None,
        }
    }

    /// Sets the part of the schema that breaks the rule.
    pub(super) fn found(mut self, found: impl Into<Cow<'static, str>>) -> Self {
        self.found = Some(found.into());
        self
    }
}
