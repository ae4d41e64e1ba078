//! The worker's side.

use std::{future::Future, pin::pin, time::Duration};

use async_tool_runtime::{CancellationToken, manager::Executor};
use temporalio_client::Client;
use temporalio_common::worker::WorkerDeploymentOptions;
use temporalio_sdk::{
    Runtime, Worker, WorkerOptions,
    runtime::worker_tuner::{FixedSizeSlotSupplier, TunerHolder},
};
use tokio::{
    runtime::Handle,
    sync::oneshot,
    time::{sleep, timeout},
};

use crate::{
    error::{TemporalError, TemporalErrorKind},
    hands::{Hands, Signals},
    refusal,
    server::{self, Server},
};

/// Pauses between two attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// As many as a semaphore can count on every machine.
const MOST_SLOTS: u32 = u32::MAX >> 3;

/// Time for the SDK to end, after all tasks have.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Worker: takes tasks from a queue of a Temporal server and runs them.
///
/// The executor is that of a manager without a backend, with the same tools as the agent's manager.
///
/// ```no_run
/// use async_tool_runtime::{AsyncToolManager, async_tool, tools};
/// use async_tool_temporal::TemporalWorker;
///
/// /// Count the letters of a word.
/// #[async_tool(effect = "read")]
/// async fn count_letters(
///     /// The word.
///     word: String,
/// ) -> usize {
///     word.chars().count()
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tools(tools![count_letters]).build()?;
/// let stop = async {
///     tokio::signal::ctrl_c().await.ok();
/// };
/// TemporalWorker::new("http://127.0.0.1:7233", "tools", manager.executor().clone())
///     .slots(20)
///     .run(stop)
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a worker does nothing unless it runs"]
pub struct TemporalWorker {
    server: Server,
    queue: String,
    executor: Executor,
    slots: usize,
    drain: Duration,
    max_payload: Option<usize>,
    queue_rate: Option<f64>,
}

impl TemporalWorker {
    /// Creates a worker for a queue of a server, given as address or as [`Server`].
    pub fn new(server: impl Into<Server>, queue: impl Into<String>, executor: Executor) -> Self {
        Self {
            server: server.into(),
            queue: queue.into(),
            executor,
            slots: 100,
            drain: Duration::from_secs(30),
            max_payload: None,
            queue_rate: None,
        }
    }

    /// Sets the most tasks that this worker runs at once; 100 unless set. It asks for no more than it has slots.
    pub const fn slots(mut self, slots: usize) -> Self {
        self.slots = slots;
        self
    }

    /// Sets how long a worker that was stopped waits for calls that can't be handed back; 30 s unless set. After that they are dropped: a
    /// call with the effect `once` is then reconciled by another worker, or its outcome is unknown.
    pub const fn drain(mut self, limit: Duration) -> Self {
        self.drain = limit;
        self
    }

    /// Sets the limit for a result, in bytes of JSON. Unless set, the namespace's own limit.
    pub const fn max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = Some(bytes);
        self
    }

    /// Sets the most tasks that all workers of the queue start in a second (Temporal's `max_task_queue_activities_per_second`).
    ///
    /// The server keeps the rate of the worker that polled last, so set the same for all.
    pub const fn queue_rate(mut self, per_second: f64) -> Self {
        self.queue_rate = Some(per_second);
        self
    }

    /// Runs tasks until `stop` ends. Then it asks for no more tasks. Calls that may be repeated get their tool's time to stop, and go to another
    /// worker; the others run to their end.
    ///
    /// If the server can't be reached, the worker waits for it. A worker that was admitted once also waits if it no longer is. Its tools go on
    /// meanwhile, and their results are kept.
    ///
    /// # Errors
    ///
    /// The errors of [`TemporalBackend::connect`](crate::TemporalBackend::connect), except for outages, and [`TemporalErrorKind::Worker`] if the
    /// SDK's worker ends by itself for another reason. The calls that run then have ended as at a stop.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the tools that run, as a kill does: their tasks go to other workers after the heartbeat timeout.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) -> Result<(), TemporalError> {
        let mut stop = pin!(stop);
        self.check()?;
        let (client, limits) = tokio::select! {
            biased;
            () = &mut stop => return Ok(()),
            connected = self.connect(is_unreachable) => connected?,
        };
        let limit = self.max_payload.unwrap_or(limits.payload);
        let executor = self.executor.clone().max_payload(limit);
        let signals = Signals::default();
        let hands = Hands::new(client, executor, signals.clone(), self.slot_count());
        let mut sdk = None;
        // Dropping this future must end what runs in the background.
        let kill = Kill(signals.abandon);

        let failed = tokio::select! {
            error = self.serve(hands.clone(), &mut sdk) => Err(error),
            () = &mut stop => Ok(()),
        };
        signals.stopping.cancel();
        let drained = async {
            let ended = match &mut sdk {
                Some(sdk) => sdk.stopped().await,
                None => Ok(()),
            };
            sdk = None;
            // The tasks of earlier ones of the SDK's workers, too.
            hands.idle().await;
            ended
        };
        if let Ok(ended) = timeout(self.drain, drained).await {
            return failed.and(ended);
        }
        tracing::warn!(target: "async_tool::temporal", "calls were still running at the end of the drain limit, and are dropped");
        drop(kill);
        if let Some(sdk) = &mut sdk {
            let _ = timeout(LAST_WORDS, sdk.stopped()).await;
        }
        failed
    }

    /// Runs the SDK's worker, and another one after an outage at which that has ended. Returns its last failure.
    async fn serve(&self, mut hands: Hands, sdk: &mut Option<Sdk>) -> TemporalError {
        loop {
            let error = match Sdk::start(hands.client(), self.options(hands.clone())) {
                Ok(started) => sdk.insert(started).ended().await,
                Err(error) => return error,
            };
            *sdk = None;
            if !may_be_over_soon(&error) {
                return error;
            }
            warn(&error);
            sleep(FIRST_PAUSE).await;
            match self.connect(may_be_over_soon).await {
                Ok((client, _)) => hands = hands.over(client),
                Err(error) => return error,
            }
        }
    }

    fn slot_count(&self) -> u32 {
        u32::try_from(self.slots).map_or(MOST_SLOTS, |slots| slots.min(MOST_SLOTS))
    }

    fn check(&self) -> Result<(), TemporalError> {
        let complaint = if self.queue.is_empty() {
            "the task queue needs a name"
        } else if self.slots == 0 {
            "a worker needs a slot or more"
        } else if self.queue_rate.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
            "the rate of a queue must be a number above zero"
        } else {
            return Ok(());
        };
        Err(TemporalError::new(TemporalErrorKind::Setting, complaint))
    }

    /// Connects to the server. Outages are waited out.
    async fn connect(
        &self,
        is_outage: impl Fn(&TemporalError) -> bool + Send,
    ) -> Result<(Client, server::Limits), TemporalError> {
        let mut pause = FIRST_PAUSE;
        loop {
            let connected = async {
                let client = self.server.client().await?;
                let limits = server::limits(&client).await?;
                Ok((client, limits))
            };
            match connected.await {
                Err(error) if is_outage(&error) => {
                    warn(&error);
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                connected => return connected,
            }
        }
    }

    fn options(&self, hands: Hands) -> WorkerOptions {
        let slots = FixedSizeSlotSupplier::new(self.slot_count() as usize);
        let tuner = TunerHolder::builder()
            .activity_task_slot_supplier(slots)
            // Never used: the worker has no workflow.
            .workflow_task_slot_supplier(FixedSizeSlotSupplier::new(1))
            .local_activity_task_slot_supplier(FixedSizeSlotSupplier::new(1))
            .nexus_task_slot_supplier(FixedSizeSlotSupplier::new(1))
            .build();
        WorkerOptions::new(self.queue.clone())
            .register_activities(hands)
            .tuner(tuner)
            .maybe_max_task_queue_activities_per_second(self.queue_rate)
            // By default, the SDK reads the whole program to name it.
            .deployment_options(WorkerDeploymentOptions::from_build_id(concat!("async-tool-temporal ", env!("CARGO_PKG_VERSION")).to_owned()))
            .build()
    }
}

/// The SDK's worker, on a thread of its own, because its future can't move between threads. What it starts runs on the host's runtime.
/// Dropping this stops it.
struct Sdk {
    stop: Box<dyn Fn() + Send + Sync>,
    ended: oneshot::Receiver<Result<(), TemporalError>>,
}

impl Sdk {
    fn start(client: Client, options: WorkerOptions) -> Result<Self, TemporalError> {
        let broken = |error: Box<dyn std::error::Error + Send + Sync>| {
            TemporalError::new(TemporalErrorKind::Worker, "the worker could not be started").with_source(error)
        };
        let runtime = Runtime::from_current_tokio(Default::default()).map_err(|error| broken(error.into()))?;
        let mut worker = Worker::new(&runtime, client, options).map_err(|error| broken(error.into()))?;
        let stop = Box::new(worker.shutdown_handle());
        let (told, ended) = oneshot::channel();
        let host = Handle::current();
        let thread = std::thread::Builder::new().name("async-tool-temporal".to_owned());
        let spawned = thread.spawn(move || {
            let result = host.block_on(worker.run());
            drop(runtime);
            let _ = told.send(result.map_err(|error| {
                TemporalError::new(TemporalErrorKind::Worker, "the worker has ended by itself").with_source(error)
            }));
        });
        spawned.map_err(|error| broken(error.into()))?;
        Ok(Self { stop, ended })
    }

    /// Waits until it ends without having been stopped.
    async fn ended(&mut self) -> TemporalError {
        let ended = end(&mut self.ended).await;
        let by_itself = || TemporalError::new(TemporalErrorKind::Worker, "the worker has ended by itself");
        ended.err().unwrap_or_else(by_itself)
    }

    /// Stops it, and waits until its tasks have ended.
    async fn stopped(&mut self) -> Result<(), TemporalError> {
        (self.stop)();
        end(&mut self.ended).await
    }
}

impl Drop for Sdk {
    fn drop(&mut self) {
        (self.stop)();
    }
}

async fn end(ended: &mut oneshot::Receiver<Result<(), TemporalError>>) -> Result<(), TemporalError> {
    let panicked = |_| TemporalError::new(TemporalErrorKind::Worker, "the worker's thread has panicked");
    ended.await.map_err(panicked)?
}

/// Ends the tasks of a worker that is dropped.
struct Kill(CancellationToken);

impl Drop for Kill {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

fn is_unreachable(error: &TemporalError) -> bool {
    error.kind() == TemporalErrorKind::Unreachable
}

/// True for an outage, as a worker sees it that was admitted before.
fn may_be_over_soon(error: &TemporalError) -> bool {
    is_unreachable(error) || refusal::status_of(error).is_some_and(refusal::is_outage)
}

fn warn(error: &TemporalError) {
    let cause = refusal::status_of(error).map_or("", |status| status.message());
    tracing::warn!(target: "async_tool::temporal", %error, cause, "the worker waits for its server");
}

#[cfg(test)]
mod tests;
