//! Six ways to use the library, from a single call to a whole agent: choose your way in.
//!
//! | you have | you take | the library runs |
//! |---|---|---|
//! | a model and one task for it | [one call](#one-call) | everything |
//! | a program that decides itself what runs | the [manager alone](#the-manager-alone) | the tools |
//! | a client for a language model | [a model from a closure](#a-client-of-your-own) | tools, conversation, journal |
//! | a loop around a language model | [the loop, with the manager](#a-loop-of-your-own) | the tools |
//! | an agent with a loop, of any framework | [a whole agent](#a-whole-agent) | tools, journal; the loop stays yours |
//! | rig | [its models, agents or tools](#rig) | one of the above |
//!
//! With a manager alone you decide what the model is told. An [`AsyncAgent`](crate::AsyncAgent) decides it for you, and keeps a journal: it
//! acknowledges slow calls, delivers each result once, and can go on in another process.
//!
//! The tool of all examples:
//!
//! ```
//! use async_tool_runtime::async_tool;
//!
//! /// Researches a topic.
//! #[async_tool(effect = "read", timeout = "60s")]
//! async fn research(topic: String) -> String {
//!     format!("three sources agree on {topic}") // slow work
//! }
//! ```
//!
//! # One call
//!
//! [`run`](crate::run) lets a model work on a message with some tools, and returns its last message:
//!
//! ```
//! use async_tool_runtime::{RulePlanner, run, tools};
//! # use async_tool_runtime::async_tool;
//! # /// Researches a topic.
//! # #[async_tool(effect = "read")]
//! # async fn research(topic: String) -> String { format!("three sources agree on {topic}") }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let model = RulePlanner::new(); // Stands in for a language model.
//! let summary = run(model, tools![research], "research topic=bees").await?;
//! assert!(summary.text.contains("three sources agree on bees"));
//! # Ok(())
//! # }
//! ```
//!
//! # The manager alone
//!
//! The manager runs calls in the background, with retries, limits, caches and cancellation. It needs no model:
//!
//! ```
//! use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, tools};
//! use serde_json::json;
//! # use async_tool_runtime::async_tool;
//! # /// Researches a topic.
//! # #[async_tool(effect = "read")]
//! # async fn research(topic: String) -> String { format!("three sources agree on {topic}") }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let manager = AsyncToolManager::builder().tools(tools![research]).build()?;
//! let task = manager.submit(&SessionId::new("me"), ToolCall::new("1", "research", json!({"topic": "bees"})))?;
//! // Do something else; then:
//! let result = task.outcome().await;
//! assert_eq!(result.outcome.value(), Some(&json!("three sources agree on bees")));
//! # Ok(())
//! # }
//! ```
//!
//! # A client of your own
//!
//! [`model::from_fn`](crate::model::from_fn) makes a model of a closure, so the agent works with any client. Translate the request, ask, and
//! return text and calls. Here the client takes the JSON of Chat Completions, a format that most servers understand:
//!
//! ```
//! use async_tool_runtime::{
//!     AsyncAgent, AsyncToolManager, Message, ToolCall, model::{self, ModelError, ModelRequest, ModelStream}, tool::Arguments, tools,
//! };
//! use serde_json::{Value, json};
//! use std::sync::Arc;
//! # use async_tool_runtime::async_tool;
//! # /// Researches a topic.
//! # #[async_tool(effect = "read")]
//! # async fn research(topic: String) -> String { format!("three sources agree on {topic}") }
//! # struct Client;
//! # enum Reply { Text(String), Call { id: String, name: String, arguments: String } }
//! # impl Client {
//! #     async fn chat(&self, request: Value) -> Result<Reply, std::io::Error> {
//! #         assert_eq!(request["tools"][0]["function"]["parameters"]["required"], json!(["topic"]));
//! #         let last = request["messages"].as_array().and_then(|messages| messages.last()).unwrap();
//! #         Ok(match last["role"].as_str() {
//! #             Some("tool") => Reply::Text(last["content"].as_str().unwrap().to_owned()),
//! #             _ => Reply::Call { id: "call_1".into(), name: "research".into(), arguments: r#"{"topic": "bees"}"#.into() },
//! #         })
//! #     }
//! # }
//!
//! /// The request in the format of Chat Completions.
//! fn chat_request(request: &ModelRequest) -> Value {
//!     let mut messages: Vec<Value> = request.system.iter().map(|text| json!({"role": "system", "content": text})).collect();
//!     for message in &request.messages {
//!         match &**message {
//!             Message::Assistant { text, calls, .. } if calls.is_empty() => {
//!                 messages.push(json!({"role": "assistant", "content": text}));
//!             }
//!             Message::Assistant { text, calls, .. } => {
//!                 let function = |call: &ToolCall| json!({"name": call.name, "arguments": call.arguments.to_string()});
//!                 let calls = calls.iter().map(|call| json!({"id": call.id, "type": "function", "function": function(call)}));
//!                 messages.push(json!({"role": "assistant", "content": text, "tool_calls": calls.collect::<Vec<_>>()}));
//!             }
//!             Message::Answers(answers) => messages.extend(answers.iter().map(|answer| {
//!                 json!({"role": "tool", "tool_call_id": answer.call, "content": answer.to_model_json().to_string()})
//!             })),
//!             // The library's own messages, with late results for example, go into the user's role too.
//!             Message::User { text, .. } | Message::Delivery { text, .. } | Message::Note { text } => {
//!                 messages.push(json!({"role": "user", "content": text}));
//!             }
//!             _ => {}
//!         }
//!     }
//!     let tools = request.tools.iter().map(|tool| {
//!         let function = json!({"name": tool.name, "description": tool.description, "parameters": tool.input_schema});
//!         json!({"type": "function", "function": function})
//!     });
//!     json!({"messages": messages, "tools": tools.collect::<Vec<_>>()})
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let client = Arc::new(Client);
//! let model = model::from_fn(move |request| {
//!     let client = Arc::clone(&client);
//!     async move {
//!         match client.chat(chat_request(&request)).await {
//!             Ok(Reply::Text(text)) => Ok(ModelStream::text(text)),
//!             Ok(Reply::Call { id, name, arguments }) => {
//!                 Ok(ModelStream::calls([ToolCall::new(id, name, Arguments::from_text(arguments))]))
//!             }
//!             Err(error) => Err(ModelError::transient("the model can't be reached").with_source(error)),
//!         }
//!     }
//! });
//! let manager = AsyncToolManager::builder().tools(tools![research]).build()?;
//! let agent = AsyncAgent::builder(model, manager).start().await?;
//! assert!(agent.run_to_completion("What of bees?").await?.text.contains("three sources"));
//! # agent.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! For a client that streams, return [`ModelStream::new`](crate::model::ModelStream::new) of its stream. The crates `async-tool-genai` and
//! `async-tool-openai` are models of most providers.
//!
//! # A loop of your own
//!
//! In a loop that calls the model itself, answer a call with its result if it is there soon, and with the acknowledgement if not. A late result
//! is yours to tell:
//!
//! ```
//! use async_tool_runtime::{
//!     AsyncTaskResult, AsyncToolManager, SessionId, ToolCall, context::{Answer, AnswerContent}, manager::SubmitError,
//! };
//! use serde_json::Value;
//! use std::{sync::Arc, time::Duration};
//! use tokio::{sync::mpsc, time::timeout};
//!
//! /// Answers a call of the model; a late result goes to `late`.
//! async fn answer(
//!     manager: &AsyncToolManager,
//!     session: &SessionId,
//!     call: ToolCall,
//!     late: mpsc::UnboundedSender<Arc<AsyncTaskResult>>,
//! ) -> Result<Value, SubmitError> {
//!     let (id, tool) = (call.id.clone(), call.name.clone());
//!     let task = manager.submit(session, call)?;
//!     if let Ok(result) = timeout(Duration::from_millis(250), task.outcome()).await {
//!         // The value, or the error in the words for the model.
//!         return Ok(Answer::new(id, tool, AnswerContent::Result(result)).to_model_json());
//!     }
//!     let acknowledgement = task.ack().to_model_json();
//!     tokio::spawn(async move { late.send(task.outcome().await) });
//!     Ok(acknowledgement)
//! }
//! # let _ = answer;
//! ```
//!
//! # A whole agent
//!
//! An agent that has a loop, of another framework or of your own, implements [`Agent`](crate::agent::custom::Agent): one method, which gets everything new.
//! [`AsyncAgent::wrap`](crate::AsyncAgent::wrap) then calls it for messages and for results:
//!
//! ```
//! use async_tool_runtime::{AsyncAgent, AsyncToolManager, agent::custom, model::ModelError, tools};
//! use serde_json::json;
//! # use async_tool_runtime::async_tool;
//! # /// Researches a topic.
//! # #[async_tool(effect = "read")]
//! # async fn research(topic: String) -> String { format!("three sources agree on {topic}") }
//!
//! struct Librarian;
//!
//! impl custom::Agent for Librarian {
//!     type Error = ModelError;
//!
//!     async fn turn(&mut self, input: custom::TurnInput, cx: custom::TurnContext) -> Result<custom::TurnReply, ModelError> {
//!         if let Some(result) = input.results().next() {
//!             return Ok(format!("I found: {:?}", result.outcome.value()).into());
//!         }
//!         cx.call("research", json!({"topic": input.user_text()}))?;
//!         Ok("I look it up. ".into())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let manager = AsyncToolManager::builder().tools(tools![research]).build()?;
//! let agent = AsyncAgent::wrap(Librarian, manager).start().await?;
//! assert!(agent.run_to_completion("bees").await?.text.contains("three sources"));
//! # agent.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # rig
//!
//! The crate `async-tool-rig` supports [rig](https://docs.rs/rig-core) in three ways. Its tests compile these lines.
//!
//! A rig model in an [`AsyncAgent`](crate::AsyncAgent):
//!
//! ```ignore
//! let model = RigModel::new(OpenAIConfig::from_env()?.client().completion("gpt-5.2"));
//! let agent = AsyncAgent::builder(model, manager).start().await?;
//! ```
//!
//! A rig agent with its loop, wrapped in an `AsyncAgent`:
//!
//! ```ignore
//! let rig = AgentBuilder::new(model).preamble("Be brief.").build();
//! let agent = AsyncAgent::wrap(RigAgent::new(rig), manager).start().await?;
//! ```
//!
//! Your own loop around a rig agent, with a manager's tools:
//!
//! ```ignore
//! let background = BackgroundTools::new(manager, SessionId::new("user-7"));
//! let agent = AgentBuilder::new(model).dynamic_tools(background.tools()?).default_max_turns(8).build();
//! let mut response = agent.prompt("What is known about bees?").await?;
//! let mut history = std::mem::take(&mut response.messages);
//! while let Some(late) = background.next().await {
//!     response = agent.prompt(late).history(history.clone()).await?;
//!     history.append(&mut response.messages);
//! }
//! println!("{}", response.output());
//! ```
