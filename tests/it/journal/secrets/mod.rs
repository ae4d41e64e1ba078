//! Secrets, which no journal holds.

mod hook;
mod journal;
mod restart;
mod vault;
