//! The adapter against a server that answers with the providers' own bytes.

// Helpers of tests are tests too, which clippy can't see.
#![allow(clippy::unwrap_used)]

mod caching;
mod calls;
mod failures;
mod json_mode;
mod keys;
mod pairing;
mod server;
mod turns;
mod wire;
