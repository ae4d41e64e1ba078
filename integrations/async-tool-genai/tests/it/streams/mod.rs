//! Streams that compatible servers really send: no call of them may be lost, doubled or emptied.
//!
//! Each case is a stream, and the calls that must come out of it. Every stream is read whole and byte by byte,
//! with and without a byte order mark, and with each kind of line ends.

mod agent;
mod anthropic;
mod chat;
mod kept;
mod others;
mod played;
mod responses;
mod servers;
