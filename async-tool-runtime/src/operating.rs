//! Operating a service: deploys, restarts, capacity, limits, memory, logs, metrics.
//!
//! The service is a program with an [`AgentRegistry`](crate::AgentRegistry) and a journal on disk, like the one on the page [Web
//! service](crate::web_service).
//!
//! # Deploys
//!
//! 1. The old process gets SIGTERM. It calls [`leave_all`](crate::AgentRegistry::leave_all) with a limit that is shorter than the time its
//!    platform gives it (Kubernetes: 30 s, systemd: 90 s). Tasks are told to stop, and the journal gives the sessions up.
//! 2. The new process calls [`recover`](crate::AgentRegistry::recover). Sessions with work go on; all others are resumed by their next request.
//!
//! The two may overlap. A session that the old process has is [refused](crate::agent::StartError::SessionTaken) to the new one: answer 503, with
//! [`retry_after`](crate::agent::RegistryError::retry_after) as `Retry-After`. With several processes, send the requests of a session to the same
//! one, for example by a hash of its id. No order of events gives a session two owners.
//!
//! | the session had | after the deploy |
//! |---|---|
//! | a turn | the model is asked again |
//! | a task that may be repeated | it runs again, with the same idempotency key |
//! | a task that must not be repeated | its tool's [`reconcile`](crate::tool::FunctionTool::reconcile) finds the outcome; without one, the model is told that it is unknown |
//! | a question to people | it is asked again; [`questions`](crate::AsyncAgent::questions) has it |
//! | a task that the outside completes | it goes on waiting |
//!
//! So a deploy costs the work of repeated tasks. Long work belongs on a [`Backend`](crate::backend), or to the outside with
//! [`defer`](crate::ToolContext::defer).
//!
//! **A new version** of the program goes on with the sessions of the old one. A call that a changed tool no longer takes ends with that reason.
//! An older version refuses a session that a newer one has written in a newer format.
//!
//! # Crashes
//!
//! After `kill -9`, a panic or an out-of-memory kill, the same holds: all that was accepted is in the journal. With SQLite, another process of the
//! machine can take the sessions at once. The sessions of a process that hangs are free after a lease (30 s), and it can't write to them any more.
//!
//! # Capacity and limits
//!
//! | what | default | set by |
//! |---|---|---|
//! | tasks that run at once | 64 of blocking tools; no limit for others, which only wait | [`blocking_concurrency`](crate::manager::AsyncToolManagerBuilder::blocking_concurrency), [`concurrency`](crate::manager::AsyncToolManagerBuilder::concurrency); tasks that wait for people, rates or the outside hold no slot |
//! | of one session | no limit of its own; fair shares | [`session_concurrency`](crate::manager::AsyncToolManagerBuilder::session_concurrency) |
//! | open tasks, running or not | 16,384; more are refused as overloaded | [`open_tasks`](crate::manager::AsyncToolManagerBuilder::open_tasks); [`queue_capacity`](crate::manager::AsyncToolManagerBuilder::queue_capacity) bounds those that wait |
//! | time of a task, of an attempt | no limit | [`task_timeout`](crate::manager::AsyncToolManagerBuilder::task_timeout), `timeout` of the tool |
//! | model calls and tool calls for a message | 100 and 1,000 | [`RunLimits`](crate::agent::RunLimits), which also bounds tokens |
//! | silence of the model | 5 minutes, then a retry; 2 retries | [`model_timeout`](crate::agent::AsyncAgentBuilder::model_timeout), [`model_retries`](crate::agent::AsyncAgentBuilder::model_retries) |
//! | conversation that the model is shown | 100,000 tokens | [`prune`](crate::agent::AsyncAgentBuilder::prune) |
//! | live agents | no limit | [`max_live`](crate::agent::AgentRegistryBuilder::max_live) |
//! | time until an idle agent leaves | 10 minutes | [`idle_after`](crate::agent::AgentRegistryBuilder::idle_after) |
//!
//! A service that takes work from the public sets a timeout, a limit of tokens, and a limit of live agents.
//!
//! # Memory
//!
//! A live session takes about 10 KB and its conversation; a session that was left takes nothing. The first reader of a session's events adds
//! about 150 KB, for the events that a slow reader may have to catch up with. The manager remembers the last 1,024
//! results and the ends of 16,384 tasks. `cargo bench -p async-tool-benches --bench agent -- registry` measures this.
//!
//! Conversations grow in memory and on disk; only the model's view is pruned. [Close](crate::AsyncAgent::close) sessions that are done, and let
//! SQLite pack them (`compact`).
//!
//! # Logs and metrics
//!
//! The page [Logs and traces](crate::logs) has all targets and levels. Alert on `WARN` of `async_tool::journal` (sessions stop), and watch `WARN` of
//! `async_tool::agent` (the provider fails). Texts of users, models and tools are in no log unless asked for.
//!
//! [`AsyncToolManager::stats`](crate::AsyncToolManager::stats) has counts for a health check, and the feature `metrics` [the same and
//! more](crate#metrics) for a recorder: long `async_tool.task.queued.seconds` means too few slots.
//! [`AgentRegistry::sessions`](crate::AgentRegistry::sessions) has the live sessions and their states.
//!
//! `async-tool journal list` and `show` print the sessions of a file, also while the service runs; `verify` checks them.
