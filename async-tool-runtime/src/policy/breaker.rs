//! Circuit breaker: pauses a tool that fails repeatedly.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;
use tokio::time::Instant;

use crate::tool::{BreakerPolicy, ToolError, ToolErrorKind};

/// State of a circuit breaker, in the words of the field.
///
/// ```
/// use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, policy::BreakerState, tools};
///
/// /// Asks a service.
/// #[async_tool(effect = "read", breaker(failures = 1, cooldown = "30s"))]
/// async fn ask() -> Result<String, std::io::Error> {
///     Err(std::io::ErrorKind::TimedOut.into())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tools(tools![ask]).build()?;
/// let call = ToolCall::new("call_1", "ask", serde_json::json!({}));
/// manager.submit(&SessionId::new("s"), call)?.outcome().await;
/// let snapshot = manager.snapshot();
/// assert_eq!(snapshot.tools[0].breaker.as_ref().map(|breaker| breaker.state), Some(BreakerState::Open));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// Calls fail at once. After the cooldown, the next call is the probe.
    Open,
    /// A probe runs, and other calls fail at once.
    HalfOpen,
}

/// State of a breaker. Sans-IO: callers pass the time.
///
/// Not a crate. `failsafe` and `recloser` read std's clock, which tests can't stop. They admit any number of probes, and don't say when
/// to call again. `tower-resilience-circuitbreaker` brings a windowed failure rate and a dozen crates. Three states are enough here.
#[derive(Debug)]
enum State {
    Closed {
        /// Failures in a row.
        failures: u32,
    },
    Open {
        until: Instant,
    },
    /// A probe is in flight. If it has not ended by `next`, another call is admitted as a probe.
    HalfOpen {
        next: Instant,
    },
}

#[derive(Debug)]
struct Machine {
    policy: BreakerPolicy,
    state: State,
    /// Number of transitions. A call that was admitted in an earlier epoch says nothing about the current state, and doesn't count.
    epoch: u64,
}

/// Outcome of a call, as the breaker counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Healthy,
    Failing,
    /// Says nothing about the tool's health.
    Neither,
}

impl Machine {
    /// True from the opening until a probe succeeds, so also while half-open.
    fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed { .. })
    }

    /// True if a call would be rejected now.
    fn turns_away(&self, now: Instant) -> bool {
        match self.state {
            State::Closed { .. } => false,
            State::Open { until: next } | State::HalfOpen { next } => now < next,
        }
    }

    /// Admits a call and returns its epoch; the error is the time until the next probe.
    fn admit(&mut self, now: Instant) -> Result<u64, Duration> {
        match self.state {
            State::Closed { .. } => Ok(self.epoch),
            State::Open { until } if until <= now => {
                let next = self.after_cooldown(now);
                self.change(State::HalfOpen { next });
                Ok(self.epoch)
            }
            // The epoch stays: if all probes are slow, the first one to end still counts.
            State::HalfOpen { next } if next <= now => {
                let next = self.after_cooldown(now);
                self.state = State::HalfOpen { next };
                Ok(self.epoch)
            }
            State::Open { until: next } | State::HalfOpen { next } => Err(next - now),
        }
    }

    fn record(&mut self, epoch: u64, verdict: Verdict, now: Instant) {
        if epoch != self.epoch {
            return;
        }
        match (&mut self.state, verdict) {
            (State::Closed { failures }, Verdict::Failing) => {
                *failures += 1;
                if *failures >= self.policy.failures.max(1) {
                    self.open(now);
                }
            }
            (State::HalfOpen { .. }, Verdict::Failing) => self.open(now),
            (State::Closed { failures }, Verdict::Healthy) => *failures = 0,
            (State::HalfOpen { .. }, Verdict::Healthy) => self.change(State::Closed { failures: 0 }),
            // The probe told nothing, so the next call is the next probe.
            (State::HalfOpen { next }, Verdict::Neither) => *next = now,
            (State::Closed { .. }, Verdict::Neither) | (State::Open { .. }, _) => {}
        }
    }

    fn open(&mut self, now: Instant) {
        let until = self.after_cooldown(now);
        self.change(State::Open { until });
    }

    fn after_cooldown(&self, now: Instant) -> Instant {
        // A cooldown that overflows the clock lasts a year.
        let end = now.checked_add(self.policy.cooldown);
        end.unwrap_or_else(|| now + Duration::from_secs(365 * 24 * 60 * 60))
    }

    fn change(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }
}

/// The breaker of one tool. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Breaker {
    tool: Arc<str>,
    machine: Arc<Mutex<Machine>>,
}

impl Breaker {
    pub(crate) fn new(tool: Arc<str>, policy: BreakerPolicy) -> Self {
        let state = State::Closed { failures: 0 };
        Self {
            tool,
            machine: Arc::new(Mutex::new(Machine {
                policy,
                state,
                epoch: 0,
            })),
        }
    }

    pub(crate) fn tool(&self) -> &Arc<str> {
        &self.tool
    }

    /// True if a call would be rejected now.
    pub(crate) fn turns_away(&self) -> bool {
        self.machine().turns_away(Instant::now())
    }

    /// State, failures in a row, and the time of the next probe while calls are refused.
    pub(crate) fn shown(&self) -> (BreakerState, u32, Option<Instant>) {
        let machine = self.machine();
        match machine.state {
            State::Closed { failures } => (BreakerState::Closed, failures, None),
            State::Open { until } => (BreakerState::Open, machine.policy.failures, Some(until)),
            State::HalfOpen { next } => (BreakerState::HalfOpen, machine.policy.failures, Some(next)),
        }
    }

    /// Failures in a row that open it.
    pub(crate) fn threshold(&self) -> u32 {
        self.machine().policy.failures.max(1)
    }

    /// Admits a call; the error says when to call again.
    pub(crate) fn admit(&self) -> Result<OnItsWay<'_>, ToolError> {
        let epoch = self.machine().admit(Instant::now()).map_err(|retry_after| {
            ToolError::new(
                ToolErrorKind::Unavailable,
                "the circuit breaker is open: the tool has failed too often",
            )
            .with_model_message("the tool has failed several times in a row and is left alone for a while")
            .with_retry_after(retry_after)
            .with_not_started()
        })?;
        Ok(OnItsWay {
            breaker: self,
            epoch,
            verdict: Verdict::Neither,
        })
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Guard of an admitted call. Records the outcome on drop; a call without a judgement counts neither way.
pub(crate) struct OnItsWay<'a> {
    breaker: &'a Breaker,
    epoch: u64,
    verdict: Verdict,
}

impl OnItsWay<'_> {
    /// Judges the tool's health by the result of a call that reached its function.
    pub(crate) fn judge<T>(&mut self, result: &Result<T, ToolError>) {
        self.verdict = match result {
            Ok(_) => Verdict::Healthy,
            Err(error) => match error.kind() {
                ToolErrorKind::Cancelled
                | ToolErrorKind::InvalidArguments
                | ToolErrorKind::Overloaded
                | ToolErrorKind::Duplicate
                | ToolErrorKind::Refused => Verdict::Neither,
                _ if error.is_definite() => Verdict::Healthy,
                _ => Verdict::Failing,
            },
        };
    }
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        let mut machine = self.breaker.machine();
        let was_open = machine.is_open();
        machine.record(self.epoch, self.verdict, Instant::now());
        let is_open = machine.is_open();
        drop(machine);
        if was_open != is_open {
            show(&self.breaker.tool, is_open);
            let tool = &*self.breaker.tool;
            if is_open {
                tracing::warn!(target: "async_tool::task", tool, "a circuit breaker opened, calls fail at once");
            } else {
                tracing::info!(target: "async_tool::task", tool, "a circuit breaker closed");
            }
        }
    }
}

/// Sets the gauge of the breaker: 1 while open or half-open, otherwise 0.
#[cfg(feature = "metrics")]
fn show(tool: &str, is_open: bool) {
    metrics::gauge!("async_tool.breaker.open", "tool" => tool.to_owned()).set(f64::from(u8::from(is_open)));
}

#[cfg(not(feature = "metrics"))]
fn show(_: &str, _: bool) {}

#[cfg(test)]
mod tests {
    use super::*;

    const COOLDOWN: Duration = Duration::from_secs(30);

    fn machine() -> Machine {
        Machine {
            policy: BreakerPolicy::new(3, COOLDOWN),
            state: State::Closed { failures: 0 },
            epoch: 0,
        }
    }

    /// Second implementation of the same rules, in other terms: the number of transitions, and the time of the next probe.
    struct Model {
        is_open: bool,
        in_a_row: u32,
        /// Number of transitions. Only calls admitted since the last one count.
        changes: u32,
        /// Valid only while it is open.
        next_probe: Instant,
    }

    impl Model {
        fn admits(&mut self, now: Instant) -> Option<u32> {
            if self.is_open {
                if now < self.next_probe {
                    return None;
                }
                self.next_probe = now + COOLDOWN;
            }
            Some(self.changes)
        }

        fn ended(&mut self, let_through: u32, verdict: Verdict, now: Instant) {
            if let_through != self.changes {
                return;
            }
            match verdict {
                Verdict::Neither => self.next_probe = now,
                Verdict::Healthy => {
                    self.changes += u32::from(self.is_open);
                    (self.is_open, self.in_a_row) = (false, 0);
                }
                Verdict::Failing => {
                    self.in_a_row += 1;
                    if self.is_open || self.in_a_row == 3 {
                        self.changes += 1;
                        (self.is_open, self.next_probe) = (true, now + COOLDOWN);
                    }
                }
            }
        }
    }

    #[test]
    fn a_breaker_does_what_its_rules_say_over_random_histories() {
        let mut seed = 7_u64;
        let mut draw = |below: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let (mut opened, mut closed, mut side_by_side) = (0, 0, 0);
        for _ in 0..500 {
            let mut now = Instant::now();
            let mut machine = machine();
            let mut model = Model {
                is_open: false,
                in_a_row: 0,
                changes: 0,
                next_probe: now,
            };
            let mut on_their_way = Vec::new();
            for _ in 0..200 {
                now += Duration::from_secs(draw(20));
                let (mut ended, rest): (Vec<_>, Vec<_>) = on_their_way
                    .into_iter()
                    .partition(|(ends, ..): &(Instant, _, _)| *ends <= now);
                on_their_way = rest;
                ended.sort_by_key(|(ends, ..)| *ends);
                for (ends, epoch, let_through) in ended {
                    let verdict = match draw(5) {
                        0 => Verdict::Healthy,
                        1 => Verdict::Neither,
                        _ => Verdict::Failing,
                    };
                    let was_open = machine.is_open();
                    machine.record(epoch, verdict, ends);
                    model.ended(let_through, verdict, ends);
                    let is_open = machine.is_open();
                    assert_eq!(is_open, model.is_open);
                    opened += u32::from(!was_open && is_open);
                    closed += u32::from(was_open && !is_open);
                }
                let is_turned_away = machine.turns_away(now);
                let admitted = machine.admit(now).ok();
                assert_eq!(is_turned_away, admitted.is_none());
                let let_through = model.admits(now);
                assert_eq!(admitted.is_some(), let_through.is_some());
                let Some((epoch, let_through)) = admitted.zip(let_through) else {
                    continue;
                };
                let is_one_of_many = |(_, _, other): &(Instant, _, _)| *other == let_through;
                side_by_side += u32::from(model.is_open && on_their_way.iter().any(is_one_of_many));
                // Some calls take longer than a cooldown.
                let longest = if draw(3) == 0 { 90 } else { 10 };
                on_their_way.push((now + Duration::from_secs(draw(longest)), epoch, let_through));
            }
        }
        assert!(
            opened > 100 && closed > 100 && side_by_side > 100,
            "opened {opened} times, closed {closed} times, {side_by_side} probes beside others"
        );
    }

    #[test]
    fn an_open_breaker_says_when_to_come_back() {
        let (mut machine, now) = (machine(), Instant::now());
        for _ in 0..3 {
            machine.record(0, Verdict::Failing, now);
        }
        let later = now + Duration::from_secs(10);
        assert_eq!(machine.admit(later), Err(Duration::from_secs(20)));
        assert!(machine.admit(now + COOLDOWN).is_ok());
    }

    #[test]
    fn a_call_from_before_the_probe_says_nothing_of_the_probe() {
        for verdict in [Verdict::Healthy, Verdict::Failing, Verdict::Neither] {
            let (mut machine, now) = (machine(), Instant::now());
            let old = machine.admit(now).unwrap();
            for _ in 0..3 {
                machine.record(old, Verdict::Failing, now);
            }
            let probe = machine.admit(now + COOLDOWN).unwrap();
            machine.record(old, verdict, now + COOLDOWN);
            assert!(matches!(machine.state, State::HalfOpen { .. }), "{verdict:?}");
            assert!(machine.admit(now + COOLDOWN).is_err(), "one probe at a time");
            machine.record(probe, Verdict::Healthy, now + COOLDOWN);
            assert!(matches!(machine.state, State::Closed { failures: 0 }), "{verdict:?}");
        }
    }

    #[test]
    fn a_probe_that_takes_its_time_is_not_waited_for_and_still_counts() {
        let (mut machine, now) = (machine(), Instant::now());
        for _ in 0..3 {
            machine.record(0, Verdict::Failing, now);
        }
        let slow = machine.admit(now + COOLDOWN).unwrap();
        let later = now + COOLDOWN + Duration::from_secs(10);
        assert_eq!(machine.admit(later), Err(Duration::from_secs(20)));
        let other = machine.admit(now + 2 * COOLDOWN).unwrap();
        assert_eq!(
            machine.admit(now + 2 * COOLDOWN),
            Err(COOLDOWN),
            "one for each cooldown"
        );
        machine.record(slow, Verdict::Healthy, now + 2 * COOLDOWN);
        assert!(!machine.is_open());
        machine.record(other, Verdict::Failing, now + 2 * COOLDOWN);
        assert!(matches!(machine.state, State::Closed { failures: 0 }));
    }
}
