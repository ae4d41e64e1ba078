//! Builds a manager.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync::{Notify, broadcast};

use super::{AsyncToolManager, Callback, Inner, queue::Queue, run, table::TaskTable};
use crate::{
    AsyncTaskResult, Executor,
    backend::Backend,
    clock::Clock,
    tool::{RegistryError, StateMap, Tool, ToolRegistry},
};

/// How many events a slow reader may be behind before it gets a new snapshot instead.
const EVENT_BACKLOG: usize = 1024;

/// Builds an [`AsyncToolManager`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct AsyncToolManagerBuilder {
    tools: Vec<Arc<dyn Tool>>,
    states: StateMap,
    callbacks: Vec<Callback>,
    backend: Option<Arc<dyn Backend>>,
    concurrency: usize,
    queue_capacity: usize,
    timeout: Option<Duration>,
    cancel_grace: Duration,
    retained: usize,
}

impl Default for AsyncToolManagerBuilder {
    fn default() -> Self {
        Self {
            tools: Vec::new(),
            states: StateMap::default(),
            callbacks: Vec::new(),
            backend: None,
            concurrency: 64,
            queue_capacity: 16_384,
            timeout: None,
            cancel_grace: Duration::from_secs(1),
            retained: 1024,
        }
    }
}

impl AsyncToolManagerBuilder {
    /// Adds a tool.
    pub fn tool(mut self, tool: impl Into<Arc<dyn Tool>>) -> Self {
        self.tools.push(tool.into());
        self
    }

    /// Adds tools, as [`tools!`](crate::tools) collects them.
    pub fn tools(mut self, tools: impl IntoIterator<Item = Arc<dyn Tool>>) -> Self {
        self.tools.extend(tools);
        self
    }

    /// Shares a value with the tools that ask for [`State<T>`](crate::State). A second value of the same type replaces the
    /// first.
    pub fn state<T: Send + Sync + 'static>(self, value: T) -> Self {
        self.shared_state(Arc::new(value))
    }

    /// Shares a value that the host goes on using itself; see [`state`](Self::state).
    pub fn shared_state<T: Send + Sync + 'static>(mut self, value: Arc<T>) -> Self {
        self.states.insert(value);
        self
    }

    /// How many tasks run at once. Default: 64.
    ///
    /// A blocking function that was told to stop, or ran past its timeout, goes on in its thread until it returns; its slot is given
    /// to the next task.
    pub fn concurrency(mut self, tasks: usize) -> Self {
        self.concurrency = tasks;
        self
    }

    /// How many tasks may wait for a slot; further ones are refused as [`Overloaded`](crate::ToolErrorKind::Overloaded).
    /// Default: 16,384.
    pub fn queue_capacity(mut self, tasks: usize) -> Self {
        self.queue_capacity = tasks;
        self
    }

    /// How long a task may run, for tools that say nothing themselves. Default: without limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How long a tool that was told to stop may take before it is dropped. Default: 1 second.
    pub fn cancel_grace(mut self, grace: Duration) -> Self {
        self.cancel_grace = grace;
        self
    }

    /// How many ended tasks, with their results, [`task`](AsyncToolManager::task) still finds. Default: 1,024.
    pub fn retained_tasks(mut self, tasks: usize) -> Self {
        self.retained = tasks;
        self
    }

    /// Calls `callback` once with the result of every task, whoever submitted it, on the thread where the task ended. It must
    /// not block. A callback that panics is logged, and harms no task.
    pub fn on_complete(mut self, callback: impl Fn(&Arc<AsyncTaskResult>) + Send + Sync + 'static) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// Runs tasks on an engine elsewhere instead of in this process.
    pub fn backend(mut self, backend: impl Backend) -> Self {
        self.backend = Some(Arc::new(backend));
        self
    }

    /// Builds the manager.
    ///
    /// # Errors
    ///
    /// [`BuildError`], naming the tool: two tools of one name, a name that providers refuse, or a tool that needs a state nobody
    /// registered; also if `concurrency` is 0, with which nothing could ever run.
    pub fn build(self) -> Result<AsyncToolManager, BuildError> {
        if self.concurrency == 0 {
            return Err(BuildError::NoSlots);
        }
        let registry = ToolRegistry::new(self.tools)?;
        registry.check_states(&self.states)?;
        let clock = Clock::start();
        let inner = Arc::new(Inner {
            executor: Executor::new(registry, self.states, self.timeout, self.cancel_grace, clock),
            backend: self.backend,
            callbacks: self.callbacks,
            clock,
            queue: Mutex::new(Queue::new(self.concurrency, self.queue_capacity)),
            tasks: Mutex::new(TaskTable::new(self.retained)),
            routes: Mutex::new(HashMap::new()),
            events: broadcast::Sender::new(EVENT_BACKLOG),
            has_listeners: false.into(),
            idle: Notify::new(),
        });
        let stop = run::stop(&Arc::downgrade(&inner));
        Ok(AsyncToolManager { inner, stop })
    }
}

impl fmt::Debug for AsyncToolManagerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.tools.iter().map(|tool| &tool.definition().name);
        f.debug_struct("AsyncToolManagerBuilder")
            .field("tools", &names.collect::<Vec<_>>())
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}

/// A manager can't be built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// A tool can't be registered.
    Registry(RegistryError),
    /// `concurrency` is 0.
    NoSlots,
}

impl From<RegistryError> for BuildError {
    fn from(error: RegistryError) -> Self {
        Self::Registry(error)
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(error) => error.fmt(f),
            Self::NoSlots => f.write_str("`concurrency` must be at least 1, or no task could ever run"),
        }
    }
}

impl std::error::Error for BuildError {}
