//! A run of a scenario that fails.

use std::{fmt, thread};

/// A seed whose run fails. Its text has the problem, the command that runs the seed again, and a timeline.
///
/// ```
/// use async_tool_runtime::testing::Explore;
///
/// let failure = Explore::new().try_run(async |sim| assert!(sim.pick(10) < 9, "the last one")).unwrap_err();
/// assert_eq!(failure.problem(), "it panicked: the last one");
/// assert!(failure.is_repeatable());
/// // Runs this seed alone, for a debugger.
/// let again = Explore::new().seed(failure.seed());
/// # drop(again);
/// ```
#[derive(Clone, Debug)]
pub struct ExploreError {
    pub(super) seed: u64,
    pub(super) problem: String,
    pub(super) timeline: String,
    pub(super) is_repeatable: bool,
}

impl ExploreError {
    /// The seed.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Description of the problem.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// True if the seed failed in the same way when it was run again.
    #[must_use]
    pub const fn is_repeatable(&self) -> bool {
        self.is_repeatable
    }
}

impl fmt::Display for ExploreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            problem,
            timeline,
            is_repeatable,
        } = self;
        // The test harness names its threads after the tests.
        let current = thread::current();
        let test = current.name().filter(|name| *name != "main");
        let test = test.map(|name| format!(" {name}")).unwrap_or_default();
        writeln!(f, "seed {seed} fails: {problem}\n")?;
        writeln!(
            f,
            "run it alone with `ASYNC_TOOL_SEED={seed} cargo test{test}`, or with `Explore::new().seed({seed})`"
        )?;
        if !is_repeatable {
            writeln!(
                f,
                "the same seed gave another run the second time: the scenario depends on something besides its seed, such as threads, the real clock, other random numbers or the order in a hash map"
            )?;
        }
        write!(f, "\n{timeline}")
    }
}

impl std::error::Error for ExploreError {}
