//! What the model is shown.
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

mod transcript;

pub use transcript::{Answer, AnswerContent, Message, Transcript};
