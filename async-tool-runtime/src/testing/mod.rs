//! Tests of tools and agents, without a language model and without waiting.
//!
//! | purpose | item |
//! |---|---|
//! | test a tool alone | call its function; [`tool_context`] makes a context for it |
//! | script the model | [`ScriptedModel`], with [`ScriptedTurn`] for pauses and failures |
//! | act while a tool runs | [`Gates`]: a tool whose calls end when the test opens their gate |
//! | run without waiting | [`run_paused`], or `#[tokio::test(start_paused = true)]` |
//! | wait for an event | [`until`] |
//! | check the messages that the model was shown | [`assert_told_once`], [`answers_of`], [`deliveries_of`] |
//! | test every order of events | [`explore`] |
//! | inspect a session afterwards | [`Replay`], [`Recorder`], [`check_journal`] |
//! | test a journal of your own | [`JournalSuite`] |
//! | run tasks on workers | [`MemoryEngine`], an engine whose workers a test stops and kills |
//! | test a backend of your own | [`BackendSuite`] |
//!
//! # One order
//!
//! If the order of events is known, the model can be a script. The clock is paused: it advances only when no task can run.
//!
//! ```
//! use async_tool_runtime::testing::{ScriptedModel, assert_told_once};
//! use async_tool_runtime::{async_tool, model::ModelStream, tools, AsyncAgent, AsyncToolManager, TaskNo, ToolCall};
//! use serde_json::json;
//! use std::time::Duration;
//!
//! /// Looks up the weather.
//! #[async_tool(effect = "read")]
//! async fn weather(city: String) -> String {
//!     tokio::time::sleep(Duration::from_secs(30)).await;
//!     format!("rain in {city}")
//! }
//!
//! # async_tool_runtime::testing::run_paused(async { // #[tokio::test(start_paused = true)]
//! let model = ScriptedModel::new()
//!     .turn(|request| {
//!         assert_eq!(request.last_user_text(), Some("how is the weather in Rome?"));
//!         ModelStream::calls([ToolCall::new("call_1", "weather", json!({"city": "Rome"}))])
//!     })
//!     .text("I'll look it up.")
//!     .text("It rains.");
//! let manager = AsyncToolManager::builder().tools(tools![weather]).build()?;
//! let agent = AsyncAgent::builder(model.clone(), manager).start().await?;
//! agent.send("how is the weather in Rome?").await?;
//! agent.run_until_idle().await?; // Takes half a minute of virtual time, and no real time.
//! model.verify();
//! assert_told_once(&agent.transcript().await?, TaskNo::new(1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Many orders
//!
//! The events of an agent with slow tools come in an unpredictable order. A result may come before its acknowledgement, during the next
//! turn, together with another result, or just after a message of the user.
//!
//! [`explore`] runs a scenario once for each of many seeds. The seed decides which faults occur, and how long tools, model and journal
//! take each time. After each run, `explore` checks the library's promises from the journal. So a scenario asserts only its own
//! expectations. An example to copy:
//!
//! ```
//! use async_tool_runtime::testing::{Explore, Faults, ScriptedModel, Sim, assert_told_once};
//! use async_tool_runtime::{async_tool, model::ModelStream, tools, AsyncToolManager, Message, ToolCall};
//! use serde_json::json;
//! use std::time::Duration;
//!
//! /// Finds flights to a city.
//! #[async_tool(effect = "read", retry(attempts = 3))]
//! async fn find_flights(city: String) -> Vec<String> {
//!     vec![format!("{city} 8:00"), format!("{city} 14:30")]
//! }
//!
//! /// Books a flight.
//! #[async_tool]
//! async fn book(flight: String) -> String {
//!     format!("booked {flight}")
//! }
//!
//! async fn two_trips(sim: Sim) {
//!     // The order is unknown, so the model can't be a script. It makes calls for each message of the user, and otherwise answers with text.
//!     let model = ScriptedModel::new().otherwise(|request| match request.messages.last().map(|message| &**message) {
//!         Some(Message::User { text, .. }) => ModelStream::calls([
//!             ToolCall::new("1", "find_flights", json!({ "city": text })),
//!             ToolCall::new("2", "book", json!({ "flight": format!("{text} 8:00") })),
//!         ]),
//!         _ => ModelStream::text("That is how it stands."),
//!     });
//!     let tools = sim.tools(tools![find_flights, book]);
//!     let manager = AsyncToolManager::builder().tools(tools).concurrency(2).build().unwrap();
//!     let agent = sim.agent(model, manager).start().await.unwrap();
//!
//!     sim.user(&agent, Duration::from_secs(5), ["Rome", "Oslo"]).await.unwrap();
//!     agent.run_until_idle().await.unwrap();
//!
//!     // This scenario's own expectations: despite all faults, the model is shown each of the four results once, and speaks last.
//!     let transcript = agent.transcript().await.unwrap();
//!     for task in agent.tasks().await.unwrap() {
//!         assert_told_once(&transcript, task.number);
//!     }
//!     assert!(matches!(transcript.last().map(|message| &**message), Some(Message::Assistant { .. })));
//! }
//!
//! // #[test]
//! fn two_trips_in_every_order() {
//!     let faults = Faults::new().tool_failures(0.2).tool_panics(0.1).journal_failures(0.1);
//!     Explore::new().seeds(0..100).faults(faults).run(two_trips);
//! }
//! # two_trips_in_every_order();
//! ```
//!
//! [`Explore::run`] prints the number of schedules and of different orders. `ASYNC_TOOL_SCHEDULES=100000 cargo test two_trips` tries
//! more of them, for example over night.
//!
//! # When a run fails
//!
//! The calls of a turn run concurrently. This scenario wrongly expects that the flights are found before one is booked:
//!
//! ```
//! use async_tool_runtime::testing::{Explore, ScriptedModel, Sim};
//! use async_tool_runtime::{
//!     async_tool, journal::Entry, model::ModelStream, tools, AsyncToolManager, TaskNo, ToolCall,
//! };
//! use serde_json::json;
//! #
//! # /// Finds flights to a city.
//! # #[async_tool(effect = "read")]
//! # async fn find_flights(city: String) -> Vec<String> {
//! #     vec![format!("{city} 8:00")]
//! # }
//! #
//! # /// Books a flight.
//! # #[async_tool]
//! # async fn book(flight: String) -> String {
//! #     format!("booked {flight}")
//! # }
//!
//! async fn one_trip(sim: Sim) {
//!     let model = ScriptedModel::new()
//!         .turn(|_| {
//!             ModelStream::calls([
//!                 ToolCall::new("1", "find_flights", json!({ "city": "Rome" })),
//!                 ToolCall::new("2", "book", json!({ "flight": "Rome 8:00" })),
//!             ])
//!         })
//!         .otherwise(|_| ModelStream::text("That is how it stands."));
//!     let manager = AsyncToolManager::builder().tools(sim.tools(tools![find_flights, book])).build().unwrap();
//!     let agent = sim.agent(model, manager).start().await.unwrap();
//!     agent.send("to Rome").await.unwrap();
//!     agent.run_until_idle().await.unwrap();
//!
//!     let journal = sim.journal().entries(agent.session());
//!     let ended = journal.iter().filter_map(|entry| match entry {
//!         Entry::Settled { result } => result.number,
//!         _ => None,
//!     });
//!     assert!(ended.eq([TaskNo::new(1), TaskNo::new(2)]), "booked before it was found");
//! }
//!
//! let failure = Explore::new().try_run(one_trip).expect_err("it doesn't hold in every order");
//! assert_eq!(failure.problem(), "it panicked: booked before it was found");
//!
//! // The seed alone repeats the failure.
//! assert!(failure.to_string().contains(&format!("`ASYNC_TOOL_SEED={} cargo test", failure.seed())));
//! let again = Explore::new().seed(failure.seed()).try_run(one_trip).unwrap_err();
//! assert_eq!(again.to_string(), failure.to_string());
//! ```
//!
//! [`Explore::run`] panics with this message:
//!
//! ```text
//! seed 0 fails: it panicked: booked before it was found
//!
//! run it alone with `ASYNC_TOOL_SEED=0 cargo test one_trip_in_every_order`, or with `Explore::new().seed(0)`
//!
//! session 1:
//!        0 ms     1  the session is opened
//!        0 ms     2  the user says: to Rome
//!        0 ms     3  turn 1 starts
//!      201 ms     4  t1 is accepted: find_flights {"city":"Rome"}
//!      204 ms     5  t2 is accepted: book {"flight":"Rome 8:00"}
//!      204 ms     6  turn 1 ends, calls t1 t2
//!      207 ms     7  t2 completes: "booked Rome 8:00"
//!      289 ms     8  t1 completes: ["Rome 8:00"]
//!      289 ms     9  turn 1 is answered: t1 with its result, t2 with its result
//!      289 ms    10  turn 2 starts
//!      675 ms    11  turn 2 ends, says: That is how it stands.
//! ```
//!
//! So the mistake is in the turn. A call that needs the result of another belongs in a later turn, or takes that result as an argument
//! (`#[async_tool(futures)]`).
//!
//! # Limits of an exploration
//!
//! - It is not exhaustive. It plays one order for each seed, and reports how many of them were different.
//! - It plays orders of events in virtual time, on one thread. It finds no data races and no mistakes in the order of memory accesses; use
//!   `loom` or `shuttle` for these.
//! - It controls only the delays and random choices of its [`Sim`]. A scenario that uses threads, the real clock, unbiased `tokio::select!`
//!   or other random numbers differs from run to run. A failure that can't be repeated says so.
//! - It waits for a blocking function for up to a second of real time. Within that time, threads don't decide the order of events.
//! - It has no network. Replace the services that a tool calls by code that waits with tokio's clock.

mod backend_suite;
mod broken_rule;
mod context;
mod dice;
mod divergence;
mod explore;
mod explore_error;
mod faults;
mod gates;
mod journal_suite;
mod memory_engine;
mod paused;
mod real_time;
mod recorder;
mod replay;
mod rules;
mod scripted;
mod scripted_turn;
mod sim;
mod suite_error;
mod suite_run;
mod timeline;
mod told;
mod wrong;

pub use crate::journal::{PromiseError, check_journal};
pub use backend_suite::{BackendEngine, BackendRule, BackendSuite, BackendWorker};
pub use broken_rule::BrokenRule;
pub use context::tool_context;
pub use divergence::DivergenceError;
pub use explore::{Explore, Explored, explore};
pub use explore_error::ExploreError;
pub use faults::Faults;
pub use gates::Gates;
pub use journal_suite::{JournalRule, JournalStore, JournalSuite, sample_entries};
pub use memory_engine::{MemoryEngine, MemoryWorker};
pub use paused::run_paused;
pub use recorder::{Recorder, Recording};
pub use replay::Replay;
pub use scripted::ScriptedModel;
pub use scripted_turn::ScriptedTurn;
pub use sim::{Sim, SimJournal, SimModel};
pub use suite_error::{BackendSuiteError, JournalSuiteError, SuiteError};
pub use told::{answers_of, assert_told_once, deliveries_of, until};
