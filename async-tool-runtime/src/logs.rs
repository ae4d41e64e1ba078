//! Logs and traces: what the library logs, at which level, and what it leaves out.
//!
//! Spans and log lines go through [`tracing`](https://docs.rs/tracing). Without a subscriber they cost nothing. A program sees them with
//! `cargo add tracing-subscriber --features env-filter` and these lines:
//!
//! ```text
//! let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| "info,async_tool::span=off".into());
//! tracing_subscriber::fmt().with_env_filter(filter).init();
//! ```
//!
//! The environment's `RUST_LOG` replaces the filter. `EnvFilter::from_default_env()` alone shows only errors where the environment has none.
//!
//! # Targets and levels
//!
//! The targets are names of their own and stay the same when code moves. `RUST_LOG=info,async_tool=debug` shows all of them, and
//! `RUST_LOG=info,async_tool::span=off` hides the spans, which a formatter repeats in front of each line.
//!
//! | target | level | lines |
//! |---|---|---|
//! | `async_tool::agent` | `ERROR` | code of the host panicked where no caller can be told; the agent refused to break one of its own rules (please report it) |
//! | | `WARN` | a turn failed: kind, the provider's words, and the next try; a session stopped, or can't be resumed for a deadline; a limit of the run is reached |
//! | | `INFO` | a session started, was resumed, left or closed |
//! | | `DEBUG` | turns with their tokens, calls, acknowledgements, deliveries, questions |
//! | `async_tool::task` | `ERROR` | a callback of the host panicked, or values of a call that never ran |
//! | | `WARN` | a tool panicked; the last attempt of several failed; a breaker opened; a task doesn't stop; a backend or an embedder fails; a call waits for a slot for more than five seconds, with the setting that holds it back |
//! | | `INFO` | a task ended: `t3 research failed kind=timeout 300ms`; a breaker closed |
//! | | `DEBUG` | refused calls, failed attempts that are followed by another one, repaired arguments, settings without effect |
//! | `async_tool::journal` | `ERROR` | the journal panicked when it was asked about snapshots, so none are made |
//! | | `WARN` | the journal can't be written, or a snapshot not kept, or a session not given up; what an SQLite journal may have lost; a journal on DynamoDB can't show signs of life, or another process took its session; a journal has lost the bytes of an image, sound or file |
//! | `async_tool::mcp` | `WARN` | the connection to an MCP server was lost; its list of tools, or one of them, can't be used |
//! | | `INFO` | the connection is there again |
//! | | `DEBUG` | the log of an MCP server that was started here |
//! | `async_tool::inspector` | `ERROR` | the inspector's server can't listen |
//! | | `WARN` | the sessions of a journal can't be listed for its page |
//! | | `DEBUG` | connections to its server that broke or were not accepted |
//! | `async_tool::temporal` | `ERROR` | Temporal refused the end of a task |
//! | | `WARN` | a worker waits for its server, hands a task back, or ends with calls still at work |
//! | | `DEBUG` | heartbeats that were not taken, outages that are waited out, aborted tasks |
//! | `async_tool::span` | `INFO` | the [spans](#spans) |
//!
//! A task that ends with a panic or after several attempts has one line, at `WARN` instead of `INFO`. The number `t3` is the task's number in its
//! session. Tasks of a manager without an agent, and tasks that tools submit, have none: their lines have the field `task`, with the id.
//!
//! # A run in which everything fails
//!
//! The model answers 503 until its retries are exhausted, and later refuses the key. Of its seven calls, one panics, one fails, one is too slow, one is
//! down at each attempt, one has wrong arguments, and one is of no tool. Then the journal breaks, which stops the last one. A test writes this log, at
//! `info,async_tool::span=off`:
//!
//! ```text
#![doc = include_str!("logs/everything_fails.txt")]
//! ```
//!
//! # Spans
//!
//! Names and fields follow OpenTelemetry's [semantic conventions for GenAI](https://github.com/open-telemetry/semantic-conventions-genai).
//!
//! | span | from, to | fields |
//! |---|---|---|
//! | `invoke_agent` | first turn for a message or for late results, until the agent waits again | `gen_ai.operation.name`, `gen_ai.provider.name`, `gen_ai.request.model`, `gen_ai.conversation.id` |
//! | `chat` | start of a turn, until it and its calls have ended | `gen_ai.operation.name`, `gen_ai.provider.name`, `gen_ai.request.model`, `gen_ai.conversation.id`, `gen_ai.usage.input_tokens`, `gen_ai.usage.cache_read.input_tokens`, `gen_ai.usage.output_tokens`, `gen_ai.usage.reasoning.output_tokens`, `gen_ai.response.finish_reasons`, `turn` |
//! | `execute_tool` | submission of a call, or its resumption by a later process, until its end | `gen_ai.operation.name`, `gen_ai.tool.name`, `gen_ai.tool.type`, `gen_ai.tool.call.id`, `gen_ai.conversation.id`, `task` (the id) |
//! | `execute_tool.attempt` | one attempt of a tool that retries | `attempt` |
//! | `execute_tool.run` | run of a task by an [`Executor`](crate::manager::Executor), in a worker's process | `gen_ai.tool.name`, `gen_ai.tool.call.id`, `gen_ai.conversation.id`, `task` |
//! | `user_message` | a message, until it is in the journal; only with a propagator | `gen_ai.conversation.id` |
//! | `deliver_results` | moment at which late results are put before the model; only with a propagator | `gen_ai.conversation.id`, `async_tool.tasks` |
//!
//! - `chat` is inside of `invoke_agent`.
//! - `chat` has the names that [`Model::name`](crate::Model::name) and [`Model::provider`](crate::Model::provider) return. What an adapter logs
//!   while it streams is inside of the span.
//! - `execute_tool` is inside of the `chat` whose model made the call, or else inside of the span in which the host submitted it. Inside of it is everything that the tool
//!   logs, on any thread.
//! - `error.type` is the kind of the error: of a failed turn `transient`, `permanent`, `too_long`, or `cancelled` for a turn that was broken off; of a call its
//!   [kind](crate::ToolErrorKind), also `cancelled` and `unknown`. The status is then an error, wherever the call ended: in the queue, by an
//!   abort, or with its runtime.
//! - `otel.name`, `otel.kind` and `otel.status_code` are for `tracing-opentelemetry`.
//!
//! # One trace, also over a restart
//!
//! As `tracing` nests spans, a span stays open as long as one inside of it: a turn as long as its longest call. And what begins in another process
//! is nested in nothing. With a [`TracePropagator`](crate::manager::TracePropagator), the manager ties spans by their W3C `traceparent` instead:
//!
//! ```text
//! user_message
//! ├─ invoke_agent
//! │  ├─ chat                        ends with the turn
//! │  │  └─ execute_tool research    goes on in the background
//! │  │     ├─ execute_tool.attempt
//! │  │     └─ execute_tool fetch    a child task
//! │  └─ chat                        is told that it runs
//! └─ invoke_agent
//!    ├─ deliver_results             linked with execute_tool research
//!    └─ chat                        linked with execute_tool research
//! ```
//!
//! - The `traceparent` of `user_message` is in the journal. A process that resumes the session goes on in that trace: calls that run again,
//!   calls that go on waiting for people or for a result from outside, and turns that are told their results.
//! - A turn that answers a new message is in the message's trace, and is linked with the calls of other traces whose results it is told.
//! - A task on its way to a worker has the `traceparent` of its `execute_tool`. The worker's `execute_tool.run` is a child of it.
//! - A sub-agent's `user_message` is inside of the call that it works for.
//!
//! The program in `examples/telemetry` sends all this to an OpenTelemetry collector. `async-tool journal export --format otlp` makes the
//! same spans from a journal alone.
//!
//! # What is left out
//!
//! - No line and no span holds a description, a prompt, or a text of a user or a model.
//! - Arguments, results, and the texts of errors and panics of tools are left out, because errors repeat arguments. Rust's panic hook writes
//!   the text of a panic to stderr. With [`trace_contents`](crate::manager::AsyncToolManagerBuilder::trace_contents), spans of calls hold
//!   arguments, results and errors.
//! - Words of providers, journals and backends are cut after 500 characters. Keys in them are replaced by `[key]` where the error is made, see
//!   [`without_keys`](crate::model::without_keys): so they are neither in the log nor in the journal, the events and the errors that the host gets.
