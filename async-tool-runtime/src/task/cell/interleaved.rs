//! What threads agree on about one task, in many interleavings: every lock of a record is a place where another thread may go on. Who waits for
//! ever is a failure, too.

use std::{
    future::{pending, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use serde_json::{Value, json};
use shuttle::{check_random, future::block_on, thread};

use super::TaskCell;
use crate::{SessionId, TaskOutcome, TaskSpec, Timestamp, ToolCall, manager::Quarantine};

const SCHEDULES: usize = 20_000;

fn cell() -> Arc<TaskCell> {
    let spec = TaskSpec::new(SessionId::new("s"), ToolCall::new("call_1", "tool", json!({})));
    TaskCell::new(spec, Timestamp::default(), None, None)
}

fn spawn<T: Send + 'static>(
    cell: &Arc<TaskCell>,
    run: impl FnOnce(&Arc<TaskCell>) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let cell = Arc::clone(cell);
    thread::spawn(move || run(&cell))
}

fn settle(cell: &TaskCell, value: i32) -> Option<Value> {
    let left = cell.end(true);
    let value = match left.from_outside {
        Some(end) => end.unwrap(),
        None => json!(value),
    };
    let result = cell.settle_after(left.course, TaskOutcome::Completed(value), Timestamp::default())?;
    result.outcome.value().cloned()
}

#[test]
fn a_function_hears_of_its_cancellation_whoever_makes_the_token() {
    check_random(
        || {
            let cell = cell();
            let function = spawn(&cell, |cell| block_on(cell.told_to_stop()));
            let other = spawn(&cell, |cell| drop(cell.cancellation().clone()));
            cell.request_cancel("enough".to_owned());
            function.join().unwrap();
            other.join().unwrap();
            assert!(cell.is_cancelled() && cell.run().token_waker.is_none());
        },
        SCHEDULES,
    );
}

#[test]
fn two_attempts_at_a_time_both_hear_of_it() {
    check_random(
        || {
            let cell = cell();
            let attempts = [0, 1].map(|_| spawn(&cell, |cell| block_on(cell.told_to_stop())));
            cell.request_cancel("enough".to_owned());
            for attempt in attempts {
                attempt.join().unwrap();
            }
            assert!(cell.run().token_waker.is_none());
        },
        SCHEDULES,
    );
}

#[test]
fn a_future_that_is_aborted_is_dropped_wherever_it_is() {
    check_random(
        || {
            let cell = cell();
            let future = spawn(&cell, |cell| block_on(cell.until_aborted(pin!(pending::<()>()))));
            cell.abort();
            assert_eq!(future.join().unwrap(), None);
        },
        SCHEDULES,
    );
}

#[test]
fn an_end_from_outside_that_was_accepted_is_the_end() {
    check_random(
        || {
            let cell = cell();
            let outside = [2, 3].map(|value| {
                spawn(&cell, move |cell| {
                    cell.resolve(Ok(json!(value))).then_some(json!(value))
                })
            });
            let end = settle(&cell, 1);
            let accepted: Vec<_> = outside
                .into_iter()
                .filter_map(|outside| outside.join().unwrap())
                .collect();
            assert!(accepted.len() <= 1);
            assert_eq!(end, accepted.into_iter().next().or(Some(json!(1))));
        },
        SCHEDULES,
    );
}

#[test]
fn a_task_is_settled_once_whoever_ends_it() {
    check_random(
        || {
            let cell = cell();
            let others = [2, 3].map(|value| spawn(&cell, move |cell| settle(cell, value)));
            let own = settle(&cell, 1);
            let ends: Vec<_> = others
                .into_iter()
                .map(|other| other.join().unwrap())
                .chain([own])
                .flatten()
                .collect();
            assert_eq!(ends.len(), 1);
            assert_eq!(
                cell.result.get().and_then(|result| result.outcome.value()),
                ends.first()
            );
        },
        SCHEDULES,
    );
}

#[test]
fn who_is_given_up_is_counted_until_its_future_is_gone() {
    check_random(
        || {
            let (cell, quarantine) = (cell(), Arc::new(Quarantine::default()));
            let future = spawn(&cell, |cell| {
                cell.begin(Timestamp::default());
                let mut looks = 0;
                let blocks = poll_fn(|cx| {
                    thread::yield_now();
                    looks += 1;
                    cx.waker().wake_by_ref();
                    if looks < 3 { Poll::Pending } else { Poll::Ready(()) }
                });
                block_on(cell.until_aborted(pin!(blocks)));
                cell.end(true).was_given_up
            });
            let is_given_up = cell.give_up(&quarantine);
            cell.abort();
            assert_eq!(quarantine.count(), usize::from(is_given_up));
            // Whoever takes it out of there is told so, and nobody else.
            assert_eq!(future.join().unwrap(), is_given_up);
        },
        SCHEDULES,
    );
}
