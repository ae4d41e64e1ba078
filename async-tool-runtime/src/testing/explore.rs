//! A scenario, run in many orders of events.

use std::{
    any::Any,
    collections::{BTreeSet, hash_map::DefaultHasher},
    env,
    fmt::{self, Write},
    hash::Hasher,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::AtomicU32, mpsc},
    thread,
    time::{Duration, Instant as RealInstant},
};

use tokio::time::{Instant, sleep, timeout};

use super::{
    ExploreError, Faults, Recorder, Sim, check_journal, dice::Dice, paused::paused_runtime, sim::World, timeline,
};
use crate::{journal::Entry, policy::Replaced, session::SessionId};

/// Real time after which a warning is printed that one seed is still running.
const STUCK: Duration = Duration::from_secs(30);

/// Runs a scenario once for each of 256 seeds: [`Explore`] with its defaults. The module's page has
/// [worked examples](super#many-orders).
///
/// ```
/// use async_tool_runtime::testing::{ScriptedModel, explore};
/// use async_tool_runtime::{model::ModelStream, AsyncToolManager, Message};
/// use std::time::Duration;
///
/// // #[test]
/// fn no_message_is_left_unanswered() {
///     explore(async |sim| {
///         let model = ScriptedModel::new().otherwise(|_| ModelStream::text("yes?"));
///         let manager = AsyncToolManager::builder().build().unwrap();
///         let agent = sim.agent(model, manager).start().await.unwrap();
///         sim.user(&agent, Duration::from_secs(1), ["hello", "are you there?"]).await.unwrap();
///         agent.run_until_idle().await.unwrap();
///         let transcript = agent.transcript().await.unwrap();
///         assert!(matches!(transcript.last().map(|last| &**last), Some(Message::Assistant { .. })));
///     });
/// }
/// # no_message_is_left_unanswered();
/// ```
///
/// # Panics
///
/// At the first seed that fails; see [`Explore::run`].
pub fn explore<F, Fut>(scenario: F) -> Explored
where
    F: Fn(Sim) -> Fut,
    Fut: Future<Output = ()>,
{
    Explore::new().run(scenario)
}

/// Settings of an exploration: one scenario, run once for each of many seeds.
///
/// Each run starts from the beginning of the scenario, in a [`Sim`]. The seed decides how long tools, model and journal take, so the same
/// seed gives the same run. A run fails if
///
/// - the scenario panics, for example in an assertion;
/// - the scenario hangs: it doesn't end within a [limit](Self::limit) of virtual time;
/// - a session in the simulated journal doesn't end after the scenario has ended and its agents are dropped or closed;
/// - one of these sessions breaks a promise (see [`check_journal`](super::check_journal)): a task is lost, delivered twice, or answered twice;
/// - the decisions of a simulated agent, played again, differ from its journal.
///
/// Two environment variables override the seeds: `ASYNC_TOOL_SEED=17` runs seed 17 alone, `ASYNC_TOOL_SCHEDULES=100000` runs 100,000 seeds.
///
/// ```
/// use async_tool_runtime::testing::{Explore, Faults};
/// use std::time::Duration;
///
/// let explored = Explore::new()
///     .seeds(0..20)
///     .limit(Duration::from_secs(3600))
///     .tools_take(Duration::from_secs(30))
///     .faults(Faults::some())
///     .run(async |sim| sim.pause(Duration::from_secs(60)).await);
/// assert_eq!(explored.schedules, 20);
/// ```
#[derive(Clone, Debug)]
#[must_use = "an exploration does nothing until `run` is called"]
pub struct Explore {
    seeds: Range<u64>,
    limit: Duration,
    tools_take: Duration,
    model_takes: Duration,
    journal_takes: Duration,
    faults: Faults,
    sessions_end: bool,
}

impl Default for Explore {
    fn default() -> Self {
        Self {
            seeds: 0..256,
            limit: Duration::from_secs(7 * 24 * 60 * 60),
            tools_take: Duration::from_secs(4),
            model_takes: Duration::from_millis(500),
            journal_takes: Duration::from_millis(8),
            faults: Faults::new(),
            sessions_end: true,
        }
    }
}

impl Explore {
    /// An exploration with the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the seeds. Default: 0 to 255.
    pub fn seeds(mut self, seeds: Range<u64>) -> Self {
        self.seeds = seeds;
        self
    }

    /// Runs one seed alone, such as the seed of a failure. The environment variables don't override it.
    pub fn seed(self, seed: u64) -> Self {
        self.seeds(seed..seed.saturating_add(1))
    }

    /// Limits the virtual time of a run. Default: a week.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Limits the pauses that a tool makes, one before its function is called and one after. Default: 4 s each.
    pub fn tools_take(mut self, longest: Duration) -> Self {
        self.tools_take = longest;
        self
    }

    /// Limits the time that the model takes for one event. Default: 500 ms.
    pub fn model_takes(mut self, longest: Duration) -> Self {
        self.model_takes = longest;
        self
    }

    /// Limits the time that the journal takes for one append. Default: 8 ms.
    pub fn journal_takes(mut self, longest: Duration) -> Self {
        self.journal_takes = longest;
        self
    }

    /// Sets the chances of faults. Default: no faults.
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// Allows sessions that never close, as with a journal that fails for good. Their entries are still checked.
    pub fn sessions_may_stop(mut self) -> Self {
        self.sessions_end = false;
        self
    }

    /// Runs the scenario for each seed, then prints the number of schedules and of different orders of events.
    ///
    /// The scenario should drop its agents at its end, or close them. It must take all its random choices from its [`Sim`].
    ///
    /// # Panics
    ///
    /// At the first seed that fails. The message has the seed, the command that runs it alone, the problem, and a timeline of each session.
    /// Also if it is called within a tokio runtime, or if `ASYNC_TOOL_SEED` or `ASYNC_TOOL_SCHEDULES` is not a number.
    pub fn run<F, Fut>(&self, scenario: F) -> Explored
    where
        F: Fn(Sim) -> Fut,
        Fut: Future<Output = ()>,
    {
        match self.try_run(scenario) {
            Ok(explored) => {
                println!("{explored}");
                explored
            }
            Err(failure) => panic!("{failure}"),
        }
    }

    /// Like [`run`](Self::run), but returns the failure instead of panicking, and prints nothing.
    ///
    /// ```
    /// use async_tool_runtime::testing::Explore;
    /// use std::time::Duration;
    ///
    /// let failure = Explore::new().limit(Duration::from_secs(1)).try_run(async |_| std::future::pending().await).unwrap_err();
    /// assert!(failure.problem().contains("1s"), "{failure}");
    /// ```
    ///
    /// # Errors
    ///
    /// [`ExploreError`]: the first seed that fails.
    ///
    /// # Panics
    ///
    /// If it is called within a tokio runtime, or if `ASYNC_TOOL_SEED` or `ASYNC_TOOL_SCHEDULES` is not a number.
    pub fn try_run<F, Fut>(&self, scenario: F) -> Result<Explored, ExploreError>
    where
        F: Fn(Sim) -> Fut,
        Fut: Future<Output = ()>,
    {
        let began = RealInstant::now();
        let watch = Watch::new();
        let mut different = BTreeSet::new();
        let mut explored = Explored::default();
        for seed in self.chosen() {
            watch.begin(seed);
            let run = self.play(seed, &scenario);
            let Some(problem) = run.problem else {
                explored.schedules += 1;
                explored.virtual_time += run.took;
                different.insert(run.order);
                continue;
            };
            let again = self.play(seed, &scenario);
            return Err(ExploreError {
                seed,
                is_repeatable: again.problem.is_some() && again.timeline == run.timeline,
                problem,
                timeline: run.timeline,
            });
        }
        explored.different = different.len() as u64;
        explored.real_time = began.elapsed();
        Ok(explored)
    }

    fn chosen(&self) -> Range<u64> {
        let number = |name: &str| {
            let text = env::var(name).ok()?;
            let number = text.trim().parse::<u64>();
            Some(number.unwrap_or_else(|_| panic!("{name} must be a number, got {text:?}")))
        };
        if self.seeds.end == self.seeds.start.saturating_add(1) {
            return self.seeds.clone();
        }
        match (number("ASYNC_TOOL_SEED"), number("ASYNC_TOOL_SCHEDULES")) {
            (Some(seed), _) => seed..seed.saturating_add(1),
            (None, Some(schedules)) => self.seeds.start..self.seeds.start.saturating_add(schedules),
            (None, None) => self.seeds.clone(),
        }
    }

    fn play<F, Fut>(&self, seed: u64, scenario: &F) -> Run
    where
        F: Fn(Sim) -> Fut,
        Fut: Future<Output = ()>,
    {
        let dice = Arc::new(Dice::new(seed));
        let drawn = Arc::clone(&dice);
        let _replaced = Replaced::by(move || drawn.fraction());
        let sim = Sim::new(World {
            seed,
            dice,
            tools_take: self.tools_take,
            model_takes: self.model_takes,
            journal_takes: self.journal_takes,
            faults: self.faults,
            recorder: Recorder::new(),
            journal: Arc::default(),
            agents: AtomicU32::new(0),
        });
        let mut took = Duration::ZERO;
        // The runtime is dropped inside too: it drops the user's futures, and those may panic as well.
        let played = catch_unwind(AssertUnwindSafe(|| {
            let runtime = paused_runtime();
            runtime.block_on(async {
                let began = Instant::now();
                let played = self.play_out(&sim, scenario).await;
                took = began.elapsed();
                played
            })
        }));
        let problem = match played {
            Ok(Ok(())) => check(&sim).err(),
            Ok(Err(problem)) => Some(problem),
            // A broken promise may explain the panic.
            Err(panic) => Some(match check(&sim) {
                Ok(()) => format!("it panicked: {}", text_of(&*panic)),
                Err(problem) => format!("it panicked: {}\nand {problem}", text_of(&*panic)),
            }),
        };
        let (mut timeline, mut order) = (String::new(), String::new());
        for (place, (_, entries)) in sessions(&sim).iter().enumerate() {
            // Writing to a string can't fail.
            let _ = writeln!(timeline, "session {}:", place + 1);
            let _ = timeline::write(&mut timeline, entries);
            let _ = writeln!(order, "session {}:", place + 1);
            let _ = timeline::write_order(&mut order, entries);
        }
        // The recorder holds machines, their tools hold the world, and the world holds the recorder: a reference cycle.
        sim.world().recorder.clear();
        let mut hasher = DefaultHasher::new();
        hasher.write(order.as_bytes());
        Run {
            problem,
            took,
            timeline,
            order: hasher.finish(),
        }
    }

    async fn play_out<F, Fut>(&self, sim: &Sim, scenario: &F) -> Result<(), String>
    where
        F: Fn(Sim) -> Fut,
        Fut: Future<Output = ()>,
    {
        let began = Instant::now();
        if timeout(self.limit, scenario(sim.clone())).await.is_err() {
            return Err(format!(
                "the scenario did not end within {:?} of virtual time",
                self.limit
            ));
        }
        // After an agent is dropped, its tasks stop and its session closes in the background.
        let mut pause = Duration::from_millis(1);
        while self.sessions_end
            && let Some((session, _)) = sessions(sim).into_iter().find(|(_, entries)| !is_over(entries))
        {
            if began.elapsed() > self.limit {
                return Err(format!(
                    "the session `{session}` did not end after the scenario; is its agent still held, its journal broken, or does a \
                     journal around the simulated one not pass `is_durable` on?"
                ));
            }
            sleep(pause).await;
            pause *= 2;
        }
        Ok(())
    }
}

struct Run {
    problem: Option<String>,
    took: Duration,
    timeline: String,
    order: u64,
}

fn sessions(sim: &Sim) -> Vec<(SessionId, Vec<Entry>)> {
    let journal = sim.journal();
    let names = journal.session_ids().into_iter();
    names.map(|name| (name.clone(), journal.entries(&name))).collect()
}

fn is_over(entries: &[Entry]) -> bool {
    matches!(entries.last(), Some(Entry::Closed { .. }))
}

/// Checks the rules that hold for every scenario.
fn check(sim: &Sim) -> Result<(), String> {
    for (session, entries) in sessions(sim) {
        check_journal(&entries)
            .map_err(|violation| format!("the journal of `{session}` breaks a promise: {violation}"))?;
    }
    for recording in sim.world().recorder.recordings() {
        let entries = sim.journal().entries(recording.session());
        recording.check(&entries).map_err(|divergence| {
            format!(
                "`{}` played again differs from its journal: {divergence}",
                recording.session()
            )
        })?;
    }
    Ok(())
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no text")
}

/// Numbers of an exploration that found no failure.
///
/// ```
/// use async_tool_runtime::testing::Explore;
/// use std::time::Duration;
///
/// let explored = Explore::new().seeds(0..3).run(async |_| tokio::time::sleep(Duration::from_secs(5)).await);
/// assert_eq!((explored.schedules, explored.different), (3, 1));
/// assert_eq!(explored.virtual_time, Duration::from_secs(15));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explored {
    /// Number of runs of the scenario.
    pub schedules: u64,
    /// Number of different runs: with other events, or with the same events in another order. Times alone make no difference.
    pub different: u64,
    /// Virtual time of all runs together.
    pub virtual_time: Duration,
    /// Real time of all runs together.
    pub real_time: Duration,
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            schedules,
            different,
            virtual_time,
            real_time,
        } = self;
        write!(
            f,
            "explored {schedules} schedules, {different} different orders of events: "
        )?;
        write!(
            f,
            "{} s of virtual time in {:.1} s",
            virtual_time.as_secs(),
            real_time.as_secs_f64()
        )
    }
}

/// Thread that prints a warning if a seed takes long in real time. A limit of virtual time can't stop a loop that never waits.
struct Watch(mpsc::Sender<u64>);

impl Watch {
    fn new() -> Self {
        let (begin, begun) = mpsc::channel();
        // The thread ends when the exploration drops its end of the channel.
        thread::spawn(move || {
            let mut current = None;
            loop {
                match begun.recv_timeout(STUCK) {
                    Ok(seed) => current = Some(seed),
                    Err(mpsc::RecvTimeoutError::Disconnected) => return,
                    Err(mpsc::RecvTimeoutError::Timeout) => {
                        if let Some(seed) = current.take() {
                            eprintln!(
                                "seed {seed} has been running for {STUCK:?} of real time: is there a loop that never waits?"
                            );
                        }
                    }
                }
            }
        });
        Self(begin)
    }

    fn begin(&self, seed: u64) {
        // If the thread could not start, there is no warning; the exploration needs nothing else of it.
        let _ = self.0.send(seed);
    }
}
