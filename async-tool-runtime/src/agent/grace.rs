//! Grace times learned from latencies.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

/// Latencies that are remembered of a tool.
const REMEMBERED: usize = 32;
/// Latencies from which a rule is made.
const ENOUGH: usize = 5;

/// Grace time of a tool whose latencies are known.
///
/// Waiting has a price, and so has not waiting: a result that comes after its call was acknowledged costs a model call more. The
/// time is chosen that would have cost least for the last latencies of the tool, where waiting costs its time, and a
/// result that comes late costs `turn_cost`. So a tool that is always done after 400 ms is waited for, and one that
/// takes minutes is acknowledged at once. It is the answer to the ski-rental problem for known odds (Karlin, Manasse, Rudolph and
/// Sleator, *Competitive snoopy caching*, 1988; Khanafer, Kodialam and Puttaswamy, *The constrained ski-rental problem*, 2013).
///
/// Until five latencies are known, and for tools with a `grace` of their own, the fixed times hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LearnedGrace {
    /// The longest wait. Default: 2 s.
    pub bound: Duration,
    /// Worth of a further model call, in time of waiting. Default: 2 s.
    pub turn_cost: Duration,
}

impl LearnedGrace {
    /// Waits `bound` at most, and up to `turn_cost` to save a model call.
    #[must_use]
    pub const fn new(bound: Duration, turn_cost: Duration) -> Self {
        Self { bound, turn_cost }
    }

    /// Grace time of a call that has run for `age`, if enough is known.
    pub(crate) fn wait(&self, latencies: &Latencies, tool: &str, age: Duration) -> Option<Duration> {
        let known = latencies.0.get(tool).filter(|known| known.len() >= ENOUGH)?;
        let rest: Vec<Duration> = known
            .iter()
            .filter_map(|latency| latency.checked_sub(age))
            .filter(|rest| !rest.is_zero())
            .collect();
        if rest.is_empty() {
            // It has outlived all that were before it: nothing is known of such calls.
            return Some(Duration::ZERO);
        }
        let cost = |wait: Duration| -> Duration {
            rest.iter()
                .map(|rest| if *rest <= wait { *rest } else { wait + self.turn_cost })
                .sum()
        };
        let candidates = rest.iter().copied().filter(|rest| *rest <= self.bound);
        let best = candidates
            .chain([Duration::ZERO])
            .min_by_key(|wait| (cost(*wait), *wait))?;
        // A result that takes a moment longer than ever before is still worth that moment.
        Some(if best.is_zero() {
            best
        } else {
            (best + best / 4).min(self.bound)
        })
    }
}

impl Default for LearnedGrace {
    fn default() -> Self {
        Self::new(Duration::from_secs(2), Duration::from_secs(2))
    }
}

/// Latencies of the last calls of each tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Latencies(BTreeMap<Arc<str>, VecDeque<Duration>>);

impl Latencies {
    pub(crate) fn note(&mut self, tool: &Arc<str>, latency: Duration) {
        let known = match self.0.get_mut(tool) {
            Some(known) => known,
            None => self.0.entry(Arc::clone(tool)).or_default(),
        };
        if known.len() == REMEMBERED {
            known.pop_front();
        }
        known.push_back(latency);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: LearnedGrace = LearnedGrace::new(Duration::from_secs(2), Duration::from_secs(1));

    fn wait(latencies: &[u64], age: u64) -> Option<u64> {
        let mut known = Latencies::default();
        for latency in latencies {
            known.note(&"tool".into(), Duration::from_millis(*latency));
        }
        let wait = POLICY.wait(&known, "tool", Duration::from_millis(age))?;
        Some(wait.as_millis().try_into().unwrap())
    }

    #[test]
    fn a_tool_is_waited_for_where_that_costs_less_than_a_further_model_call() {
        assert_eq!(wait(&[400; 4], 0), None, "four calls make no rule");
        assert_eq!(
            wait(&[400; 5], 0),
            Some(500),
            "fast tools are waited for, and a quarter longer"
        );
        assert_eq!(wait(&[400; 5], 300), Some(125), "what has passed counts");
        assert_eq!(
            wait(&[1_001; 5], 0),
            Some(0),
            "waiting longer than a turn is worth is no gain"
        );
        assert_eq!(wait(&[60_000; 32], 0), Some(0), "slow tools hold nobody up");
        assert_eq!(
            wait(&[400; 5], 400),
            Some(0),
            "one that is slower than ever isn't waited for"
        );
    }

    #[test]
    fn a_tool_that_is_mostly_fast_is_waited_for_as_long_as_it_is_fast() {
        let mostly_fast = [100, 100, 100, 100, 100, 100, 100, 60_000];
        assert_eq!(wait(&mostly_fast, 0), Some(125));
        let mostly_slow = [
            100, 60_000, 60_000, 60_000, 60_000, 60_000, 60_000, 60_000, 60_000, 60_000,
        ];
        assert_eq!(wait(&mostly_slow, 0), Some(0), "a chance of one in ten isn't worth it");
    }

    #[test]
    fn the_bound_is_never_passed() {
        let policy = LearnedGrace::new(Duration::from_secs(1), Duration::from_secs(60));
        let mut known = Latencies::default();
        for _ in 0..5 {
            known.note(&"tool".into(), Duration::from_millis(900));
        }
        assert_eq!(
            policy.wait(&known, "tool", Duration::ZERO),
            Some(Duration::from_secs(1))
        );
    }

    #[test]
    fn only_the_last_latencies_count() {
        let mut latencies = vec![60_000; 32];
        latencies.extend([100; 32]);
        assert_eq!(wait(&latencies, 0), Some(125));
    }
}
