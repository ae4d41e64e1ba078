//! Calls of the `task` tool, by action, and the answers to calls that make no sense.

mod cancel;
mod offer;
mod page;
mod reports;
mod result;
mod send;
mod session;
mod wait;
