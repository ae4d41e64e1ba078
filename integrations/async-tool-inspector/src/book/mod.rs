//! A session as the page shows it: turns, tasks with their phases, deliveries.
//!
//! # Invariants
//!
//! 1. What a journal tells comes from its entries alone, which have no secrets. Events add only what no journal has: waits, attempts,
//!    progress, and the running turn's text.
//! 2. Phases are computed from changes that are sorted by their times. So an event that comes after a later one changes the past, and not the
//!    present.
//! 3. Everything is bounded: texts are cut, and a task keeps a bounded number of changes. Whole values are read from the journal again.
//!
//! Absent on purpose: the fold of the library (`Ledger`). It refuses entries that break a promise, and a display shows those too.

mod delivery;
mod phase;
mod session_book;
mod task;
mod totals;
mod turn;
mod words;

pub(crate) use delivery::{Delivery, Mark, UserMessage};
pub(crate) use phase::{Change, What};
pub(crate) use session_book::SessionBook;
pub(crate) use task::Task;
pub(crate) use totals::Totals;
pub(crate) use turn::Turn;
pub(crate) use words::{cut, waits_text};
