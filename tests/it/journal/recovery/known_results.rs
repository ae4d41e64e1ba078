//! Results that a manager still has of a session whose journal failed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Effect, FunctionTool, TaskOutcome, ToolContext, ToolError,
    journal::{Entry, MemoryJournal},
};
use serde_json::{Value, json};

use super::process::{caller, check, entries, kept, listener, numbers, resume, told};
use crate::stand::{FailingJournal, Fault, manager};

const SECOND: Duration = Duration::from_secs(1);

/// End of the first run of the tool; later runs return `again`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Run {
    /// Returns after a second.
    Returns,
    /// Fails after a second.
    Fails,
    /// Returns when it is told to stop.
    ReturnsWhenStopped,
    /// Never returns.
    Never,
    /// The host cancels it.
    Cancelled,
}

fn tool(run: Run, effect: Effect, runs: &Arc<AtomicUsize>) -> FunctionTool {
    let runs = Arc::clone(runs);
    FunctionTool::new("pay", "Pays.", move |_: Value, cx: ToolContext| {
        let is_first = runs.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            match run {
                _ if !is_first => return Ok("again"),
                Run::Returns => tokio::time::sleep(SECOND).await,
                Run::Fails => {
                    tokio::time::sleep(SECOND).await;
                    return Err(ToolError::failed("declined"));
                }
                Run::ReturnsWhenStopped => cx.cancellation().cancelled().await,
                Run::Never | Run::Cancelled => std::future::pending().await,
            }
            Ok("paid")
        }
    })
    .effect(effect)
    .grace(Duration::ZERO)
}

fn outcome(kept: &MemoryJournal) -> Option<TaskOutcome> {
    let entries = entries(kept);
    entries.iter().find_map(|entry| match entry {
        Entry::Settled { result } => Some(result.outcome.clone()),
        _ => None,
    })
}

/// Way from the failed session to the next agent.
#[derive(Clone, Copy, Debug)]
enum Way {
    Straight,
    Left,
    Dropped,
}

/// Runs a call, lets the journal fail while it runs, and resumes the session with the same manager.
async fn resumed_here(
    run: Run,
    effect: Effect,
    fault: Fault,
    way: Way,
) -> (Arc<MemoryJournal>, AsyncAgent, usize, String) {
    let (kept, runs) = (kept(), Arc::default());
    let manager: AsyncToolManager = manager([tool(run, effect, &runs)]);
    let journal = FailingJournal::of(&kept);
    let builder = AsyncAgent::builder(caller(&["pay"]), manager.clone());
    let agent = builder.journal(journal.clone()).session("s").start().await.unwrap();
    agent.send("go on").await.unwrap();
    tokio::time::sleep(SECOND / 2).await;
    journal.set(fault);
    if run == Run::Cancelled {
        let task = agent.tasks().await.unwrap()[0].task;
        manager.cancel(task, "the customer has left").unwrap();
    }
    if matches!(run, Run::ReturnsWhenStopped | Run::Never) {
        let _the_journal_fails = agent.send("are you there?").await;
    }
    tokio::time::sleep(10 * SECOND).await;
    match way {
        Way::Straight => {}
        Way::Left => drop(agent.leave().await),
        Way::Dropped => drop(agent.clone()),
    }
    let agent = match way {
        Way::Dropped => {
            drop(agent);
            tokio::time::sleep(10 * SECOND).await;
            None
        }
        Way::Straight | Way::Left => Some(agent),
    };
    let model = listener();
    let next = resume(&kept, &manager, &model).await;
    drop(agent);
    next.run_until_idle().await.unwrap();
    check(&kept);
    (
        kept,
        next,
        runs.load(Ordering::SeqCst),
        told(model.requests().last().unwrap()),
    )
}

#[tokio::test(start_paused = true)]
async fn a_result_that_this_process_still_has_counts_after_the_journal_has_failed() {
    for effect in [Effect::Once, Effect::Idempotent, Effect::Read] {
        for fault in [Fault::Unavailable, Fault::Conflict] {
            for way in [Way::Straight, Way::Left, Way::Dropped] {
                for run in [Run::Returns, Run::Fails, Run::ReturnsWhenStopped, Run::Cancelled] {
                    let what = format!("{effect:?} {fault:?} {way:?} {run:?}");
                    let (kept, agent, runs, told) = resumed_here(run, effect, fault, way).await;
                    let outcome = outcome(&kept).unwrap();
                    match (run, &outcome) {
                        (Run::Returns | Run::ReturnsWhenStopped, TaskOutcome::Completed(value)) => {
                            assert_eq!(*value, json!("paid"), "{what}");
                            assert!(told.contains("paid"), "{what}: {told}");
                        }
                        (Run::Fails, TaskOutcome::Failed(error)) => assert_eq!(error.model_message(), "declined"),
                        (Run::Cancelled, TaskOutcome::Cancelled(why)) => assert_eq!(why, "the customer has left"),
                        _ => panic!("{what}: {outcome:?}"),
                    }
                    assert_eq!(runs, 1, "{what}");
                    assert_eq!(agent.resumption().unwrap().undelivered, numbers(&[1]), "{what}");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_stopped_only_because_its_session_did_goes_the_way_of_a_lost_task() {
    for way in [Way::Straight, Way::Left, Way::Dropped] {
        for fault in [Fault::Unavailable, Fault::Conflict] {
            let (kept, agent, runs, _) = resumed_here(Run::Never, Effect::Read, fault, way).await;
            assert_eq!(outcome(&kept), Some(TaskOutcome::Completed(json!("again"))), "{way:?}");
            assert_eq!((runs, &agent.resumption().unwrap().again), (2, &numbers(&[1])));

            let (kept, agent, runs, _) = resumed_here(Run::Never, Effect::Once, fault, way).await;
            assert!(matches!(outcome(&kept), Some(TaskOutcome::Unknown(_))), "{way:?}");
            assert_eq!((runs, &agent.resumption().unwrap().unknown), (1, &numbers(&[1])));
        }
    }
}

#[test]
fn what_is_said_to_run_again_after_its_runtime_was_dropped_runs() {
    for (effect, expected) in [(Effect::Read, 2), (Effect::Once, 1)] {
        let (kept, runs) = (kept(), Arc::default());
        let manager = manager([tool(Run::Never, effect, &runs)]);
        let runtime = || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            builder.enable_time().start_paused(true).build().unwrap()
        };
        let first = runtime();
        first.block_on(async {
            let builder = AsyncAgent::builder(caller(&["pay"]), manager.clone());
            let agent = builder.journal(Arc::clone(&kept)).session("s").start().await.unwrap();
            agent.send("go on").await.unwrap();
            tokio::time::sleep(SECOND).await;
            // Dropped with its runtime.
            let _never_dropped = std::mem::ManuallyDrop::new(agent);
        });
        drop(first);
        runtime().block_on(async {
            let agent = resume(&kept, &manager, &listener()).await;
            let rest = tokio::time::timeout(60 * SECOND, agent.run_until_idle()).await;
            rest.expect("it comes to rest").unwrap();
            assert_eq!(runs.load(Ordering::SeqCst), expected, "{effect:?}");
            let outcome = outcome(&kept).unwrap();
            let is_right = match effect {
                Effect::Once => matches!(outcome, TaskOutcome::Unknown(_)),
                _ => outcome == TaskOutcome::Completed(json!("again")),
            };
            assert!(is_right, "{effect:?}: {outcome:?}");
        });
    }
}
