//! The conversation, as the model is shown it.
//!
//! # Invariants
//!
//! 1. A transcript is only ever added to: providers cache prompts by their prefix.
//! 2. The answers to a turn's calls stand in one message, directly after the message that made the calls, and nothing else
//!    stands in it. Every provider without native async wants this, and models that see other text there learn to end
//!    their turns early.
//! 3. A result of which the model is shown only the beginning says so, and how large the whole is: a cut that can't be seen is a
//!    result that doesn't exist.
//! 4. What tools produced is either the answer to its call or in a [`Message::Delivery`]; never in a user message.

//! 5. Pruning works on a copy. What it did is a marker of two places and a text, so the same transcript gives the same view wherever
//!    it is read again; and a marker only goes forward.
//! 6. What is pruned is whole turns: a call is never parted from its answer, and what a turn is made of is never changed but for
//!    the results in it. What the model has not seen yet is never pruned.
//! 7. A view changes only where it is pruned, and grows at its end otherwise: also the status of what runs stays as it was
//!    written.
//!
//! Absent on purpose: summaries by a model. They cost a turn, and what is wrong in them can't be told from what was said.

mod collapse;
pub(crate) mod frames;
pub(crate) mod likeness;
mod prune;
mod stand_in;
mod status;
#[cfg(feature = "tokenizer")]
mod tokenizer;
mod tokens;
mod transcript;
mod window;

pub use prune::{PrunePolicy, Pruned, pruned_view};
pub(crate) use status::redescribe;
pub use status::{RunningTask, StatusLimit, status_block};
#[cfg(feature = "tokenizer")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokenizer")))]
pub use tokenizer::BpeTokens;
pub use tokens::{ApproximateTokens, TokenEstimator};
pub use transcript::{Answer, AnswerContent, Message, Transcript};
pub use window::ContextWindow;
