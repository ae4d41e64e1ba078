//! Conversation as the model sees it: messages, deliveries, and pruning to the model's context.
//!
//! ```
//! # use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner, async_tool, tools};
//! use async_tool_runtime::{Message, context::PrunePolicy};
//! # /// Adds two numbers.
//! # #[async_tool(effect = "read")]
//! # fn add(a: i64, b: i64) -> i64 {
//! #     a + b
//! # }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
//! let agent = AsyncAgent::builder(RulePlanner::new(), manager).prune(PrunePolicy::new(60_000)).start().await?;
//! agent.send("add a=2 b=3").await?;
//! agent.run_until_idle().await?;
//! let transcript = agent.transcript().await?;
//! assert!(matches!(&*transcript[0], Message::User { text, .. } if text == "add a=2 b=3"));
//! assert!(matches!(&*transcript[1], Message::Assistant { calls, .. } if &*calls[0].name == "add"));
//! assert!(matches!(&*transcript[2], Message::Answers(answers) if answers[0].to_model_json() == 5));
//! # agent.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Invariants
//!
//! 1. A transcript only grows, because providers cache prompts by their prefix.
//! 2. All answers to a turn's calls are one message, directly after the message with the calls, and nothing else is in it. Every
//!    provider without native async requires this. Models that see other text there learn to end their turns early.
//! 3. A result that is shown only in part says so, with the size of the whole. An invisible cut would show the model a result that
//!    doesn't exist.
//! 4. Tool output is either the answer to its call or part of a [`Message::Delivery`]; never part of a user message.
//! 5. Pruning works on a copy. A marker of two positions and a text records it, so the same transcript always gives the same view.
//!    A marker only moves forward.
//! 6. Only whole turns are pruned: a call is never separated from its answer. Inside a turn only results change. Messages that the
//!    model has not seen are never pruned. Their large parts are cut ([`Cut`]) if a turn would add too much, or if the model refuses
//!    the conversation as too long.
//! 7. A view changes only when it is pruned, and otherwise grows at its end. So the status of running tasks in it stays as it was
//!    written.
//!
//! Absent on purpose: summaries by a model. They cost a turn, and their mistakes can't be told apart from facts.

mod collapse;
mod cut;
pub(crate) mod frames;
mod guarded_tokens;
pub(crate) mod likeness;
mod prune;
mod said;
mod shrink;
mod stand_in;
mod status;
mod tail;
#[cfg(feature = "tokenizer")]
mod tokenizer;
mod tokens;
mod transcript;
mod window;

pub use frames::{frame_results, new_nonce};
pub(crate) use guarded_tokens::GuardedTokens;
pub use prune::{Cut, PrunePolicy, Pruned, pruned_view};
pub(crate) use said::Said;
pub use said::{AnswerMedia, SaidPart, said_media};
pub(crate) use shrink::unseen;
pub(crate) use status::redescribe;
pub use status::{RunningTask, StatusLimit, status_block};
#[cfg(feature = "tokenizer")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokenizer")))]
pub use tokenizer::BpeTokens;
pub use tokens::{ApproximateTokens, TokenEstimator};
pub use transcript::{Answer, AnswerContent, Message, Transcript};
pub use window::ContextWindow;
