//! Writing tools: from one line to methods with state.
//!
//! # One line
//!
//! A function with a doc comment and the attribute is a tool. The model reads the doc comment as the description; the schema
//! comes from the parameters. The function stays what it was, and can be called and tested as before.
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
//! A sync function runs on tokio's blocking pool, so it may block; an async one runs on the async threads and must not.
//!
//! # Arguments
//!
//! A parameter may have any type with `serde::Deserialize` and `schemars::JsonSchema`. Its doc comment tells the model what to write.
//! `Option` is an argument that may be absent; `#[arg(default = …)]` says what is meant then. `&str`, `&[T]` and `&T` are
//! owned by the call and lent to the function. Limits are told to the model and checked:
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
//!     /// What to look for.
//!     #[arg(min_len = 2)] query: &str,
//!     /// How many hits to give.
//!     #[arg(default = 5, min = 1, max = 50)] limit: usize,
//!     /// In which order.
//!     order: Option<Order>,
//! ) -> Vec<Hit> {
//!     let _ = order;
//!     (1..=limit).map(|rank| Hit { title: format!("{query} {rank}") }).collect()
//! }
//! ```
//!
//! A call whose arguments don't fit runs nothing. The model is told where, what was expected, what came, and the nearest name. What
//! models commonly get wrong about JSON, such as a number in a string, is repaired where nothing is lost by it.
//!
//! # Types of your own
//!
//! A crate that has no dependency but this one derives the traits by its names:
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
//! # Errors
//!
//! Return a `Result` with any error that displays itself, through any alias: the model reads what it displays, and sees that
//! it is an error. To say more, such as when to try again, or to keep detail from the model, return a
//! [`ToolError`](crate::tool::ToolError).
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
//! A panic is a failed task: the model is told that the tool crashed, and the text of the panic stays with the operators.
//!
//! # What the host supplies
//!
//! A parameter marked `#[inject]` comes from the host, and the model never sees it: the [`ToolContext`](crate::tool::ToolContext), its
//! [`CancellationToken`](crate::tool::CancellationToken), [`IdempotencyKey`](crate::tool::IdempotencyKey), [`Progress`](crate::tool::Progress) or [`Messages`](crate::tool::Messages), a value that you registered as
//! [`State`](crate::tool::State), or a type of your own with [`FromToolContext`](crate::tool::FromToolContext). A state that nobody registered is
//! an error when the manager is built.
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
//!     // The same on every attempt: the service sees that it is one mail.
//!     mailer.send(to, cx.idempotency_key().to_string()).await;
//! }
//!
//! # fn main() -> Result<(), async_tool_runtime::manager::BuildError> {
//! let manager = AsyncToolManager::builder().tools(tools![send_report]).state(Mailer).build()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Stopping
//!
//! A task can be told to stop: by the user, by the host, by a timeout, by the end of its session. An async tool is then dropped at its
//! next `await`, after a grace time in which it may tidy up; at a timeout only if it has taken its token before, because otherwise
//! it can't know. What it says in its error is added to the reason. A blocking tool can't be dropped, so a long one should ask now and
//! then:
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
//! # Progress
//!
//! [`Progress`](crate::tool::Progress) says how far a task has come. Whoever watches the manager or the agent sees it; reporting is cheap and never
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
//! # Steering
//!
//! A tool that runs for long can be told more on its way: it takes [`Messages`](crate::tool::Messages), and the host sends with
//! [`TaskHandle::send`](crate::manager::TaskHandle::send) or [`AsyncToolManager::send`](crate::manager::AsyncToolManager::send). What is sent before the tool
//! looks is kept; what it never reads is dropped when it ends. A blocking tool asks with `try_recv` between steps, or waits with
//! `blocking_recv`.
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
//! # What a call does to the world
//!
//! `effect` says it, and decides what may be started early and repeated. Without it a tool is `"once"`: its calls start when
//! the model's turn is complete, and are never repeated. `"read"` is for tools that change nothing: they start while the
//! model still speaks. `"idempotent"` is for those that change something but may be repeated with the same key.
//!
//! # Quick and slow
//!
//! A call whose result is in shortly after the model's turn (the grace time, 250 ms) is answered with it, like an ordinary tool's. Only
//! a slower one is acknowledged and goes on in the background. `background = "never"` makes the model wait for the result;
//! `background = "always"` acknowledges at once; `grace` sets the time. Each of these can be set again on the value:
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
//! # Late results
//!
//! A result that comes after its call was acknowledged waits until the model's turn ends, and wakes an idle agent. A tool whose results
//! can't wait, such as an alarm, breaks off the turn; one whose results nobody waits for, such as an upload, wakes nobody and is
//! told with the next message. [`DeliveryPolicy`](crate::tool::DeliveryPolicy) says exactly what happens;
//! [`AsyncAgent::set_delivery`](crate::agent::AsyncAgent::set_delivery) sets it for one task.
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
//! // As every option, it can be set again on the value.
//! let archive = archive::tool().delivery(DeliveryPolicy::WhenIdle);
//! # let _ = (watch_build::tool(), archive);
//! ```
//!
//! # When things go wrong, or too fast
//!
//! What a call may cost others is said at the tool. A retry waits a random time that grows; a rate makes calls wait; a breaker leaves
//! alone what is down; `concurrency` is how many calls run at once. Tools that use the same service share a rate by naming its key:
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
//!     /// Owner and name.
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
//! Only errors that are [`retryable`](crate::tool::ToolError::retryable) are tried again, and a tool that is `"once"` only where the error
//! says that [nothing was started](crate::tool::ToolError::with_not_started). A call that the model makes twice can be shared, refused, or replaced
//! (`dedupe`), and a tool that only reads can keep its values (`cache`, with the feature of that name). Neither looks beyond the session,
//! unless `scope = "shared"` says that what the tool gives doesn't depend on who asks:
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
//! `delivery` says when a late result is told: when the model is idle, at once, or with the next message.
//!
//! # Tools that get in each other's way
//!
//! A model that starts two calls at once may have them write the same file. `reads` and `writes` name the arguments whose values say what a
//! call touches. Of two calls that conflict, because one writes what the other reads or writes, the later one waits for the end of the earlier
//! one, without a slot; readers go side by side. Values are compared as they are, together with their kind, which is the name of the argument
//! unless it is written before it:
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
//! This holds for all sessions of one manager. A tool that calls others keeps what it has, and those below it may use it;
//! [`FunctionTool::reads`](crate::tool::FunctionTool::reads) has the details.
//!
//! # Arguments that other tasks give
//!
//! `futures` lets the model write `{"$task": "t3", "pointer": "/items/0/id"}` where a value is wanted: what the task `t3` gives there. `#1` is
//! the first call of the same turn. So a chain of calls needs one turn instead of one for each. Schema and description tell the model of it.
//! The value that is put in is checked as if the model had written it; [`FutureArgument`](crate::task::FutureArgument) has the details.
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
//! # Tools made of tools
//!
//! A tool can call others through its context. Each call is a task of its own below the first, with the policies of its tool; its
//! result comes back here and not to the model. A workflow is plain Rust over such calls: `join!`, `if`, `?`.
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
//! While a task waits for one below it, its slot is free for others; when it ends, those below it are told to stop. The example
//! `workflow` is a whole one.
//!
//! # People and the outside
//!
//! `approval = "always"` has the host asked before a call runs ([`approve`](crate::manager::AsyncToolManager::approve),
//! [`refuse`](crate::manager::AsyncToolManager::refuse)); [`Approval::when`](crate::policy::Approval::when) asks for some calls only. A tool can ask something
//! itself, and it can leave its task to be completed by somebody else, such as a webhook:
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
//! A task that waits like this holds no slot and no thread, and its timeout stands still.
//!
//! # When the process ends
//!
//! A session that has a journal on disk is [taken up again](crate::agent::AsyncAgentBuilder::resume) by the next process. What becomes of a call that
//! ran then depends on the effect that its tool says it has: calls of `"read"` and `"idempotent"` tools run again, with the same
//! [idempotency key](crate::tool::IdempotencyKey); of a `"once"` tool's the model is told that nobody knows how it ended. A tool that can ask the
//! service says so, and is asked instead:
//!
//! ```
//! use async_tool_runtime::{async_tool, tool::{IdempotencyKey, LostTask, Reconciled}};
//!
//! # async fn receipt_for(key: &str) -> Result<Option<String>, std::io::Error> { Ok(None) }
//! /// What the bank knows of the key.
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
//! Calls that wait for consent ask again; tasks that were left to be completed from outside go on waiting. Whoever brings the result, such as
//! a webhook, is best told that it was taken when [`resolve_durably`](crate::manager::AsyncToolManager::resolve_durably) returns.
//!
//! # Secrets
//!
//! A journal outlives the session, and is read by more people. What is marked is not written there: `"[redacted]"` stands in its place wherever
//! it would have come. The function, the model and the user have the value as ever, and the schema is the same. When the process ends, the
//! value is gone: a call with a secret argument is not run again, and the model is told to call once more.
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
//! The first two entries were left out here: the second is the user's message, with the password. What people and models say before anything marks it
//! is text, and text is what a hook is for, set with [`AsyncAgentBuilder::redact`](crate::agent::AsyncAgentBuilder::redact). [`Redact`](crate::agent::Redact) says what
//! the marks cover, and what a hook may do.
//!
//! # Methods with state
//!
//! `#[async_tools]` on an `impl` block makes tools of its methods, which share the service:
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
//! # Testing
//!
//! The function of a tool is tested like any other. What an agent does with its tools is tested with the feature `testing`, in the
//! `dev-dependencies` of your crate:
//!
//! ```toml
//! [dev-dependencies]
//! async-tool-runtime = { version = "0.1", features = ["testing"] }
//! ```
//!
//! The page of the module `testing` has worked examples: a model that plays a script, a clock that stands still, and a scenario that is run
//! in hundreds of orders of events, where a failure names the seed that repeats it.
//!
//! # Without the macro
//!
//! [`FunctionTool::new`](crate::tool::FunctionTool::new) makes a tool of a closure, and
//! [`FunctionTool::from_parts`](crate::tool::FunctionTool::from_parts) one whose schema comes from elsewhere.
//! [`Tool`](crate::tool::Tool) is the trait behind all of them.
