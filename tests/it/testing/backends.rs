//! The suite for backends: the engine in memory passes, and each rule finds the engine that breaks it.

mod flawed_engine;

use std::{thread, time::Duration};

use async_tool_runtime::{
    backend::BackendCapabilities,
    testing::{BackendRule, BackendSuite, BackendSuiteError, MemoryEngine},
};

use flawed_engine::{Flaw, FlawedEngine};
use tokio::runtime::Builder;

#[tokio::test]
async fn the_engine_in_memory_keeps_all_rules() -> Result<(), BackendSuiteError> {
    BackendSuite::new(MemoryEngine::new).run().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_engine_in_memory_keeps_all_rules_on_many_threads() -> Result<(), BackendSuiteError> {
    let without_limits = || MemoryEngine::with_capabilities(BackendCapabilities::default());
    BackendSuite::new(without_limits).run().await
}

#[tokio::test]
async fn an_engine_without_a_flaw_keeps_all_rules() -> Result<(), BackendSuiteError> {
    BackendSuite::new(|| FlawedEngine::new(None)).run().await
}

#[tokio::test]
async fn an_engine_that_gives_out_the_newest_task_first_keeps_all_rules() -> Result<(), BackendSuiteError> {
    BackendSuite::new(|| FlawedEngine::new(Some(Flaw::GivesOutTheNewest)))
        .run()
        .await
}

#[test]
fn each_rule_finds_the_engine_that_breaks_it() {
    // At once, because most of them wait for what never comes; each on a thread of its own, so that its order is the same in each run.
    let found = FLAWS.iter().map(|(flaw, rule)| {
        let run = || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                for _ in 0..tries(*flaw) {
                    broken_by(*flaw, *rule).await?;
                }
                Ok(())
            })
        };
        (flaw, rule, thread::spawn(run))
    });
    for (flaw, rule, failure) in found.collect::<Vec<_>>() {
        let failure: Result<(), BackendSuiteError> = failure.join().unwrap();
        let failure = failure.expect_err(&format!("{flaw:?} breaks {}", rule.name()));
        let broken = &failure.broken()[0];
        assert_eq!(broken.rule(), *rule);
        assert!(
            !broken.found().starts_with("the backend panicked"),
            "{flaw:?}: {failure}"
        );
        assert!(failure.to_string().contains(&rule.to_string()), "{flaw:?}: {failure}");
    }
    let is_missed = |rule: &&BackendRule| FLAWS.iter().all(|(_, found)| found != *rule);
    let missed: Vec<_> = BackendRule::ALL.iter().filter(is_missed).collect();
    assert!(missed.is_empty(), "rules that no flaw breaks: {missed:?}");
}

#[tokio::test]
async fn a_failure_names_the_rule_the_expected_and_the_found_value() {
    let failure = broken_by(Flaw::RunsAgainAfterItsEnd, BackendRule::SubmittedAfterItsEnd).await;
    let failure = failure.unwrap_err();
    expect_test::expect![[r#"
        the backend breaks 1 of 1 rules

        submitted-after-its-end: a task that is submitted again after its end doesn't run again, and keeps its end
           doing: count the starts of a task
        expected: 1
           found: 2"#]]
    .assert_eq(&failure.to_string());
    assert_eq!(format!("{failure:?}"), failure.to_string());
}

#[tokio::test]
async fn a_silent_engine_is_not_asked_for_heartbeats() {
    let rules = [BackendRule::Started, BackendRule::Progress];
    let suite = BackendSuite::new(|| FlawedEngine::new(Some(Flaw::TellsNoHeartbeats))).rules(rules);
    suite.clone().silent().run().await.unwrap();
    let failure = suite.patience(Duration::from_millis(200)).run().await.unwrap_err();
    assert_eq!(failure.broken().len(), 2);
}

/// Times that a rule is tried on an engine that breaks it. One flaw shows only if the tool that ends its workers is the first in line.
fn tries(flaw: Flaw) -> usize {
    if flaw == Flaw::CountsDeliveries { 8 } else { 1 }
}

async fn broken_by(flaw: Flaw, rule: BackendRule) -> Result<(), BackendSuiteError> {
    let suite = BackendSuite::new(move || FlawedEngine::new(Some(flaw)));
    suite.rules([rule]).patience(Duration::from_secs(3)).run().await
}

const FLAWS: &[(Flaw, BackendRule)] = &[
    (Flaw::ForgetsWithItsConnection, BackendRule::Kept),
    (Flaw::RunsEachSubmit, BackendRule::SubmittedTwice),
    (Flaw::RunsAgainAfterItsEnd, BackendRule::SubmittedAfterItsEnd),
    (Flaw::CutsNulCharacters, BackendRule::WholeTasks),
    (Flaw::TakesLessThanItSays, BackendRule::LargeTasks),
    (Flaw::RepeatsLargeEnds, BackendRule::LargeEnds),
    (Flaw::ForgetsKindsOfErrors, BackendRule::EveryEnd),
    (Flaw::GivesAnEndOnce, BackendRule::EndsAnywhere),
    (Flaw::WaitsForUnknownTasks, BackendRule::UnknownTask),
    (Flaw::GivesOutTwice, BackendRule::ManyTasks),
    (Flaw::TakesTooMany, BackendRule::FreeSlots),
    (Flaw::TakesTooFew, BackendRule::FreeSlots),
    (Flaw::ListsEndedTasks, BackendRule::OpenTasks),
    (Flaw::ListsAllSessions, BackendRule::OpenTasks),
    (Flaw::IgnoresCancellations, BackendRule::CancelRunning),
    (Flaw::CancelsLate, BackendRule::CancelRunning),
    (Flaw::ForgetsTheReason, BackendRule::CancelWaiting),
    (Flaw::RunsCancelledTasks, BackendRule::CancelWaiting),
    (Flaw::RefusesLateCancellations, BackendRule::CancelEnded),
    (Flaw::CancelsEndedTasks, BackendRule::CancelEnded),
    (Flaw::IgnoresAborts, BackendRule::Abort),
    (Flaw::LosesTasksWithWorkers, BackendRule::LostWorker),
    (Flaw::ForgetsStarts, BackendRule::LostWorker),
    (Flaw::ForgetsStarts, BackendRule::LostOnce),
    (Flaw::KeepsStartsLate, BackendRule::CountedStarts),
    (Flaw::CountsDeliveries, BackendRule::Neighbours),
    (Flaw::CancelsAtStop, BackendRule::StoppedWorker),
    (Flaw::DropsAtStop, BackendRule::StoppedOnce),
    (Flaw::CountsStops, BackendRule::StopsAreNoStarts),
    (Flaw::EndsUnknownTools, BackendRule::UnknownTool),
    (Flaw::TellsNoHeartbeats, BackendRule::Started),
    (Flaw::TellsStartsEarly, BackendRule::Started),
    (Flaw::TellsNoProgress, BackendRule::Progress),
];
