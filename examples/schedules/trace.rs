//! The workloads on which the schedules are compared.

use std::{f64::consts::TAU, time::Duration};

use async_tool_runtime::Effect;

/// A workload: look-ups with their durations, and messages of the user.
pub(crate) struct Trace {
    pub(crate) name: &'static str,
    pub(crate) calls: Vec<LookUp>,
    /// Messages of the user with their times; the time of the first is 0.
    pub(crate) messages: Vec<(Duration, &'static str)>,
    pub(crate) effect: Effect,
}

/// A call of the workload.
#[derive(Clone, Copy)]
pub(crate) struct LookUp {
    pub(crate) takes: Duration,
    /// Index of the call whose result is an argument of this call.
    pub(crate) needs: Option<usize>,
}

impl Trace {
    fn new(name: &'static str, takes: impl IntoIterator<Item = Duration>) -> Self {
        let calls = takes.into_iter().map(|takes| LookUp { takes, needs: None });
        Self {
            name,
            calls: calls.collect(),
            messages: vec![(Duration::ZERO, "Look these up for me, and tell me what you make of it.")],
            effect: Effect::Read,
        }
    }

    /// True if a call needs the result of another.
    pub(crate) fn has_chain(&self) -> bool {
        self.calls.iter().any(|call| call.needs.is_some())
    }

    /// Total time of all calls.
    pub(crate) fn work(&self) -> Duration {
        self.calls.iter().map(|call| call.takes).sum()
    }

    /// Time of the longest chain of calls in which each needs the result of the previous one.
    pub(crate) fn critical_path(&self) -> Duration {
        let mut ends: Vec<Duration> = Vec::with_capacity(self.calls.len());
        for call in &self.calls {
            let begin = call
                .needs
                .and_then(|place| ends.get(place))
                .copied()
                .unwrap_or_default();
            ends.push(begin + call.takes);
        }
        ends.into_iter().max().unwrap_or_default()
    }
}

/// All workloads; the same in every run.
pub(crate) fn all() -> Vec<Trace> {
    let millis = Duration::from_millis;
    let mut uniform = Trace::new("a  six fast calls of 0.4 s, with effects", [millis(400); 6]);
    // Calls with effects start when the turn is complete, all at once.
    uniform.effect = Effect::Once;
    let mixed = Trace::new(
        "b  eight calls with log-normal times: median 1.5 s, some much longer",
        log_normal(2_411, millis(1_500), 1.2, 8),
    );
    let slow = Trace::new(
        "c  five calls of 0.5 s and one of 60 s",
        [500, 500, 60_000, 500, 500, 500].map(millis),
    );
    let mut chain = Trace::new(
        "d  a chain of three calls of 2 s, each of which needs the result of the previous one",
        [millis(2_000); 3],
    );
    for place in 1..chain.calls.len() {
        chain.calls[place].needs = Some(place - 1);
    }
    let mut fan = Trace::new(
        "e  twenty calls with effects, started together, which end within 0.2 s of each other",
        (0..20).map(|place| millis(3_000 + 10 * place)),
    );
    fan.effect = Effect::Once;
    let mut asked = Trace::new(
        "f  four calls of 6 to 9 s, and a question of the user after 5 s",
        [6_000, 7_000, 8_000, 9_000].map(millis),
    );
    asked.messages.push((millis(5_000), "How far are you?"));
    vec![uniform, mixed, slow, chain, fan, asked]
}

/// Log-normal times, as services have them: most near the median, a few far above it.
fn log_normal(seed: u64, median: Duration, sigma: f64, count: usize) -> Vec<Duration> {
    let mut state = seed;
    // SplitMix64 (Steele, Lea and Flood, 2014), as a number above 0 and up to 1.
    let mut uniform = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64 + f64::EPSILON
    };
    (0..count)
        .map(|_| {
            // Box–Muller transform.
            let normal = (-2.0 * uniform().ln()).sqrt() * (TAU * uniform()).cos();
            let seconds = median.as_secs_f64() * (sigma * normal).exp();
            Duration::from_millis((seconds * 1_000.0) as u64)
        })
        .collect()
}
