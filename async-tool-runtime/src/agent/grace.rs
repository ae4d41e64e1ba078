//! Grace times learned from latencies.

use std::time::Duration;

use crate::manager::Latencies;

/// Most ends of a wait that are compared.
const LOOKS: usize = 32;
/// Number of latencies needed to learn a grace time.
const ENOUGH: usize = 5;

/// Learned grace: waits longer for tools that are known to be fast.
///
/// Waiting costs time: of the conversation, or of each result that is there already and held back. Not waiting costs a
/// model call, because the results that still come do so after their calls were acknowledged. This policy picks the wait
/// that would have cost least for the tools' last 32 latencies, where one more model call costs `turn_cost`, for all
/// late results together. So the agent waits for a tool that always takes 400 ms, acknowledges a tool that takes minutes
/// at once, and doesn't hold forty results back for ten stragglers.
///
/// Late results are joined by the same price: they wait for others of the conversation if that costs less than a model
/// call for each. Latencies are learned per manager, so a new session knows what earlier ones have learned.
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

    /// Wait for calls that still run, each with its tool and age. The wait ends when all of them have ended.
    ///
    /// Until then it costs its length, `held` times: once for each result that is held back. If calls remain at its end, that
    /// costs turns.
    pub(crate) fn wait(
        &self,
        latencies: &Latencies,
        calls: &[(&str, Duration)],
        held: usize,
        turns: Turns,
    ) -> Duration {
        let mut rests: Vec<Vec<Duration>> = calls.iter().map(|call| self.rests(latencies, call)).collect();
        // A call that has outlived all earlier ones is not waited for: their latencies say nothing about it.
        rests.retain(|rests| !rests.is_empty());
        if turns == Turns::Together && rests.len() < calls.len() {
            // It needs a further turn in any case.
            return Duration::ZERO;
        }
        // Chance of each call to have ended by now.
        let mut ended = vec![0.0; rests.len()];
        let (mut at, mut spent) = (Duration::ZERO, 0.0);
        let turn_cost = self.turn_cost.as_secs_f64();
        let (mut best, mut least) = (Duration::ZERO, turns.of(&ended) * turn_cost);
        for time in self.times(&rests) {
            // With one call, no result comes before the wait ends. A late result that comes meanwhile would have waited for
            // the turn of the ones before it.
            let come = match turns {
                Turns::Together if rests.len() > 1 => ended.iter().sum(),
                _ => 0.0,
            };
            let goes_on = 1.0 - ended.iter().product::<f64>();
            spent += (held as f64 + come) * goes_on * (time - at).as_secs_f64();
            at = time;
            for (ended, rests) in ended.iter_mut().zip(&rests) {
                *ended = rests.partition_point(|rest| *rest <= time) as f64 / rests.len() as f64;
            }
            let cost = turns.of(&ended).mul_add(turn_cost, spent);
            if cost < least {
                (best, least) = (time, cost);
            }
        }
        best
    }

    /// Rests of a call by the earlier latencies that it has not outlived, in order.
    fn rests(&self, latencies: &Latencies, (tool, age): &(&str, Duration)) -> Vec<Duration> {
        let known = latencies.of(tool).into_iter().flatten();
        let rests = known.filter_map(|latency| self.stretched(*latency).checked_sub(*age));
        let mut rests: Vec<Duration> = rests.filter(|rest| !rest.is_zero()).collect();
        rests.sort_unstable();
        rests
    }

    /// A call that takes a quarter longer than an earlier one is still taken for one like it.
    fn stretched(&self, latency: Duration) -> Duration {
        (latency + latency / 4).min(self.bound.max(latency))
    }

    /// Times at which a wait may end: when a call does, and before the bound.
    fn times(&self, rests: &[Vec<Duration>]) -> Vec<Duration> {
        let mut times: Vec<Duration> = rests.iter().flatten().copied().collect();
        times.retain(|rest| *rest <= self.bound);
        times.sort_unstable();
        times.dedup();
        let step = times.len().div_ceil(LOOKS).max(1);
        // The last one of each step, so that the longest is among them.
        let steps = times.rchunks(step).rev();
        steps.filter_map(|some| some.last().copied()).collect()
    }
}

/// Further turns for the results of calls that are not waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turns {
    /// One for all of them: they are joined later.
    Together,
    /// One for each of them: this is where they are joined.
    Each,
}

impl Turns {
    /// Expected number, by the chance of each call to have ended.
    fn of(self, ended: &[f64]) -> f64 {
        match self {
            Self::Together => 1.0 - ended.iter().product::<f64>(),
            Self::Each => ended.iter().map(|ended| 1.0 - ended).sum(),
        }
    }
}

/// True if enough latencies of a tool are known.
pub(crate) fn is_known(latencies: &Latencies, tool: &str) -> bool {
    latencies.of(tool).is_some_and(|known| known.len() >= ENOUGH)
}

impl Default for LearnedGrace {
    fn default() -> Self {
        Self::new(Duration::from_secs(2), Duration::from_secs(2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: LearnedGrace = LearnedGrace::new(Duration::from_secs(2), Duration::from_secs(1));

    fn wait(latencies: &[u64], age: u64) -> Option<u64> {
        let mut known = Latencies::default();
        for latency in latencies {
            known.add(&"tool".into(), Duration::from_millis(*latency));
        }
        let wait = || POLICY.wait(&known, &[("tool", Duration::from_millis(age))], 1, Turns::Together);
        is_known(&known, "tool").then(|| wait().as_millis().try_into().unwrap())
    }

    #[test]
    fn a_tool_is_waited_for_where_that_costs_less_than_a_further_model_call() {
        assert_eq!(wait(&[400; 4], 0), None, "four calls make no rule");
        assert_eq!(
            wait(&[400; 5], 0),
            Some(500),
            "fast tools are waited for, and a quarter longer"
        );
        assert_eq!(wait(&[400; 5], 300), Some(200), "what has passed counts");
        assert_eq!(
            wait(&[1_001; 5], 0),
            Some(0),
            "waiting longer than a turn is worth is no gain"
        );
        assert_eq!(wait(&[60_000; 32], 0), Some(0), "slow tools hold up no turn");
        assert_eq!(
            wait(&[400; 5], 500),
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
            known.add(&"tool".into(), Duration::from_millis(900));
        }
        assert_eq!(
            policy.wait(&known, &[("tool", Duration::ZERO)], 1, Turns::Each),
            Duration::from_secs(1)
        );
    }

    #[test]
    fn each_result_that_is_held_back_pays_for_the_wait() {
        let mut known = Latencies::default();
        for _ in 0..5 {
            known.add(&"tool".into(), Duration::from_millis(300));
        }
        let wait = |stragglers: usize, held| {
            let calls = vec![("tool", Duration::ZERO); stragglers];
            POLICY.wait(&known, &calls, held, Turns::Together).as_millis()
        };
        assert_eq!(
            wait(1, 2),
            375,
            "two results wait 0.75 s together, and a turn costs 1 s"
        );
        assert_eq!(wait(1, 3), 0, "three results would wait longer than a turn costs");
        assert_eq!(wait(10, 2), 375, "all stragglers together cost one turn");
        assert_eq!(wait(10, 40), 0);
        assert_eq!(wait(10, 0), 375, "a wait that holds nothing back costs nothing");
    }

    #[test]
    fn stragglers_that_come_one_by_one_are_not_all_waited_for() {
        let mut known = Latencies::default();
        for latency in 1..=20 {
            known.add(&"tool".into(), Duration::from_millis(100 * latency));
        }
        let calls = vec![("tool", Duration::ZERO); 10];
        assert_eq!(POLICY.wait(&known, &calls, 1, Turns::Together), Duration::ZERO);
        let late = POLICY.wait(&known, &calls, 1, Turns::Each);
        assert!(late > Duration::from_millis(1_500), "{late:?}: late results are joined");
        let last = [("tool", Duration::from_millis(1_900))];
        assert_eq!(POLICY.wait(&known, &last, 1, Turns::Each), Duration::from_millis(100));
    }

    #[test]
    fn only_the_last_latencies_count() {
        let mut latencies = vec![60_000; 32];
        latencies.extend([100; 32]);
        assert_eq!(wait(&latencies, 0), Some(125));
    }
}
