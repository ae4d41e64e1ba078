//! The agent's machine against a simulated world: every invariant is checked after every step.

mod books;
mod exploration;
mod invariants;
mod previews;
mod sim;
mod teeth;

pub(crate) use books::Books;
pub(crate) use exploration::sample_of;
pub(crate) use sim::check_answers;
