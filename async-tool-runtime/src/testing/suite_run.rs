//! Run of a suite.

use std::time::Duration;

use super::{
    BrokenRule,
    real_time::RealTime,
    suite_error::SuiteError,
    wrong::{Checked, Wrong},
};
use crate::unwind::text_of;

/// Run of a suite's rules, one after the other.
pub(super) struct SuiteRun {
    /// Subject of the rules, such as "journal".
    pub(super) subject: &'static str,
    /// Longest time of a rule.
    pub(super) within: Duration,
}

impl SuiteRun {
    /// Checks these rules, each with its name.
    pub(super) async fn of<R, F>(
        &self,
        rules: impl Iterator<Item = (R, &'static str)>,
        check: impl Fn(R) -> F,
    ) -> Result<(), SuiteError<R>>
    where
        R: Copy,
        F: Future<Output = Checked> + Send + 'static,
    {
        let (mut broken, mut kept) = (Vec::new(), 0);
        for (rule, name) in rules {
            match self.check(check(rule)).await {
                Ok(()) => kept += 1,
                Err(wrong) => broken.push(BrokenRule::new(rule, name, wrong)),
            }
        }
        if broken.is_empty() {
            return Ok(());
        }
        Err(SuiteError {
            subject: self.subject,
            broken,
            kept,
        })
    }

    async fn check(&self, check: impl Future<Output = Checked> + Send + 'static) -> Checked {
        let wrong = |expected: &str, found: &str| Err(Wrong::new("check the rule", expected, found));
        // A separate tokio task, so that a panic becomes a finding.
        let mut task = tokio::spawn(check);
        let limit = RealTime::start(self.within);
        let ended = tokio::select! {
            biased;
            ended = &mut task => ended,
            () = limit.passed() => {
                task.abort();
                let found = format!("it still waits for the {}", self.subject);
                return wrong(&format!("an end within {:?}", self.within), &found);
            }
        };
        ended.unwrap_or_else(|error| {
            let panic = error.try_into_panic().ok();
            let text = panic.as_ref().map_or("no message", |panic| text_of(&**panic));
            wrong("no panic", &format!("the {} panicked: {text}", self.subject))
        })
    }
}
