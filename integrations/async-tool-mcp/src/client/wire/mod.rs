//! rmcp's client behind a boundary of our own: connections, requests, notifications. No other file of the client names rmcp.
//!
//! # Invariants
//!
//! 1. Requests and results are JSON here. rmcp's types of results are unions that take what fits first; the files above read results
//!    by the method that was asked, and by the type that they say they have.
//! 2. A request that is dropped tells the server so: by `notifications/cancelled`, or by the end of its HTTP stream.

mod connection;
mod handler;
mod in_flight;
mod open;
mod pending;
mod transport;

pub(super) use connection::{Connection, News};
pub(super) use in_flight::{Ask, Report};
pub(super) use open::{OpenError, open};
pub(super) use pending::{Limits, Pending, Step};
