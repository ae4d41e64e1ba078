//! Grace times learned from latencies.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

/// Number of latencies that are kept for each tool.
const REMEMBERED: usize = 32;
/// Number of latencies needed to learn a grace time.
const ENOUGH: usize = 5;

/// Learned grace: waits longer for tools that are known to be fast.
///
/// Waiting costs time. Not waiting costs a model call, because the result comes after its call was acknowledged. This
/// policy picks the wait that would have cost least for the tool's last 32 latencies, where a late result costs
/// `turn_cost`. So the agent waits for a tool that always takes 400 ms, and acknowledges a tool that takes minutes at
/// once.
///
/// This is the ski-rental problem with known odds (Karlin, Manasse, Rudolph and Sleator, *Competitive snoopy caching*,
/// 1988; Khanafer, Kodialam and Puttaswamy, *The constrained ski-rental problem*, 2013).
///
/// The fixed grace applies until five latencies of a tool are known. A tool's own `grace` always applies.
///
/// ```
/// use async_tool_runtime::{agent::LearnedGrace, AsyncAgent, AsyncToolManager, RulePlanner};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().build()?;
/// // Waits half a second at most, and only where that saves a model call.
/// let learned = LearnedGrace::new(Duration::from_millis(500), Duration::from_secs(2));
/// assert_eq!(learned.turn_cost, LearnedGrace::default().turn_cost);
/// let agent = AsyncAgent::builder(RulePlanner::new(), manager).learned_grace(learned).start().await?;
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LearnedGrace {
    /// Longest wait. Default: 2 s.
    pub bound: Duration,
    /// Cost of one more model call, as a wait of the same cost. Default: 2 s.
    pub turn_cost: Duration,
}

impl LearnedGrace {
    /// Waits `bound` at most, and up to `turn_cost` to save a model call.
    #[must_use]
    pub const fn new(bound: Duration, turn_cost: Duration) -> Self {
        Self { bound, turn_cost }
    }

    /// Grace of a call that has run for `age`; `None` if fewer than five latencies are known.
    pub(crate) fn wait(&self, latencies: &Latencies, tool: &str, age: Duration) -> Option<Duration> {
        let known = latencies.0.get(tool).filter(|known| known.len() >= ENOUGH)?;
        let rest: Vec<Duration> = known
            .iter()
            .filter_map(|latency| latency.checked_sub(age))
            .filter(|rest| !rest.is_zero())
            .collect();
        if rest.is_empty() {
            // The call has outlived all earlier ones, so their latencies say nothing about it.
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
        // A call that takes slightly longer than all earlier ones is still worth the wait.
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

/// Last latencies of each tool.
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
        assert_eq!(wait(&[60_000; 32], 0), Some(0), "slow tools hold up no turn");
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
