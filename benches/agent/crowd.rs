//! Many agents in one process.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_tool_runtime::{
    AsyncAgent, AsyncTaskResult, AsyncToolManager, Message, Model, TaskOutcome, ToolCall,
    agent::WakePolicy,
    async_tool,
    context::AnswerContent,
    model::{ModelRequest, ModelStream},
    tool::State,
    tools,
};
use memory_stats::memory_stats;
use serde_json::json;
use tokio::{
    runtime::Runtime,
    sync::mpsc,
    task::{JoinSet, yield_now},
    time::sleep,
};

use crate::{
    process,
    quantile::{Samples, show},
};

const SESSIONS: usize = 10_000;
const TASKS: usize = 10;
/// Time over which the ends of tasks are spread, in the rows named `spread`.
const SPREAD: Duration = Duration::from_secs(4);

const ROWS: [&str; 5] = [
    "burst, floor",
    "burst",
    "spread over 4 s, floor",
    "spread, no pause",
    "spread, 20 ms pause",
];

/// Prints the time of 10,000 agents with 10 tasks each, the latency of results, the number of errors, and the memory of a session.
///
/// The latency is the time from the end of a tool to the request that shows its result to the model. Errors are results that are lost,
/// shown twice, or shown in the wrong session.
pub(crate) fn measure() {
    println!(
        "crowd                     {SESSIONS} sessions x {TASKS} tasks; floor: a tokio task and a channel for each session; latency: from the end of a tool to its model"
    );
    ROWS.into_iter().for_each(process::measure);
}

/// Measures and prints this row.
pub(crate) fn measure_row(row: &str) {
    let at_once = WakePolicy::debounce(Duration::ZERO, Duration::ZERO);
    let (spread, wake) = match ROWS.iter().position(|known| *known == row) {
        Some(0) => (None, None),
        Some(1) => (None, Some(WakePolicy::default())),
        Some(2) => (Some(SPREAD), None),
        Some(3) => (Some(SPREAD), Some(at_once)),
        Some(_) => (Some(SPREAD), Some(WakePolicy::default())),
        None => return println!("  {row:<28}there is no such row"),
    };
    let runtime = Runtime::new().expect("the system has threads to give");
    runtime.block_on(async {
        let book = Arc::new(Book::new(spread));
        let before = memory_stats().map(|stats| stats.physical_mem);
        let begin = Instant::now();
        let crowd = match wake {
            Some(wake) => Crowd::Agents(agents(&book, wake).await),
            None => Crowd::Floor(floor(&book).await),
        };
        let elapsed = begin.elapsed();
        let after = memory_stats().map(|stats| stats.physical_mem);
        drop(crowd);
        let memory = match (before, after) {
            (Some(before), Some(after)) => (after.saturating_sub(before) / SESSIONS).to_string(),
            _ => "unknown".to_owned(),
        };
        println!(
            "  {row:<28}{elapsed:.2?}; {}; {memory} more bytes per session",
            book.summary()
        );
    });
}

/// Sessions, kept alive until the memory is measured.
#[expect(dead_code, reason = "they are only held")]
enum Crowd {
    Agents(Vec<AsyncAgent>),
    Floor(Vec<mpsc::UnboundedSender<(usize, usize)>>),
}

/// Times when each task ended and when its model was shown the result, with counts of errors.
struct Book {
    spread: Option<Duration>,
    ended: Vec<OnceLock<Instant>>,
    told: Vec<OnceLock<Instant>>,
    doubled: AtomicU32,
    strays: AtomicU32,
    turns: AtomicU32,
}

impl Book {
    fn new(spread: Option<Duration>) -> Self {
        let empty = || (0..SESSIONS * TASKS).map(|_| OnceLock::new()).collect();
        Self {
            spread,
            ended: empty(),
            told: empty(),
            doubled: 0.into(),
            strays: 0.into(),
            turns: 0.into(),
        }
    }

    /// Waits as the work of a task, and records its end.
    async fn work(&self, session: usize, task: usize) {
        match self.spread {
            Some(spread) => {
                // Spreads the tasks without random numbers: a step that is coprime to the number of tasks visits every place once.
                let place = (session * TASKS + task) * 61_803 % (SESSIONS * TASKS);
                sleep(spread.mul_f64(place as f64 / (SESSIONS * TASKS) as f64)).await;
            }
            None => {
                for _ in 0..3 {
                    yield_now().await;
                }
            }
        }
        let _once = self.ended[session * TASKS + task].set(Instant::now());
    }

    /// Records that the model of session `to` is shown the result of a task of session `session`.
    fn tell(&self, to: usize, (session, task): (usize, usize), now: Instant) {
        if to != session {
            self.strays.fetch_add(1, Ordering::Relaxed);
        } else if self.told[session * TASKS + task].set(now).is_err() {
            self.doubled.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn summary(&self) -> String {
        let mut ways = Samples::default();
        for (ended, told) in self.ended.iter().zip(&self.told) {
            if let (Some(ended), Some(told)) = (ended.get(), told.get()) {
                ways.push(told.saturating_duration_since(*ended));
            }
        }
        format!(
            "{} lost, {} doubled, {} in a wrong session; {} model calls; latency p50 {}, p99 {}",
            SESSIONS * TASKS - ways.len(),
            self.doubled.load(Ordering::Relaxed),
            self.strays.load(Ordering::Relaxed),
            self.turns.load(Ordering::Relaxed),
            show(ways.quantile(0.5)),
            show(ways.quantile(0.99))
        )
    }
}

/// Returns the session and the call for which it was made.
#[async_tool(background = "always", effect = "read")]
async fn work(session: usize, task: usize, #[inject] book: State<Arc<Book>>) -> (usize, usize) {
    book.work(session, task).await;
    (session, task)
}

async fn agents(book: &Arc<Book>, wake: WakePolicy) -> Vec<AsyncAgent> {
    let manager = AsyncToolManager::builder()
        .tools(tools![work])
        .state(Arc::clone(book))
        .open_tasks(SESSIONS * TASKS)
        .build()
        .expect("one tool is no clash");
    let mut sessions = JoinSet::new();
    for number in 0..SESSIONS {
        let model = Caller {
            number,
            seen: 0.into(),
            book: Arc::clone(book),
        };
        let builder = AsyncAgent::builder(model, manager.clone()).wake_policy(wake);
        sessions.spawn(async move {
            let agent = builder.start().await.expect("a session of its own is free");
            agent.send("Go.").await.expect("the session is open");
            agent.run_until_idle().await.expect("the model doesn't fail");
            agent
        });
    }
    sessions.join_all().await
}

/// Model that calls the tool ten times, and records the results that it is shown.
struct Caller {
    number: usize,
    /// Number of messages that earlier turns were shown.
    seen: AtomicUsize,
    book: Arc<Book>,
}

impl Caller {
    fn note(&self, result: &AsyncTaskResult, now: Instant) {
        let TaskOutcome::Completed(value) = &result.outcome else {
            return;
        };
        let part = |place| value.get(place).and_then(serde_json::Value::as_u64).unwrap_or(u64::MAX) as usize;
        self.book.tell(self.number, (part(0), part(1)), now);
    }
}

impl Model for Caller {
    fn generate(&self, request: ModelRequest) -> ModelStream {
        let now = Instant::now();
        self.book.turns.fetch_add(1, Ordering::Relaxed);
        let seen = self.seen.swap(request.messages.len(), Ordering::Relaxed);
        if seen == 0 {
            return ModelStream::calls((0..TASKS).map(|task| {
                ToolCall::new(
                    format!("call_{task}"),
                    "work",
                    json!({"session": self.number, "task": task}),
                )
            }));
        }
        for message in &request.messages[seen..] {
            match &**message {
                Message::Answers(answers) => {
                    for answer in answers {
                        if let AnswerContent::Result(result) = &answer.content {
                            self.note(result, now);
                        }
                    }
                }
                Message::Delivery { results, .. } => results.iter().for_each(|result| self.note(result, now)),
                _ => {}
            }
        }
        ModelStream::text("Noted.")
    }
}

/// Floor: each session is a tokio task with a channel, and each task is a tokio task.
async fn floor(book: &Arc<Book>) -> Vec<mpsc::UnboundedSender<(usize, usize)>> {
    let mut senders = Vec::with_capacity(SESSIONS);
    let mut sessions = JoinSet::new();
    for session in 0..SESSIONS {
        let (sender, mut results) = mpsc::unbounded_channel();
        for task in 0..TASKS {
            let (book, sender) = (Arc::clone(book), sender.clone());
            tokio::spawn(async move {
                book.work(session, task).await;
                // The receiver is gone only if the bench itself has failed.
                let _ = sender.send((session, task));
            });
        }
        senders.push(sender);
        let book = Arc::clone(book);
        sessions.spawn(async move {
            for _ in 0..TASKS {
                let result = results.recv().await.expect("a sender is kept");
                book.tell(session, result, Instant::now());
            }
        });
    }
    sessions.join_all().await;
    senders
}
