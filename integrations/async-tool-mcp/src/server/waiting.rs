//! A request that waits for its call, with signs of life for its caller.

use std::{collections::HashSet, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::{asking::Asking, meter::Meter, outcome::End, record::Record, service::Service, wire::Caller};

/// End of a wait.
#[derive(Debug)]
pub(super) enum Waited {
    Ended(Arc<End>),
    /// The call asks, and the caller is asked in the reply to its request.
    Asks(std::collections::BTreeMap<String, Value>),
    /// The time is up, and the call runs.
    Due,
    /// The caller has closed its stream or cancelled its request.
    Gone,
}

/// Waits for a call until it ends, asks, or `until`.
pub(super) async fn wait(
    service: &Arc<Service>,
    record: &Arc<Record>,
    caller: &Caller,
    heartbeat: Duration,
    until: Option<Instant>,
) -> Waited {
    let _waiting = record.wait();
    let mut changes = record.changes();
    let mut meter = Meter::default();
    let mut asked = HashSet::new();
    let mut shown = 0;
    let started = Instant::now();
    let mut beat = started + heartbeat;
    loop {
        changes.borrow_and_update();
        if let Some(end) = record.end() {
            return Waited::Ended(end);
        }
        let questions = record.questions();
        if !questions.is_empty() {
            if !caller.is_asked_by_requests() {
                return Waited::Asks(questions);
            }
            for (key, question) in questions {
                // Each request asks once, also if its caller can't be reached.
                if !asked.contains(&key)
                    && let Some(asking) = Asking::begin(record, &key)
                {
                    asked.insert(key);
                    asking.put(service, caller, &question).await;
                }
            }
        }
        let reported = record.reported();
        let mut message = None;
        if reported.number > shown {
            shown = reported.number;
            message = Some((meter.next(reported.fraction), reported.message.unwrap_or_default()));
        } else if Instant::now() >= beat {
            let running = format!("{} runs for {} s", record.call.name, started.elapsed().as_secs());
            message = Some((meter.next(None), reported.message.unwrap_or(running)));
        }
        if let Some((progress, text)) = message {
            beat = Instant::now() + heartbeat;
            tokio::select! {
                biased;
                () = caller.gone() => return Waited::Gone,
                () = caller.tell(progress, text) => {}
            }
        }
        let due = async {
            match until {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = caller.gone() => return Waited::Gone,
            _ = changes.changed() => {}
            () = due => return Waited::Due,
            () = sleep_until(beat) => {}
        }
    }
}
