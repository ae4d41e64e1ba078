//! An engine that can have a flaw.

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_tool_runtime::{
    CancellationToken, SessionId, TaskId, TaskOutcome, ToolError, ToolErrorKind,
    backend::{
        Backend, BackendCapabilities, BackendError, CancelMode, HandBackReason, Heartbeat, Heartbeats, Settlement,
        WorkerLink,
    },
    future::BoxFuture,
    manager::Executor,
    task::TaskSpec,
    testing::{BackendEngine, BackendWorker},
};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

/// Flaw of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    ForgetsWithItsConnection,
    RunsEachSubmit,
    RunsAgainAfterItsEnd,
    CutsNulCharacters,
    TakesLessThanItSays,
    RepeatsLargeEnds,
    ForgetsKindsOfErrors,
    GivesAnEndOnce,
    WaitsForUnknownTasks,
    GivesOutTwice,
    /// No flaw: no rule asks for an order.
    GivesOutTheNewest,
    TakesTooMany,
    TakesTooFew,
    ListsEndedTasks,
    ListsAllSessions,
    IgnoresCancellations,
    CancelsLate,
    ForgetsTheReason,
    RunsCancelledTasks,
    RefusesLateCancellations,
    CancelsEndedTasks,
    IgnoresAborts,
    LosesTasksWithWorkers,
    ForgetsStarts,
    KeepsStartsLate,
    CountsDeliveries,
    CancelsAtStop,
    DropsAtStop,
    CountsStops,
    EndsUnknownTools,
    TellsNoHeartbeats,
    TellsStartsEarly,
    TellsNoProgress,
}

/// Most bytes that the engine carries.
const MOST: usize = 64 * 1024;
/// Pause of all that looks for changes.
const LOOK: Duration = Duration::from_millis(2);

/// Engine that looks for changes instead of being told.
#[derive(Clone)]
pub(super) struct FlawedEngine {
    flaw: Option<Flaw>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// In the order of their submission.
    tasks: BTreeMap<u32, Task>,
    numbers: HashMap<TaskId, u32>,
    deliveries: u32,
}

struct Task {
    id: TaskId,
    session: SessionId,
    text: String,
    heartbeat: Heartbeat,
    end: Option<Settlement>,
    has_been_told: bool,
    reason: Option<String>,
    /// Time from which it may be given out; `None` while a worker has it.
    due: Option<Instant>,
    delivery: u32,
    deliveries: u32,
    token: CancellationToken,
}

impl FlawedEngine {
    pub(super) fn new(flaw: Option<Flaw>) -> Self {
        Self {
            flaw,
            state: Arc::default(),
        }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Takes the next task: its number, its text, its starts, its token, and the number of this delivery.
    fn take(&self) -> Option<(u32, String, u32, CancellationToken, u32)> {
        let gives_out_twice = self.has(Flaw::GivesOutTwice);
        let gives_out_the_newest = self.has(Flaw::GivesOutTheNewest);
        let mut state = self.state();
        let delivery = state.deliveries + 1;
        let is_due =
            |task: &Task| task.due.is_some_and(|due| due <= Instant::now()) && (task.end.is_none() || gives_out_twice);
        let mut due = state.tasks.iter_mut().filter(|(_, task)| is_due(task));
        let (number, task) = match gives_out_the_newest {
            true => due.next_back()?,
            false => due.next()?,
        };
        let is_kept = gives_out_twice && task.deliveries == 0 && number % 10 == 0;
        task.due = is_kept.then(Instant::now);
        let starts = match self.flaw {
            Some(Flaw::ForgetsStarts) => 0,
            Some(Flaw::CountsDeliveries) => task.deliveries,
            _ => task.heartbeat.starts,
        };
        task.deliveries += 1;
        task.delivery = delivery;
        let taken = (*number, task.text.clone(), starts, task.token.clone(), delivery);
        state.deliveries = delivery;
        Some(taken)
    }

    /// Puts a task back, unless another worker has it by now.
    fn put_back(&self, number: u32, delivery: u32, due: Instant) {
        let mut state = self.state();
        let task = state.tasks.get_mut(&number).filter(|task| task.delivery == delivery);
        if let Some(task) = task {
            match task.reason.clone() {
                Some(reason) => task.end_with(TaskOutcome::Cancelled(reason)),
                None => task.due = Some(due),
            }
        }
    }

    fn end(&self, number: u32, delivery: u32, end: Settlement) {
        let is_too_large = serde_json::to_string(&end).unwrap().len() > MOST;
        if is_too_large {
            // As an engine does whose worker can't report.
            return self.put_back(number, delivery, Instant::now() + Duration::from_millis(20));
        }
        let mut state = self.state();
        let task = state.tasks.get_mut(&number).unwrap();
        if task.delivery == delivery && task.end.is_none() {
            task.end = Some(match end.outcome {
                TaskOutcome::Failed(error) if self.flaw == Some(Flaw::ForgetsKindsOfErrors) => Settlement::new(
                    TaskOutcome::Failed(error.with_kind(ToolErrorKind::Failed)),
                    end.attempts,
                ),
                outcome => Settlement::new(outcome, end.attempts),
            });
        }
    }
}

impl Task {
    fn end_with(&mut self, outcome: TaskOutcome) {
        self.end = Some(Settlement::new(outcome, 0));
        self.due = None;
    }
}

/// Connection of an agent.
pub(super) struct Connection(FlawedEngine, Mutex<Vec<TaskId>>);

impl Drop for Connection {
    fn drop(&mut self) {
        if self.0.has(Flaw::ForgetsWithItsConnection) {
            let mut state = self.0.state();
            for task in self.1.lock().unwrap().drain(..) {
                if let Some(number) = state.numbers.remove(&task) {
                    state.tasks.remove(&number);
                }
            }
        }
    }
}

impl Backend for Connection {
    fn submit(&self, task: TaskSpec) -> BoxFuture<'_, Result<(), BackendError>> {
        Box::pin(async move {
            let engine = &self.0;
            let mut text = serde_json::to_string(&task).unwrap();
            let most = if engine.has(Flaw::TakesLessThanItSays) {
                MOST / 2
            } else {
                MOST
            };
            if text.len() > most {
                return Err(BackendError::refused("too large"));
            }
            if engine.has(Flaw::CutsNulCharacters) {
                text = text.replace("\\u0000", "");
            }
            self.1.lock().unwrap().push(task.task);
            let mut state = engine.state();
            if let Some(number) = state.numbers.get(&task.task).copied() {
                let known = state.tasks.get_mut(&number).unwrap();
                let runs_again = match known.end {
                    Some(_) => engine.has(Flaw::RunsAgainAfterItsEnd),
                    None => engine.has(Flaw::RunsEachSubmit),
                };
                if runs_again {
                    known.due = Some(Instant::now());
                    known.end = None;
                }
                return Ok(());
            }
            let number = u32::try_from(state.numbers.len()).unwrap();
            state.numbers.insert(task.task, number);
            let task = Task {
                id: task.task,
                session: task.session,
                text,
                heartbeat: Heartbeat::default(),
                end: None,
                has_been_told: false,
                reason: None,
                due: Some(Instant::now()),
                delivery: 0,
                deliveries: 0,
                token: CancellationToken::new(),
            };
            state.tasks.insert(number, task);
            Ok(())
        })
    }

    fn outcome(&self, task: TaskId, heartbeats: Heartbeats) -> BoxFuture<'_, Result<Settlement, BackendError>> {
        Box::pin(async move {
            let engine = &self.0;
            loop {
                {
                    let mut state = engine.state();
                    let number = state.numbers.get(&task).copied();
                    let known = number.and_then(|number| state.tasks.get_mut(&number));
                    match known {
                        None if engine.has(Flaw::WaitsForUnknownTasks) => {}
                        None => return Err(BackendError::not_found("no such task")),
                        Some(known) => {
                            match engine.flaw {
                                Some(Flaw::TellsNoHeartbeats) => {}
                                Some(Flaw::TellsStartsEarly) => heartbeats.tell(Heartbeat::new(1)),
                                _ => heartbeats.tell(known.heartbeat.clone()),
                            }
                            if let Some(end) = known.end.clone() {
                                let was_told = std::mem::replace(&mut known.has_been_told, true);
                                if was_told && engine.has(Flaw::GivesAnEndOnce) {
                                    return Err(BackendError::not_found("it was given out"));
                                }
                                return Ok(end);
                            }
                        }
                    }
                }
                sleep(LOOK).await;
            }
        })
    }

    fn cancel<'a>(
        &'a self,
        task: TaskId,
        mode: CancelMode,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<(), BackendError>> {
        Box::pin(async move {
            let engine = &self.0;
            let mut state = engine.state();
            let Some(number) = state.numbers.get(&task).copied() else {
                return Ok(());
            };
            let Some(known) = state.tasks.get_mut(&number) else {
                return Ok(());
            };
            if known.end.is_some() {
                match engine.flaw {
                    Some(Flaw::RefusesLateCancellations) => return Err(BackendError::not_found("it has ended")),
                    Some(Flaw::CancelsEndedTasks) => known.end_with(TaskOutcome::Cancelled(reason.to_owned())),
                    _ => {}
                }
                return Ok(());
            }
            let reason = if engine.has(Flaw::ForgetsTheReason) {
                "cancelled"
            } else {
                reason
            };
            let is_waiting = known.due.is_some();
            match (engine.flaw, mode) {
                (Some(Flaw::IgnoresCancellations), _) | (Some(Flaw::IgnoresAborts), CancelMode::Abort) => {
                    return Ok(());
                }
                (Some(Flaw::CancelsLate), _) => {
                    let token = known.token.clone();
                    tokio::spawn(async move {
                        sleep(Duration::from_secs(2)).await;
                        token.cancel();
                    });
                }
                _ => known.token.cancel(),
            }
            known.reason = Some(reason.to_owned());
            if is_waiting && engine.has(Flaw::RunsCancelledTasks) {
                known.token = CancellationToken::new();
                known.end = Some(Settlement::new(TaskOutcome::Cancelled(reason.to_owned()), 0));
                let (text, id, session) = (known.text.clone(), known.id, known.session.clone());
                let next = u32::try_from(state.tasks.len()).unwrap();
                state.tasks.insert(
                    next,
                    Task {
                        id,
                        session,
                        text,
                        heartbeat: Heartbeat::default(),
                        end: None,
                        has_been_told: false,
                        reason: None,
                        due: Some(Instant::now()),
                        delivery: 0,
                        deliveries: 0,
                        token: CancellationToken::new(),
                    },
                );
            } else if is_waiting || mode == CancelMode::Abort {
                known.end_with(TaskOutcome::Cancelled(reason.to_owned()));
            }
            Ok(())
        })
    }

    fn open_tasks<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<Vec<TaskId>, BackendError>> {
        let is_listed = |task: &&Task| {
            let is_of_it = task.session == *session || self.0.has(Flaw::ListsAllSessions);
            is_of_it && (task.end.is_none() || self.0.has(Flaw::ListsEndedTasks))
        };
        let state = self.0.state();
        let open = state.tasks.values().filter(is_listed).map(|task| task.id).collect();
        drop(state);
        Box::pin(async { Ok(open) })
    }

    fn capabilities(&self) -> BackendCapabilities {
        BackendCapabilities::default().with_durable(true).with_max_payload(MOST)
    }
}

impl BackendEngine for FlawedEngine {
    type Backend = Connection;
    type Worker = Worker;

    async fn connect(&self) -> Result<Connection, Box<dyn Error + Send + Sync>> {
        Ok(Connection(self.clone(), Mutex::default()))
    }

    async fn work(&self, executor: Executor, slots: usize) -> Result<Worker, Box<dyn Error + Send + Sync>> {
        let stop = CancellationToken::new();
        let mut executor = executor.stopping_on(match self.flaw {
            Some(Flaw::CancelsAtStop | Flaw::DropsAtStop) => CancellationToken::new(),
            _ => stop.clone(),
        });
        if !self.has(Flaw::RepeatsLargeEnds) {
            executor = executor.max_payload(MOST);
        }
        let slots = match self.flaw {
            Some(Flaw::TakesTooMany) => slots + 1,
            Some(Flaw::TakesTooFew) => 1,
            _ => slots,
        };
        let held = Held::default();
        let slot = |_| tokio::spawn(work(self.clone(), executor.clone(), stop.clone(), Arc::clone(&held)));
        let slots = (0..slots).map(slot).collect();
        Ok(Worker {
            engine: self.clone(),
            stop,
            slots,
            held,
        })
    }
}

/// Deliveries that a worker has, with their tokens.
type Held = Arc<Mutex<HashMap<u32, (u32, CancellationToken)>>>;

pub(super) struct Worker {
    engine: FlawedEngine,
    stop: CancellationToken,
    slots: Vec<JoinHandle<()>>,
    held: Held,
}

impl Worker {
    fn lose(&mut self) {
        self.slots.drain(..).for_each(|slot| slot.abort());
        // One time for all, so that the next worker gets them in their order.
        let due = Instant::now() + Duration::from_millis(50);
        for (number, (delivery, _)) in self.held.lock().unwrap().drain() {
            if !self.engine.has(Flaw::LosesTasksWithWorkers) {
                self.engine.put_back(number, delivery, due);
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.lose();
    }
}

impl BackendWorker for Worker {
    async fn stop(mut self) {
        self.stop.cancel();
        match self.engine.flaw {
            Some(Flaw::DropsAtStop) => return self.lose(),
            Some(Flaw::CancelsAtStop) => {
                let held = self.held.lock().unwrap();
                held.values().for_each(|(_, token)| token.cancel());
            }
            _ => {}
        }
        for slot in self.slots.drain(..) {
            slot.await.unwrap();
        }
    }

    async fn kill(mut self) {
        self.lose();
    }
}

/// Work of one slot.
async fn work(engine: FlawedEngine, executor: Executor, stop: CancellationToken, held: Held) {
    while !stop.is_cancelled() {
        let Some((number, text, starts, token, delivery)) = engine.take() else {
            sleep(LOOK).await;
            continue;
        };
        held.lock().unwrap().insert(number, (delivery, token.clone()));
        let task: TaskSpec = serde_json::from_str(&text).unwrap();
        let link = Arc::new(Link {
            engine: engine.clone(),
            number,
        });
        let ended = executor.execute_linked(&task, starts, token, link).await;
        held.lock().unwrap().remove(&number);
        match ended {
            Ok(end) => engine.end(number, delivery, end),
            Err(back) if back.reason() == HandBackReason::UnknownTool && engine.has(Flaw::EndsUnknownTools) => {
                let error = ToolError::new(ToolErrorKind::UnknownTool, "no such tool");
                engine.end(number, delivery, Settlement::new(TaskOutcome::Failed(error), 0));
            }
            Err(_) => engine.put_back(number, delivery, Instant::now() + Duration::from_millis(10)),
        }
    }
}

struct Link {
    engine: FlawedEngine,
    number: u32,
}

impl Link {
    fn keep(&self, mut heartbeat: Heartbeat) {
        let mut state = self.engine.state();
        let Some(task) = state.tasks.get_mut(&self.number) else {
            return;
        };
        if self.engine.has(Flaw::CountsStops) {
            heartbeat.starts = heartbeat.starts.max(task.heartbeat.starts);
        }
        task.heartbeat = heartbeat;
    }
}

impl WorkerLink for Link {
    fn save(&self, heartbeat: Heartbeat) -> BoxFuture<'_, Result<(), BackendError>> {
        Box::pin(async move {
            if self.engine.has(Flaw::KeepsStartsLate) {
                // In a buffer of the worker, which is lost with it.
                return Ok(());
            }
            self.keep(heartbeat);
            Ok(())
        })
    }

    fn report(&self, heartbeat: Heartbeat) {
        if !self.engine.has(Flaw::TellsNoProgress) {
            self.keep(heartbeat);
        }
    }
}
