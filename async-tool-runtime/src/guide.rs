//! Writing tools: from one line to methods with state.
//!
//! This page uses a few words with one meaning each:
//!
//! - The *host* is your program, which uses this library.
//! - A model *calls* a tool. The call runs as a *task*, in the background if it takes long. The model knows a task by its number, such as `t3`.
//! - A *turn* is one request to the model and its reply, with the tool calls in it.
//! - An *acknowledgement* tells the model that a task runs, and that there is no result yet. The result is then *delivered* later.
//! - A *slot* is permission to run. By default, a manager has 64 for blocking calls, and any number for async ones, which only
//!   wait.
//!
//! # Make a tool of a function
//!
//! A function with a doc comment and the attribute is a tool. The doc comment is its description for the model, and the schema comes from
//! the parameters. The function itself stays unchanged, so you can call and test it as before.
//!
//! ```
//! use async_tool_runtime::async_tool;
//!
//! /// Converts a temperature from Celsius to Fahrenheit.
//! #[async_tool(effect = "read")]
//! fn fahrenheit(celsius: f64) -> f64 {
//!     celsius * 1.8 + 32.0
//! }
//!
//! assert_eq!(fahrenheit(100.0), 212.0);
//! assert_eq!(&*async_tool_runtime::Tool::definition(&fahrenheit::tool()).name, "fahrenheit");
//! ```
//!
//! [`tools!`](crate::tools) collects tools by the names of their functions, for a manager or for [`run`](crate::run).
//!
//! A sync function runs on tokio's blocking pool, so it may block. An async function runs on the async threads and must not block.
//!
//! # Take arguments
//!
//! A parameter may have any type with `serde::Deserialize` and `schemars::JsonSchema` (`cargo add schemars@1`, and `cargo add serde --features derive`).
//! Its doc comment tells the model what to write; [`undescribed`](crate::ToolDefinition::undescribed) lists the parameters without one.
//!
//! - An `Option` is an argument that may be absent. `#[arg(default = …)]` sets the value of an absent argument.
//! - For `&str`, `&[T]` and `&T`, the call owns the value and lends it to the function.
//! - Parameters that many tools share can be fields of a struct: with `#[serde(flatten)]`, the fields are arguments of the tool.
//! - Limits such as `min` and `max_len` are in the schema for the model, and are checked before the function runs.
//!
//! ```
//! use async_tool_runtime::async_tool;
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(rename_all = "snake_case")]
//! enum Order {
//!     /// The newest first.
//!     ByDate,
//!     /// The best fit first.
//!     ByRank,
//! }
//!
//! #[derive(Serialize, JsonSchema)]
//! struct Hit {
//!     title: String,
//! }
//!
//! /// Searches the archive.
//! #[async_tool(effect = "read", timeout = "30s")]
//! async fn search(
//!     /// Text to look for.
//!     #[arg(min_len = 2)] query: &str,
//!     /// Number of hits.
//!     #[arg(default = 5, min = 1, max = 50)] limit: usize,
//!     /// Order of the hits.
//!     order: Option<Order>,
//! ) -> Vec<Hit> {
//!     let _ = order;
//!     (1..=limit).map(|rank| Hit { title: format!("{query} {rank}") }).collect()
//! }
//! ```
//!
//! If the arguments of a call don't fit, nothing runs. The model is told the place, the expectation, the value that came, and the nearest valid
//! name. Common mistakes of models in JSON, such as a number or an object in a string, are repaired if the repair loses nothing. A string stays a
//! string wherever the schema allows one. Text that isn't JSON is refused with the line, the column and the expectation.
//!
//! # Take types of your own
//!
//! If your crate depends on this one only, derive the traits under these names:
//!
//! ```
//! use async_tool_runtime::{async_tool, crates::{schemars::JsonSchema, serde::Deserialize}};
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(crate = "async_tool_runtime::crates::serde")]
//! #[schemars(crate = "async_tool_runtime::crates::schemars")]
//! struct Place {
//!     latitude: f64,
//!     longitude: f64,
//! }
//!
//! /// Says whether a place is north of the equator.
//! #[async_tool(effect = "read")]
//! fn is_northern(place: Place) -> bool {
//!     let Place { latitude, longitude: _ } = place;
//!     latitude > 0.0
//! }
//! ```
//!
//! # Take types of other crates
//!
//! For an argument or a result with a type of one of these crates, turn on the feature of this crate that has its name. Also turn on the feature
//! `serde` of the other crate.
//!
//! | feature | types, for example |
//! |---|---|
//! | `chrono` | `DateTime<Utc>`, `NaiveDate` (`chrono` 0.4) |
//! | `jiff` | `Timestamp`, `Zoned` (`jiff` 0.2) |
//! | `uuid` | `Uuid` (`uuid` 1) |
//! | `url` | `Url` (`url` 2) |
//! | `semver` | `Version` (`semver` 1) |
//! | `rust_decimal`, `bigdecimal` | `Decimal` (`rust_decimal` 1), `BigDecimal` (`bigdecimal` 0.4) |
//! | `bytes` | `Bytes` (`bytes` 1) |
//! | `arrayvec`, `smallvec`, `smol_str` | `ArrayVec` (`arrayvec` 0.7), `SmallVec` (`smallvec` 1), `SmolStr` (`smol_str` 0.3) |
//! | `indexmap`, `either` | `IndexMap` (`indexmap` 2), `Either` (`either` 1) |
//!
//! ```toml
//! [dependencies]
//! async-tool-runtime = { version = "0.1", features = ["chrono"] }
//! chrono = { version = "0.4", features = ["serde"] }
//! ```
//!
//! ```
//! # #[cfg(any())]
//! # mod dated {
//! use async_tool_runtime::async_tool;
//! use chrono::{DateTime, Utc};
//!
//! /// Puts an event into the calendar.
//! #[async_tool]
//! async fn schedule(title: String, start: DateTime<Utc>) -> String {
//!     format!("{title} starts at {start}")
//! }
//! # }
//! ```
//!
//! A type of any other crate needs a schema. If it is written as text, describe it as text: `#[schemars(with = "String")]` on the parameter.
//!
//! [`Duration`](std::time::Duration) needs no feature. A model writes it as text such as `5s`, `250ms` or `1m30s`, or as a number of seconds:
//!
//! ```
//! use async_tool_runtime::{async_tool, Tool};
//! use serde_json::json;
//! use std::time::Duration;
//!
//! /// Sets a timer.
//! #[async_tool]
//! async fn set_timer(after: Duration, #[arg(default = Duration::from_secs(30))] snooze: Duration) -> String {
//!     format!("rings in {after:?}, then every {snooze:?}")
//! }
//!
//! assert_eq!(set_timer::tool().definition().input_schema["properties"]["snooze"]["default"], "30s");
//! assert!(set_timer::tool().bind(&json!({"after": "1m30s", "snooze": 0.5}).into()).is_ok());
//! assert!(set_timer::tool().bind(&json!({"after": "soon"}).into()).is_err());
//! ```
//!
//! # Return images and files
//!
//! A tool that returns [`Media`](crate::content::Media) or [`Content`](crate::content::Content), alone or within its result, shows the model an image,
//! a sound or a file. Where the model can't take them in a result, it reads a description (type, name, size) in their place.
//!
//! A message of the user holds them in the same way. [`send`](crate::AsyncAgent::send) refuses a message whose media the model doesn't take. A
//! model takes text only, unless its [`Capabilities::media`](crate::model::Capabilities::media) say more; the adapters' models say so by themselves.
//!
//! ```
//! use async_tool_runtime::{async_tool, content::{Content, Media}};
//!
//! /// Draws the sales of a year.
//! #[async_tool(effect = "read")]
//! fn draw_sales(year: u16) -> Content {
//!     let png: Vec<u8> = vec![]; // of a drawing library
//!     Content::from(format!("The sales of {year}: ")).with(Media::bytes("image/png", png).with_name("sales.png"))
//! }
//!
//! let photo = Media::url("image/jpeg", "https://example.org/shop.jpg");
//! let question = Content::from("Is this our shop? ").with(photo);
//! // agent.send(question).await?;
//! # assert_eq!(question.media().len(), 1);
//! # let _ = draw_sales::tool();
//! ```
//!
//! In a result, a JSON object whose only field is `$media` counts as media. A tool that passes on JSON of strangers should return it as text.
//!
//! # Return errors
//!
//! Return a `Result` with any error that has `Display`; an alias of `Result` works too. The model reads the displayed text, and sees that it is
//! an error. Return a [`ToolError`](crate::tool::ToolError) to say more, such as the time of the next try, or to hide details from the model.
//!
//! ```
//! use async_tool_runtime::{ToolError, ToolErrorKind, async_tool};
//! use std::time::Duration;
//!
//! /// Reads a file of the project.
//! #[async_tool(effect = "read")]
//! fn read_file(path: String) -> std::io::Result<String> {
//!     std::fs::read_to_string(path)
//! }
//!
//! /// Looks up the price of a stock.
//! #[async_tool(effect = "read")]
//! async fn price(symbol: String) -> Result<f64, ToolError> {
//!     Err(ToolError::new(ToolErrorKind::Unavailable, format!("quota of key 7 is used up, asking for {symbol}"))
//!         .with_model_message("too many questions; the prices are back in a minute")
//!         .with_retry_after(Duration::from_secs(60)))
//! }
//! ```
//!
//! A task whose function panics has failed. The model is told that the tool crashed; only the operators see the text of the panic.
//!
//! # Use values of the host
//!
//! The host supplies parameters that are marked `#[inject]`; the model never sees them. Their type is one of these:
//!
//! - the [`ToolContext`](crate::tool::ToolContext) of the task
//! - its [`CancellationToken`](crate::tool::CancellationToken), [`IdempotencyKey`](crate::tool::IdempotencyKey),
//!   [`Progress`](crate::tool::Progress) or [`Messages`](crate::tool::Messages)
//! - [`State`](crate::tool::State) of a value that you registered with `.state(value)`, or with `.shared_state(arc)` if it is in an `Arc`; building
//!   the manager fails if you didn't register it
//! - a type of your own with [`FromToolContext`](crate::tool::FromToolContext)
//!
//! ```
//! use async_tool_runtime::{async_tool, tool::State, tools, AsyncToolManager, ToolContext};
//!
//! struct Mailer;
//!
//! impl Mailer {
//!     async fn send(&self, to: &str, key: String) {
//!         # let _ = (to, key);
//!     }
//! }
//!
//! /// Sends the weekly report.
//! #[async_tool]
//! async fn send_report(
//!     /// The address to send it to.
//!     to: &str,
//!     #[inject] mailer: State<Mailer>,
//!     #[inject] cx: ToolContext,
//! ) {
//!     // The key is the same on every attempt, so the service sends one mail.
//!     mailer.send(to, cx.idempotency_key().to_string()).await;
//! }
//!
//! # fn main() -> Result<(), async_tool_runtime::manager::BuildError> {
//! let manager = AsyncToolManager::builder().tools(tools![send_report]).state(Mailer).build()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Stop a running tool
//!
//! The user, the host, a timeout, or the end of the session can tell a task to stop.
//!
//! - An async tool has a stop timeout (1 s by default) to tidy up. Then it is dropped at its next `await`. If it returns an error before, the
//!   text is added to the reason.
//! - At a timeout, a tool gets the stop timeout only if it has taken its cancellation token before. Otherwise it couldn't notice the timeout.
//! - A blocking tool can't be dropped. If it runs for long, it should check the token now and then:
//!
//! ```
//! use async_tool_runtime::{ToolContext, async_tool};
//!
//! /// Counts the primes below a number.
//! #[async_tool(effect = "read")]
//! fn count_primes(below: u64, #[inject] cx: ToolContext) -> Result<u64, String> {
//!     let mut primes = 0;
//!     for number in 2..below {
//!         if cx.is_cancelled() {
//!             return Err(format!("stopped at {number}"));
//!         }
//!         let is_prime = (2..).take_while(|factor| factor * factor <= number).all(|factor| number % factor != 0);
//!         primes += u64::from(is_prime);
//!     }
//!     Ok(primes)
//! }
//!
//! # #[cfg(feature = "testing")]
//! assert_eq!(count_primes(100, async_tool_runtime::testing::tool_context()), Ok(25));
//! ```
//!
//! # Report progress
//!
//! [`Progress`](crate::tool::Progress) says how far a task has come. Observers of the manager or of the agent see it. A report is cheap and never
//! waits, so report as often as you like.
//!
//! ```
//! use async_tool_runtime::{async_tool, tool::Progress};
//!
//! /// Reads files into the index.
//! #[async_tool(effect = "idempotent")]
//! async fn index(paths: Vec<String>, #[inject] progress: Progress) {
//!     for (done, path) in paths.iter().enumerate() {
//!         progress.report(done as f64 / paths.len() as f64, path.as_str());
//!         // …
//!     }
//! }
//! ```
//!
//! # Send messages to a running tool
//!
//! A tool that takes [`Messages`](crate::tool::Messages) can get further instructions while it runs. The host sends them with
//! [`TaskHandle::send`](crate::manager::TaskHandle::send) or [`AsyncToolManager::send`](crate::manager::AsyncToolManager::send). Messages are
//! kept until the tool reads them; unread messages are dropped when the task ends. A blocking tool checks for messages with `try_recv`, or waits
//! with `blocking_recv`.
//!
//! ```
//! use async_tool_runtime::{async_tool, tool::Messages, tools, AsyncToolManager, SessionId, ToolCall};
//! use serde_json::json;
//!
//! /// Searches until it is told to stop.
//! #[async_tool(effect = "read")]
//! async fn search(topic: String, #[inject] mut messages: Messages) -> Vec<String> {
//!     let mut topics = vec![topic];
//!     while let Some(message) = messages.recv().await {
//!         match message.as_str() {
//!             "that is enough" => break,
//!             other => topics.push(other.to_owned()),
//!         }
//!     }
//!     topics
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let manager = AsyncToolManager::builder().tools(tools![search]).build()?;
//! let call = ToolCall::new("call_1", "search", json!({"topic": "tea"}));
//! let task = manager.submit(&SessionId::new("example"), call)?;
//! task.send("and coffee")?;
//! task.send("that is enough")?;
//! assert_eq!(task.outcome().await.outcome.value(), Some(&json!(["tea", "and coffee"])));
//! # Ok(())
//! # }
//! ```
//!
//! # Declare the effect of a call
//!
//! `effect` is a call's effect on the world. It decides if a call may start early, and if it may be repeated.
//!
//! | `effect` | meaning | starts | repeated |
//! |---|---|---|---|
//! | `"read"` | changes nothing | while the model's turn still streams | yes |
//! | `"idempotent"` | may be repeated with the same idempotency key | when the turn is complete | yes, with that key |
//! | `"once"`, the default | must not happen twice | when the turn is complete | only if an error says that nothing was started |
//!
//! # Choose between waiting and the background
//!
//! At the end of a turn, the agent waits a short time for results, the *grace time*. It is 250 ms until the agent has learned how long the
//! tool takes. A call that ends in this time is answered with its result, like a call of an ordinary tool. A slower call is acknowledged, and
//! goes on in the background.
//!
//! `background = "never"` makes the model wait for the result. `background = "always"` acknowledges the call as soon as the turn ends. `grace` sets
//! a fixed grace time. You can override each of these on the value:
//!
//! ```
//! use async_tool_runtime::{async_tool, tool::Background};
//! use std::time::Duration;
//!
//! /// Says what day it is.
//! #[async_tool(effect = "read", background = "never")]
//! fn today() -> &'static str {
//!     "Saturday"
//! }
//!
//! let patient = today::tool().background(Background::Auto).grace(Duration::from_secs(2));
//! ```
//!
//! # Choose when the model is asked
//!
//! - After acknowledgements, the model is asked once more. If it uses that turn to make further calls, it is asked after their acknowledgements too,
//!   and so on. [`AckPolicy`](crate::agent::AckPolicy) has the other choices, with measurements.
//! - A turn gives way to more important news, as long as the model has said nothing in it. A turn about acknowledgements gives way to a result or a
//!   message of the user, and a turn about results to a message. The next turn has the old and the new. Providers bill the input of the call that was
//!   broken off: [`RunTotals::withdrawn`](crate::agent::RunTotals::withdrawn) counts such calls, and
//!   [`gives_way(false)`](crate::agent::AsyncAgentBuilder::gives_way) turns this off.
//! - A late result waits for others that are about to come, if one model call for all is cheaper. It waits two seconds at most
//!   ([`LearnedGrace`](crate::agent::LearnedGrace)).
//!
//! [`Grounding`](crate::agent::Grounding) marks what a model makes up while it can't know the result yet.
//!
//! # Choose when a late result is delivered
//!
//! A result is *late* if its call was acknowledged before. [`DeliveryPolicy`](crate::tool::DeliveryPolicy) defines exactly when it is delivered:
//!
//! | `delivery` | a late result | example |
//! |---|---|---|
//! | `"when_idle"`, the default | waits until the turn ends, and wakes an idle agent | a search |
//! | `"interrupt"` | breaks off the turn and is delivered at once | an alarm |
//! | `"silent"` | wakes no agent, and is delivered with the next turn | an upload |
//!
//! [`AsyncAgent::set_delivery`](crate::agent::AsyncAgent::set_delivery) sets the policy of one task.
//!
//! ```
//! use async_tool_runtime::{async_tool, tool::DeliveryPolicy};
//!
//! /// Waits until the build is broken.
//! #[async_tool(effect = "read", delivery = "interrupt")]
//! async fn watch_build() -> String {
//!     # String::new()
//!     // …
//! }
//!
//! /// Uploads a file to the archive.
//! #[async_tool(effect = "idempotent", delivery = "silent")]
//! async fn archive(path: String) {
//!     # let _ = path;
//!     // …
//! }
//!
//! // Like every option, it can be overridden on the value.
//! let archive = archive::tool().delivery(DeliveryPolicy::WhenIdle);
//! # let _ = (watch_build::tool(), archive);
//! ```
//!
//! # Change what the model reads
//!
//! Acknowledgements, the sentences after results, and the notices of the system prompt are constants in [`wording`](crate::wording), with
//! the measurements that chose them. [`AsyncAgentBuilder::wording`](crate::agent::AsyncAgentBuilder::wording) sets them for an agent. The notice
//! that tools may run in the background stands once, in the system prompt. A definition that is taken from a tool, for another client, has it
//! in its description. [`run_to_completion`](crate::AsyncAgent::run_to_completion) sends neither the notice nor the `task` tool, because all
//! its calls are answered with their results.
//!
//! # Stop the model
//!
//! [`AsyncAgent::interrupt`](crate::AsyncAgent::interrupt) is the stop button of a conversation. It ends the model's turn and keeps what the model
//! had said and the calls that it had completed; tasks run on. The agent then rests: it calls the model again for a new message or a new
//! result. If only tasks run, there is no turn to end: `interrupt` returns `None`, and their results will wake the model.
//! [`interrupt_and_cancel`](crate::AsyncAgent::interrupt_and_cancel) also stops the tasks that were started for the last message, whether or not a turn
//! runs.
//!
//! A message that the user sends while a turn runs waits until the turn ends. With
//! [`on_message(MessagePolicy::Interrupt)`](crate::agent::AsyncAgentBuilder::on_message), for a whole agent, or
//! [`send_as`](crate::AsyncAgent::send_as), for one message, it ends the turn, and the next turn answers it.
//!
//! ```
//! use async_tool_runtime::AsyncAgent;
//!
//! /// Handles the two buttons of a page, and returns the line that it shows.
//! async fn stop(agent: &AsyncAgent, also_tasks: bool) -> Result<String, Box<dyn std::error::Error>> {
//!     if also_tasks {
//!         let stopped = agent.interrupt_and_cancel().await?;
//!         return Ok(format!("{} tasks are stopped", stopped.cancelled.len()));
//!     }
//!     Ok(match agent.interrupt().await? {
//!         Some(_) => "the answer is stopped".to_owned(),
//!         None => "there is nothing to stop".to_owned(),
//!     })
//! }
//! ```
//!
//! # Limit calls, and retry failed ones
//!
//! - `retry` repeats failed calls. The pauses are random, and their bound grows.
//! - `rate` makes calls wait. Tools that use the same service share a rate if they name the same `key`.
//! - `breaker` refuses calls of a tool that failed several times in a row, for the time of the cooldown.
//! - `concurrency` limits the calls that run at once, and `priority` orders the calls that wait for a slot.
//! - `timeout` limits each attempt, and `total` all attempts with their pauses.
//! - `result_limit` is the size of the largest result that the model gets in full. Of a larger one it gets a preview, and reads the rest
//!   with the `task` tool. The default follows the budget of the conversation:
//!   [`PrunePolicy::result_limit`](crate::context::PrunePolicy::result_limit).
//!
//! ```
//! use async_tool_runtime::{ToolError, async_tool};
//!
//! /// Lists the open issues of a repository.
//! #[async_tool(
//!     effect = "read",
//!     timeout = "10s",
//!     retry(attempts = 4, backoff = "200ms..10s", total = "60s"),
//!     rate(limit = "100/min", key = "tracker"),
//!     breaker(failures = 5, cooldown = "30s"),
//!     concurrency = 4,
//!     result_limit = "16KiB"
//! )]
//! async fn open_issues(
//!     /// Owner and name, as in `rust-lang/rust`.
//!     repository: &str,
//! ) -> Result<Vec<String>, ToolError> {
//!     Ok(vec![format!("{repository}#1")])
//! }
//!
//! /// Files an issue.
//! #[async_tool(rate(limit = "100/min", key = "tracker"), approval = "always", dedupe = "reject", priority = "high")]
//! async fn file_issue(repository: &str, title: &str) -> String {
//!     format!("{repository}: {title}")
//! }
//! ```
//!
//! Only [`retryable`](crate::tool::ToolError::retryable) errors are retried. A tool with the effect `"once"` is retried only if the error says
//! that [nothing was started](crate::tool::ToolError::with_not_started).
//!
//! # Share and cache results
//!
//! A model may repeat itself, a small one after nearly every acknowledgement. So by default, an agent answers a call that repeats an open one with
//! the open task's number ("already running as t1"). A read call that repeats a completed one gets that result again, with its age. That holds
//! for one message of the user, and as long as no call with another effect ran since. A run ends with
//! [`RunLimit::Repetition`](crate::agent::RunLimit::Repetition) if a call fails the same way a third time. The same happens if three turns in a row
//! make the same calls and get the same values ([`RunLimits::repetitions`](crate::agent::RunLimits::repetitions)). `dedupe = "allow"` turns this
//! off for a tool whose calls are meant to be repeated, and [`answer_repeats(false)`](crate::agent::AsyncAgentBuilder::answer_repeats) for an agent.
//!
//! Equal calls can also share one run (`dedupe = "share"`), be refused (`"reject"`), or replace each other (`"replace"`). A tool that only reads can
//! also cache its values (`cache`, with the feature of that name). Runs and cached values are shared within one session. With `scope = "shared"`, all
//! sessions share them: use it only if the result doesn't depend on the user.
//!
//! ```
//! # #[cfg(feature = "cache")]
//! # mod cached {
//! use async_tool_runtime::async_tool;
//!
//! /// Looks up the exchange rate of a currency.
//! #[async_tool(effect = "read", cache(ttl = "5m"), dedupe = "share", scope = "shared", delivery = "silent")]
//! async fn exchange_rate(currency: &str) -> f64 {
//!     # let _ = currency;
//!     1.09
//! }
//! # }
//! ```
//!
//! # Keep conflicting calls apart
//!
//! If a model makes two calls at once, both may write the same file. `reads` and `writes` name the arguments whose values name the resources that
//! a call uses. Two calls conflict if one writes a resource that the other reads or writes. The later call then waits until the earlier one has
//! ended, without a slot. Calls that only read a resource run at the same time.
//!
//! Resources are equal if their values are equal as text and their kinds are equal. The kind is the name of the argument, unless you write
//! another before it, as in `path:source`:
//!
//! ```
//! use async_tool_runtime::async_tool;
//!
//! /// Reads a file.
//! #[async_tool(effect = "read", reads = "path")]
//! async fn read_file(path: &str) -> Result<String, String> {
//!     # let _ = path;
//!     // …
//!     # Ok(String::new())
//! }
//!
//! /// Copies a file.
//! #[async_tool(reads = "path:source", writes = "path:destination")]
//! async fn copy_file(source: &str, destination: &str) -> Result<(), String> {
//!     # let _ = (source, destination);
//!     // …
//!     # Ok(())
//! }
//! ```
//!
//! This holds for all sessions of one manager. A tool that calls other tools keeps its resources, and its nested calls may use them;
//! [`FunctionTool::reads`](crate::tool::FunctionTool::reads) has the details.
//!
//! # Use a task's result as an argument
//!
//! With `futures`, the model may write `{"$task": "t3", "pointer": "/items/0/id"}` in place of a value. Such an argument is called a *future*. It
//! stands for that part of the result of the task `t3`; `#1` in place of `t3` means the first call of the same turn. So a chain of calls
//! needs one turn, and not one turn for each call.
//!
//! A sentence in the system prompt tells the model about futures, and the agent takes one in place of any value. Only the schemas of strict
//! dialects show them, because a schema with futures is three times as long. The inserted value is checked as if the model had written it.
//! [`FutureArgument`](crate::task::FutureArgument) has the details.
//!
//! ```
//! use async_tool_runtime::async_tool;
//!
//! /// Books a flight.
//! #[async_tool(futures)]
//! async fn book_flight(
//!     /// The id of the flight.
//!     flight: u64,
//! ) -> String {
//!     format!("booked {flight}")
//! }
//! ```
//!
//! # Call tools from a tool
//!
//! A tool can call other tools through its context. Each nested call is a child task, with the policies of its own tool. Its result goes to the
//! calling tool and not to the model. So a workflow is plain Rust over such calls: `join!`, `if`, `?`.
//!
//! ```
//! use async_tool_runtime::{ToolContext, ToolError, async_tool};
//! use serde_json::json;
//!
//! /// Checks an address and reserves the goods, then sends them.
//! #[async_tool]
//! async fn ship(order: u64, address: String, #[inject] cx: ToolContext) -> Result<String, ToolError> {
//!     let (_valid, reserved) = tokio::try_join!(
//!         cx.call_tool::<bool>("check_address", json!({ "address": address })),
//!         cx.call_tool::<u64>("reserve", json!({ "order": order })),
//!     )?;
//!     match cx.call_tool("send", json!({ "order": order, "address": address })).await {
//!         Ok(tracking) => Ok(tracking),
//!         Err(error) => {
//!             let () = cx.call_tool("release", json!({ "reservation": reserved })).await?;
//!             Err(error)
//!         }
//!     }
//! }
//! ```
//!
//! While a task waits for a child, other tasks can use its slot. When a task ends, its children are told to stop. The example `workflow` is a
//! complete program.
//!
//! A call that would wait for itself is refused at once, and the error names the tasks of the circle. For example, a function calls its own tool with
//! the same arguments, directly or through other tools and sub-agents. A function that waits for a task by its handle, or for an agent, gets the same
//! error. Only waits in code that the function has spawned are not seen.
//!
//! # Ask people, or wait for a webhook
//!
//! With `approval = "always"`, a call waits for the consent of the host, which calls [`approve`](crate::manager::AsyncToolManager::approve) or
//! [`refuse`](crate::manager::AsyncToolManager::refuse). [`Approval::when`](crate::policy::Approval::when) selects the calls that need it. A tool can
//! also ask a question itself, or leave its task to be completed from outside, for example by a webhook:
//!
//! ```
//! use async_tool_runtime::{ToolContext, ToolError, async_tool};
//!
//! /// Books a table.
//! #[async_tool]
//! async fn book_table(guests: u32, #[inject] cx: ToolContext) -> Result<String, ToolError> {
//!     if guests > 8 {
//!         let room: String = cx.request("That needs a room of its own. Which one?").await?;
//!         return Ok(format!("{guests} guests in {room}"));
//!     }
//!     // The restaurant calls back with the id; the host then calls `manager.resolve(id, "confirmed for 8 pm")`.
//!     println!("callback: /bookings/{}", cx.task());
//!     cx.defer().await
//! }
//! ```
//!
//! A task that waits like this holds no slot and no thread, and its timeout is paused.
//!
//! The host gets all open questions of a session from [`questions`](crate::AsyncAgent::questions), also for a page that is loaded again. It gives the
//! answers to the manager:
//!
//! ```
//! use async_tool_runtime::{AsyncAgent, tool::InputRequest};
//! use serde_json::Value;
//! # use async_tool_runtime::{AsyncToolManager, RulePlanner, ToolContext, ToolError, async_tool, tools};
//!
//! /// Asks the user all open questions: a text and the JSON Schema of the answer.
//! async fn ask(agent: &AsyncAgent, user: impl Fn(&str, &Value) -> Value) -> Result<(), Box<dyn std::error::Error>> {
//!     let manager = agent.manager();
//!     for question in agent.questions().await? {
//!         match &question.request {
//!             InputRequest::Approval { arguments } => {
//!                 let text = format!("May I call {} with {}?", question.tool, arguments.value());
//!                 match user(&text, &serde_json::json!({"type": "boolean"})) {
//!                     Value::Bool(true) => manager.approve(question.asking)?,
//!                     _ => manager.refuse(question.asking, "the user refused")?,
//!                 }
//!             }
//!             // An answer that doesn't fit the schema is refused, and the question stays open.
//!             InputRequest::Input { prompt, schema } => manager.answer(question.asking, user(prompt, schema))?,
//!             _ => {}
//!         }
//!     }
//!     Ok(())
//! }
//! # /// Books a table.
//! # #[async_tool(effect = "idempotent")]
//! # async fn book_table(#[inject] cx: ToolContext) -> Result<String, ToolError> { cx.request("Which room?").await }
//! # /// Pays.
//! # #[async_tool(approval = "always")]
//! # async fn pay(euros: u32) -> String { format!("paid {euros}") }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let manager = AsyncToolManager::builder().tools(tools![book_table, pay]).build()?;
//! # let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
//! # agent.send("book_table; pay 5").await?;
//! # agent.run_until_parked().await?;
//! # ask(&agent, |_, schema| if schema["type"] == "boolean" { true.into() } else { "the garden".into() }).await?;
//! # agent.run_until_idle().await?;
//! # let told = format!("{:?}", agent.transcript().await?);
//! # assert!(told.contains("the garden") && told.contains("paid 5"));
//! # Ok(())
//! # }
//! ```
//!
//! After a restart, calls that need consent ask again, and so do functions of `"idempotent"` and `"read"` tools. The function of a `"once"` tool must not
//! run twice, so its question can only be refused, or its task completed with [`resolve`](crate::manager::AsyncToolManager::resolve):
//! [`is_gone`](crate::agent::AgentQuestion::is_gone) is then true. Give a tool that asks the effect `"idempotent"` if what it does after the answer may
//! be repeated with the same idempotency key.
//!
//! If the callback may never come, give it a deadline: after
//! [`cx.defer_within(limit)`](crate::tool::ToolContext::defer_within), the task fails with kind `Timeout` when the limit has passed. The deadline
//! is in the journal, so it also holds after a restart.
//!
//! A callback may come twice, or after the session was resumed by another process. The second result gets
//! [`AlreadySettled`](crate::manager::ResolveError::AlreadySettled), by the session's record; answer the sender as after the first. `UnknownTask`
//! is said only of a task that no session here has ever had.
//!
//! # Show a session to a client
//!
//! [`AgentEvent`](crate::AgentEvent) is JSON with a schema, so a web client can get it as it is. A page shows
//! [`transcript`](crate::AsyncAgent::transcript), and then the events
//! [after](crate::AsyncAgent::events_after) its [`seq`](crate::context::Transcript::seq). After a lost connection it goes on after the id of the
//! last event, also in another process. Text, reasoning and progress have no id; a client that comes in the middle of a turn gets the
//! [turn so far](crate::AgentEventKind::TurnSoFar).
//!
//! ```
//! use async_tool_runtime::{AsyncAgent, agent::EventId, journal::Seq};
//! # use async_tool_runtime::{AsyncToolManager, RulePlanner};
//!
//! /// Prints a line of JSON for each event behind `last`, or from the beginning of the session to its end.
//! async fn print(agent: &AsyncAgent, last: Option<EventId>) -> Result<(), Box<dyn std::error::Error>> {
//!     let mut events = agent.events_after(last.unwrap_or(Seq::START.into())).await?;
//!     while let Some(event) = events.next().await {
//!         println!("{}", serde_json::to_string(&event)?); // `"id"`, if it is there, is the next `last`.
//!     }
//!     Ok(())
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let agent = AsyncAgent::builder(RulePlanner::new(), AsyncToolManager::builder().build()?).start().await?;
//! # agent.run_to_completion("help").await?;
//! # agent.close().await?;
//! # print(&agent, Some("2.0".parse()?)).await
//! # }
//! ```
//!
//! [`events`](crate::AsyncAgent::events) has only what happens from now on. Make that stream before you send a message, or you miss its first events.
//!
//! # End the process while tasks wait
//!
//! A host that ends its process between events waits with [`run_until_parked`](crate::agent::AsyncAgent::run_until_parked), which returns when only
//! such tasks are left, and names what they wait for. Then it leaves the session. When [`leave`](crate::agent::AsyncAgent::leave) has returned, any
//! other process can resume the session at once, also while this one goes on with other sessions of the same journal:
//!
//! ```
//! use async_tool_runtime::{AsyncAgent, agent::AsyncAgentBuilder, task::Timestamp};
//!
//! /// Works on a message as far as it can, and returns the time at which the session must be resumed at the latest.
//! async fn work(builder: AsyncAgentBuilder, message: &str) -> Result<Option<Timestamp>, Box<dyn std::error::Error>> {
//!     let agent: AsyncAgent = builder.resume_or_start().await?;
//!     agent.send(message).await?;
//!     let parked = agent.run_until_parked().await?;
//!     agent.leave().await?;
//!     Ok(parked.waits.iter().filter_map(|wait| wait.until).min())
//! }
//! ```
//!
//! A process that is told to end lets all its agents leave at the same time:
//! [`manager.leave_all(limit)`](crate::AsyncToolManager::leave_all) names the sessions that were not left in time. Nothing is lost without it: with a
//! journal on disk, an agent whose handle is dropped leaves its session too. Only [`close`](crate::agent::AsyncAgent::close) ends one.
//!
//! # Serve many sessions
//!
//! An [`AgentRegistry`](crate::AgentRegistry) has the agents of a service. [`get`](crate::AgentRegistry::get) returns the agent of a session, and
//! resumes the session if it has none. Agents that are idle leave, and the next `get` resumes their sessions:
//!
//! ```
//! use async_tool_runtime::{AgentRegistry, AsyncAgent, AsyncToolManager, Journal, RulePlanner};
//!
//! fn open<J: Journal>(journal: J, manager: AsyncToolManager) -> AgentRegistry {
//!     let agent = move |_session: &_| AsyncAgent::builder(RulePlanner::new(), manager.clone());
//!     AgentRegistry::builder(journal, agent).build()
//! }
//!
//! async fn message(agents: &AgentRegistry, user: &str, text: &str) -> Result<(), Box<dyn std::error::Error>> {
//!     Ok(agents.get(user).await?.send(text).await?)
//! }
//! # let _ = (open::<std::sync::Arc<dyn Journal>>, message);
//! ```
//!
//! Its page shows how tools get the [credentials of their user](crate::AgentRegistry::builder_async).
//!
//! # Survive the end of the process
//!
//! A *journal* is the log of a session, from which the session can be restored. If it is on disk, the next process can
//! [resume](crate::agent::AsyncAgentBuilder::resume) the session. The effect of a tool decides about its calls that ran at the end:
//!
//! - Calls of `"read"` and `"idempotent"` tools run again, with the same [idempotency key](crate::tool::IdempotencyKey).
//! - For a call of a `"once"` tool, the model is told that its outcome is unknown.
//! - If a function can find out the outcome of a `"once"` call, name it in `reconcile`; it is asked instead:
//!
//! ```
//! use async_tool_runtime::{async_tool, tool::{IdempotencyKey, LostTask, Reconciled}};
//!
//! # async fn receipt_for(key: &str) -> Result<Option<String>, std::io::Error> { Ok(None) }
//! /// Asks the bank about the key.
//! async fn ask_the_bank(lost: LostTask) -> Result<Reconciled<String>, std::io::Error> {
//!     Ok(match receipt_for(&lost.idempotency_key().to_string()).await? {
//!         Some(receipt) => Reconciled::Completed(receipt),
//!         None => Reconciled::NotStarted, // It runs now.
//!     })
//! }
//!
//! /// Pays a bill.
//! #[async_tool(reconcile = ask_the_bank)]
//! async fn pay(bill: u64, #[inject] key: IdempotencyKey) -> String {
//!     format!("paid {bill} under {key}")
//! }
//! ```
//!
//! A long call saves a [checkpoint](crate::tool::ToolContext::save_checkpoint): a place in a list, or the id of a job elsewhere. Its next attempt
//! goes on from there, also after a restart. If the tool has a `reconcile` function, that is asked for every call with a checkpoint.
//!
//! Calls that wait for approval ask again. Tasks that wait for a result from outside go on waiting. To a webhook that brings a result, reply after
//! [`resolve_durably`](crate::manager::AsyncToolManager::resolve_durably) returns: from then on the result survives the process.
//!
//! A function that passes its task's id on may lose its process before the journal has the deferral. Mark its tool with `external = true`: such a
//! call waits too, and its webhook still completes it.
//!
//! ```
//! use async_tool_runtime::{async_tool, ToolContext};
//!
//! # async fn order_at_the_shop(item: &str, callback: String) {}
//! /// Orders a parcel.
//! #[async_tool(external = true)]
//! async fn order_parcel(item: String, #[inject] cx: ToolContext) -> String {
//!     order_at_the_shop(&item, format!("https://example.com/orders/{}", cx.task())).await;
//!     // If the process ends here, the call waits for the callback all the same.
//!     cx.defer().await
//! }
//! # assert!(async_tool_runtime::Tool::options(&order_parcel::tool()).external);
//! ```
//!
//! # Deploy a new program over live sessions
//!
//! A new version of your program resumes the sessions of the old one, and its tools may have changed:
//!
//! - A call that would run again must fit the schema that its tool has now. If it doesn't (a new required parameter, another type, a
//!   stricter limit), or if its tool is gone, it ends as failed. The model is told the reason once, and the session goes on.
//! - A call that waits for approval is asked about again. If the tool needs no approval any more, the call runs.
//! - A question of a repeatable tool is asked again, as the tool asks it now. A `"once"` tool doesn't run again, so its question stays as it
//!   was, and the task is completed with [`resolve`](crate::manager::AsyncToolManager::resolve).
//! - A task that waits for a result from outside goes on waiting, even if its tool is gone. Then any value is taken, and is written down
//!   even if the tool would have marked it as secret.
//! - Results that the model has seen stay as they are.
//!
//! Before a tool is removed, leave it in the program for one deployment with a description that says not to use it. Then its calls come to
//! their end.
//!
//! Entries have a [format](crate::journal::Format), and a new version of the library reads all older ones. After a
//! rollback, a session that was resumed in a newer format is refused ([`StartError::Newer`](crate::agent::StartError::Newer)). It stays as it is,
//! and all others go on. Deploy the newer version again to go on with it.
//!
//! # Keep secrets out of the journal
//!
//! A journal outlives the session, and more people read it. Mark secret arguments and results as sensitive: from
//! that call on, the journal has `"[redacted]"` in their place. The function, the model and the user get the true values, and the schema is the same.
//!
//! When the process ends, the true values are gone. A call with a secret argument is then not run again, and the model is told to call once more.
//!
//! ```
//! use async_tool_runtime::{
//!     agent::REDACTED, async_tool, journal::MemoryJournal, tools, AsyncAgent, AsyncToolManager, RulePlanner,
//!     SessionId,
//! };
//! use std::sync::Arc;
//!
//! /// Logs in, and gives a token.
//! #[async_tool(sensitive = "result")]
//! async fn log_in(user: String, #[arg(sensitive)] password: String) -> String {
//!     format!("token-of-{user}-{}", password.len())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let manager = AsyncToolManager::builder().tools(tools![log_in]).build()?;
//! let journal = Arc::new(MemoryJournal::new());
//! let agent = AsyncAgent::builder(RulePlanner::new(), manager).session("s").journal(Arc::clone(&journal)).start().await?;
//! agent.send("log_in user=ada password=swordfish").await?;
//! agent.run_until_idle().await?;
//! # agent.close().await?;
//!
//! let written = format!("{:?}", &journal.entries(&SessionId::new("s"))[2..]);
//! assert!(!written.contains("swordfish") && !written.contains("token-of-ada-9"));
//! assert!(written.contains(REDACTED));
//! # Ok(())
//! # }
//! ```
//!
//! The example skips the first two entries. The second is the user's message, which contains the password: text of people and models from before
//! the marked call is not redacted. For such text, set a hook with [`AsyncAgentBuilder::redact`](crate::agent::AsyncAgentBuilder::redact).
//! [`Redact`](crate::agent::Redact) says what the marks cover, and what a hook may do.
//!
//! # Make tools of methods
//!
//! `#[async_tools]` on an `impl` block makes tools of its marked methods. They share one value of the type:
//!
//! ```
//! use async_tool_runtime::{AsyncToolManager, async_tools};
//! use std::sync::{Arc, Mutex};
//!
//! #[derive(Default)]
//! struct Notebook {
//!     notes: Mutex<Vec<String>>,
//! }
//!
//! #[async_tools]
//! impl Notebook {
//!     /// Writes a note.
//!     #[async_tool]
//!     fn write_note(&self, text: String) -> usize {
//!         let mut notes = self.notes.lock().unwrap();
//!         notes.push(text);
//!         notes.len()
//!     }
//!
//!     /// Finds the notes that hold a word.
//!     #[async_tool(effect = "read")]
//!     async fn find_notes(&self, word: &str) -> Vec<String> {
//!         let notes = self.notes.lock().unwrap();
//!         notes.iter().filter(|note| note.contains(word)).cloned().collect()
//!     }
//! }
//!
//! # fn main() -> Result<(), async_tool_runtime::manager::BuildError> {
//! let notebook = Arc::new(Notebook::default());
//! let manager = AsyncToolManager::builder().tools(notebook.tools()).build()?;
//! # Ok(())
//! # }
//! ```
//!
//! A type can have several such blocks. Name the method of each further block, as in `#[async_tools(tools = writing_tools)]`.
//!
//! # Test tools and agents
//!
//! Test the function of a tool like any other function. To test an agent with its tools, turn on the feature `testing` in the
//! `dev-dependencies` of your crate:
//!
//! ```toml
//! [dev-dependencies]
//! async-tool-runtime = { version = "0.1", features = ["testing"] }
//! ```
//!
//! The page of the module `testing` has examples: a scripted model, a paused clock, and a scenario that runs in hundreds of orders of events. A
//! failure names the seed that repeats it.
//!
//! # Make tools without the macro
//!
//! [`FunctionTool::new`](crate::tool::FunctionTool::new) makes a tool of a closure.
//! [`FunctionTool::from_parts`](crate::tool::FunctionTool::from_parts) makes one whose schema comes from elsewhere.
//! [`Tool`](crate::tool::Tool) is the trait of all tools.
