//! A session, played against the machine again.
//!
//! A journal holds what was decided, and most of what it was decided on. From the entries come the inputs that the machine had, and the
//! machine's entries must be those of the journal, to the letter.
//!
//! # Invariants
//!
//! 1. An entry passes only if the machine, in the state to which the entries before it have led, writes it.
//! 2. What a journal can't tell is taken as given in one place, `moment.rs`, and nowhere else: a decision that could be made again is.

mod divergence;
mod guess;
mod moment;
mod search;
mod session;
mod turns;

pub use divergence::Divergence;
pub use session::{Replayed, SessionReplay};
