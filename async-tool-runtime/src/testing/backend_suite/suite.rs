//! The suite, which checks all rules.

use std::time::Duration;

use super::{
    super::{suite_error::BackendSuiteError, suite_run::SuiteRun, wrong::Checked},
    cancellations,
    engine::BackendEngine,
    heartbeats, lost_workers, outcomes, payloads,
    rule::BackendRule,
    stage::Stage,
    stopped_workers, submissions,
};
use crate::future::BoxFuture;

/// Checks that an engine keeps the rules of [`Backend`](crate::backend::Backend) and of its workers, for authors of backends. The rules are
/// those of the module [`backend`](crate::backend), on which the agent's promises rest.
///
/// The suite runs workers in this process, and kills and stops them. It needs a running clock, so don't use it with paused time. With
/// the engine in memory it takes a few seconds.
///
/// ```
/// use async_tool_runtime::testing::{BackendSuite, BackendSuiteError, MemoryEngine};
///
/// // #[tokio::test]
/// async fn the_engine_keeps_the_rules() -> Result<(), BackendSuiteError> {
///     BackendSuite::new(MemoryEngine::new).run().await
/// }
/// # let rules = [async_tool_runtime::testing::BackendRule::Kept];
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
/// # runtime.block_on(BackendSuite::new(MemoryEngine::new).rules(rules).run())?;
/// # let _ = the_engine_keeps_the_rules;
/// # Ok::<(), BackendSuiteError>(())
/// ```
///
/// A failure shows the rule, the expected and the actual result:
///
/// ```text
/// the backend breaks 1 of 26 rules
///
/// lost-once: a task that must not happen twice doesn't run again after its worker was lost
///    doing: count the starts of a task
/// expected: 1
///    found: 2
/// ```
#[derive(Clone, Debug)]
#[must_use = "a suite does nothing until it is run"]
pub struct BackendSuite<F> {
    new_engine: F,
    rules: Vec<BackendRule>,
    is_silent: bool,
    patience: Duration,
    within: Duration,
}

impl<F, E> BackendSuite<F>
where
    F: Fn() -> E,
    E: BackendEngine,
{
    /// A suite for these engines. `new_engine` is called once for each rule; it MAY return the same engine, with a queue of its own for
    /// each rule.
    pub fn new(new_engine: F) -> Self {
        Self {
            new_engine,
            rules: BackendRule::ALL.to_vec(),
            is_silent: false,
            patience: Duration::from_secs(30),
            within: Duration::from_secs(120),
        }
    }

    /// Skips the rules about heartbeats, for an engine that tells nothing of a running task.
    pub fn silent(mut self) -> Self {
        self.is_silent = true;
        self
    }

    /// Checks only these rules, for work on one of them.
    pub fn rules(mut self, rules: impl IntoIterator<Item = BackendRule>) -> Self {
        self.rules = rules.into_iter().collect();
        self
    }

    /// Limits each wait for the engine, such as the wait until it notices that a worker is lost. Default: 30 s.
    pub fn patience(mut self, limit: Duration) -> Self {
        self.patience = limit;
        self
    }

    /// Limits the real time of each rule. A backend that takes longer breaks the rule. Default: 2 minutes.
    pub fn within(mut self, limit: Duration) -> Self {
        self.within = limit;
        self
    }

    /// Checks the rules, one after the other.
    ///
    /// # Errors
    ///
    /// [`BackendSuiteError`] with all broken rules. A rule is also broken if the backend panics, fails or takes too long while it is checked.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: the check of a rule that has begun continues in the background, and its finding is dropped.
    pub async fn run(&self) -> Result<(), BackendSuiteError> {
        let is_checked = |rule: &&BackendRule| !(self.is_silent && rule.is_of_heartbeats());
        let rules = self.rules.iter().filter(is_checked).map(|rule| (*rule, rule.name()));
        let run = SuiteRun {
            subject: "backend",
            within: self.within,
        };
        let check = |rule| {
            let (engine, patience) = ((self.new_engine)(), self.patience);
            async move { check_rule(rule, Stage::new(engine, patience).await?).await }
        };
        run.of(rules, check).await
    }
}

fn check_rule<E: BackendEngine>(rule: BackendRule, stage: Stage<E>) -> BoxFuture<'static, Checked> {
    match rule {
        BackendRule::Kept => Box::pin(submissions::kept(stage)),
        BackendRule::SubmittedTwice => Box::pin(submissions::submitted_twice(stage)),
        BackendRule::SubmittedAfterItsEnd => Box::pin(submissions::submitted_after_its_end(stage)),
        BackendRule::WholeTasks => Box::pin(submissions::whole_tasks(stage)),
        BackendRule::UnknownTask => Box::pin(submissions::unknown_task(stage)),
        BackendRule::OpenTasks => Box::pin(submissions::open_tasks(stage)),
        BackendRule::LargeTasks => Box::pin(payloads::large_tasks(stage)),
        BackendRule::LargeEnds => Box::pin(payloads::large_ends(stage)),
        BackendRule::EveryEnd => Box::pin(outcomes::every_end(stage)),
        BackendRule::EndsAnywhere => Box::pin(outcomes::ends_anywhere(stage)),
        BackendRule::ManyTasks => Box::pin(outcomes::many_tasks(stage)),
        BackendRule::FreeSlots => Box::pin(outcomes::free_slots(stage)),
        BackendRule::CancelRunning => Box::pin(cancellations::cancel_running(stage)),
        BackendRule::CancelWaiting => Box::pin(cancellations::cancel_waiting(stage)),
        BackendRule::CancelEnded => Box::pin(cancellations::cancel_ended(stage)),
        BackendRule::Abort => Box::pin(cancellations::abort(stage)),
        BackendRule::LostWorker => Box::pin(lost_workers::lost_worker(stage)),
        BackendRule::LostOnce => Box::pin(lost_workers::lost_once(stage)),
        BackendRule::CountedStarts => Box::pin(lost_workers::counted_starts(stage)),
        BackendRule::Neighbours => Box::pin(lost_workers::neighbours(stage)),
        BackendRule::StoppedWorker => Box::pin(stopped_workers::stopped_worker(stage)),
        BackendRule::StoppedOnce => Box::pin(stopped_workers::stopped_once(stage)),
        BackendRule::StopsAreNoStarts => Box::pin(stopped_workers::stops_are_no_starts(stage)),
        BackendRule::UnknownTool => Box::pin(stopped_workers::unknown_tool(stage)),
        BackendRule::Started => Box::pin(heartbeats::started(stage)),
        BackendRule::Progress => Box::pin(heartbeats::progress(stage)),
    }
}
