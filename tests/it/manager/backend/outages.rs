//! Engines that can't be reached, that refuse, or that forget.

use async_tool_runtime::{
    TaskOutcome, ToolErrorKind,
    backend::{BackendCapabilities, BackendErrorKind},
    tool::Effect,
};
use serde_json::json;
use tokio::time::{Instant, advance, sleep};

use super::{failure, on, start_on};
use crate::stand::{StubBackend, idle, secs, spec};

#[tokio::test(start_paused = true)]
async fn an_outage_of_45_seconds_ends_no_task_wherever_it_begins() {
    for effect in [Effect::Read, Effect::Idempotent, Effect::Once] {
        for is_submitted in [false, true] {
            let backend = StubBackend::default();
            if !is_submitted {
                backend.be_out_for(secs(45));
            }
            let manager = on(&backend, effect);
            let tasks: Vec<_> = (0..5).map(|_| manager.submit_task(spec("distant")).unwrap()).collect();
            idle().await;
            if is_submitted {
                backend.be_out_for(secs(45));
            }
            idle().await;
            backend.end(TaskOutcome::Completed(json!("after all")), 1);
            let begin = Instant::now();
            for task in tasks {
                let result = task.outcome().await;
                assert_eq!(result.outcome.value(), Some(&json!("after all")), "{effect:?}");
                assert_eq!(result.attempts, 1);
            }
            let waited = begin.elapsed();
            assert!(waited > secs(44) && waited < secs(51), "{waited:?}");
            // The pauses grow: 100 ms, 200 ms, … 5 s.
            let tries = backend.submits().max(backend.outcomes());
            assert!(tries < 5 * 20, "{tries} tries");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_beyond_the_deadline_ends_a_task_by_its_effect() {
    for is_submitted in [false, true] {
        for effect in [Effect::Read, Effect::Once] {
            let backend = StubBackend::default();
            if !is_submitted {
                backend.fail(Some(BackendErrorKind::Unreachable));
            }
            let manager = on(&backend, effect);
            let clock = manager.submit_task(spec("distant")).unwrap().snapshot().accepted;
            let task = spec("distant").with_deadline(clock.after(secs(60)));
            let begin = Instant::now();
            let task = manager.submit_task(task).unwrap();
            idle().await;
            backend.fail(Some(BackendErrorKind::Unreachable));
            let result = task.outcome().await;
            match effect {
                Effect::Once => assert!(
                    matches!(&result.outcome, TaskOutcome::Unknown(why) if why.contains("could not be reached")),
                    "{result:?}"
                ),
                _ => assert_eq!(failure(&task).await, Some(ToolErrorKind::Timeout)),
            }
            let waited = begin.elapsed();
            assert!(waited >= secs(60) && waited < secs(61), "{waited:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_refuses_is_asked_once() {
    let backend = StubBackend::default();
    backend.fail(Some(BackendErrorKind::Refused));
    for effect in [Effect::Read, Effect::Once] {
        let before = backend.submits();
        let task = start_on(&backend, effect);
        assert_eq!(failure(&task).await, Some(ToolErrorKind::Internal));
        assert_eq!(task.outcome().await.attempts, 0);
        assert_eq!(backend.submits(), before + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_after_an_outage_may_come_too_late() {
    for (effect, is_unknown) in [(Effect::Read, false), (Effect::Once, true)] {
        let backend = StubBackend::default();
        backend.fail(Some(BackendErrorKind::Unreachable));
        let task = start_on(&backend, effect);
        idle().await;
        backend.fail(Some(BackendErrorKind::Refused));
        let outcome = task.outcome().await.outcome.clone();
        assert_eq!(matches!(outcome, TaskOutcome::Unknown(_)), is_unknown, "{outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_the_engine_does_not_find_any_more_is_unknown() {
    for kind in [BackendErrorKind::NotFound, BackendErrorKind::Refused] {
        let backend = StubBackend::default();
        let task = start_on(&backend, Effect::Read);
        idle().await;
        backend.fail(Some(kind));
        let outcome = task.outcome().await.outcome.clone();
        assert!(matches!(outcome, TaskOutcome::Unknown(_)), "{outcome:?}");
        assert_eq!(backend.outcomes(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_older_than_the_retention_is_looked_for_and_not_submitted() {
    let day = secs(24 * 3600);
    let backend = || StubBackend::with(BackendCapabilities::default().with_retention(day));
    for (age, is_submitted) in [(day - secs(1), true), (day + secs(1), false)] {
        for is_found in [true, false] {
            let backend = backend();
            let manager = on(&backend, Effect::Read);
            let now = manager.submit_task(spec("distant")).unwrap().snapshot().accepted;
            idle().await;
            let before = backend.submits();
            advance(age).await;
            match is_found {
                true => backend.end(TaskOutcome::Completed(json!(1)), 1),
                false => backend.fail(Some(BackendErrorKind::NotFound)),
            }
            let task = manager.submit_task(spec("distant").with_accepted(now)).unwrap();
            let outcome = task.outcome().await.outcome.clone();
            assert_eq!(backend.submits(), before + usize::from(is_submitted));
            if !is_submitted {
                match is_found {
                    true => assert_eq!(outcome.value(), Some(&json!(1))),
                    false => assert!(matches!(outcome, TaskOutcome::Unknown(_)), "{outcome:?}"),
                }
            }
        }
    }
    // A task without a known age is new.
    let backend = backend();
    start_on(&backend, Effect::Read);
    idle().await;
    assert_eq!(backend.submits(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_task_is_not_submitted_again_after_an_outage_beyond_the_retention() {
    let day = secs(24 * 3600);
    for is_found in [true, false] {
        let backend = StubBackend::with(BackendCapabilities::default().with_retention(day));
        backend.be_out_for(day + secs(3600));
        let task = start_on(&backend, Effect::Once);
        sleep(day + secs(3600 + 60)).await;
        match is_found {
            true => backend.end(TaskOutcome::Completed(json!(1)), 1),
            false => backend.fail(Some(BackendErrorKind::NotFound)),
        }
        let outcome = task.outcome().await.outcome.clone();
        assert_eq!(
            backend.submitted().len(),
            0,
            "its first submit may have reached the engine"
        );
        match is_found {
            true => assert_eq!(outcome.value(), Some(&json!(1))),
            false => assert!(matches!(outcome, TaskOutcome::Unknown(_)), "{outcome:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_an_outage_makes_older_than_the_retention_is_not_submitted() {
    let day = secs(24 * 3600);
    for is_found in [true, false] {
        let backend = StubBackend::with(BackendCapabilities::default().with_retention(day));
        let manager = on(&backend, Effect::Once);
        let accepted = manager.submit_task(spec("distant")).unwrap().snapshot().accepted;
        idle().await;
        let before = backend.submitted().len();
        advance(day - secs(3600)).await;
        backend.be_out_for(secs(2 * 3600));
        let task = manager.submit_task(spec("distant").with_accepted(accepted)).unwrap();
        sleep(secs(2 * 3600 + 60)).await;
        match is_found {
            true => backend.end(TaskOutcome::Completed(json!(1)), 1),
            false => backend.fail(Some(BackendErrorKind::NotFound)),
        }
        let outcome = task.outcome().await.outcome.clone();
        assert_eq!(backend.submitted().len(), before, "the engine may have run it before");
        match is_found {
            true => assert_eq!(outcome.value(), Some(&json!(1))),
            false => assert!(matches!(outcome, TaskOutcome::Unknown(_)), "{outcome:?}"),
        }
    }
}
