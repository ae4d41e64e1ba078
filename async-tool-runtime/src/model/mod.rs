//! Interface to language models: a request goes in, a stream of events comes out.
//!
//! ```
//! use async_tool_runtime::{AsyncAgent, AsyncToolManager, Message, Model, model::{ModelRequest, ModelStream}};
//!
//! /// Repeats the user's last message.
//! struct Parrot;
//!
//! impl Model for Parrot {
//!     fn generate(&self, request: ModelRequest) -> ModelStream {
//!         ModelStream::text(request.last_user_text().unwrap_or_default())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let agent = AsyncAgent::builder(Parrot, AsyncToolManager::builder().build()?).start().await?;
//! agent.send("hello").await?;
//! agent.run_until_idle().await?;
//! let transcript = agent.transcript().await?;
//! assert!(matches!(&*transcript[1], Message::Assistant { text, .. } if text == "hello"));
//! # agent.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`from_fn`] makes a model of a closure. The page ["Ways in"](crate::ways_in#a-client-of-your-own) translates a request for a client of yours.
//!
//! # Invariants
//!
//! 1. A turn is complete only after [`ModelEvent::Done`]. A stream that ends without it has failed, however cleanly the connection
//!    was closed, and no tool with effects has been started for it.
//! 2. Data that a provider wants back unchanged (signatures, reasoning items) travels in `provider` fields, which no code here reads.
//! 3. No error of a model holds a key that [`without_keys`] finds: every constructor of [`ModelError`] calls it. So it holds for each adapter,
//!    and for each reader of the error.
//!
//! Absent on purpose: HTTP and providers. The adapters are crates of their own.

mod capabilities;
mod error;
mod event;
mod from_fn;
mod keys;
mod language_model;
mod request;

pub use capabilities::Capabilities;
pub use error::ModelError;
pub use event::{ModelEvent, ModelStream, StopReason, TurnEnd, Usage};
pub use from_fn::{ModelFn, from_fn};
pub use keys::without_keys;
pub(crate) use keys::words_of;
pub use language_model::Model;
pub use request::ModelRequest;
