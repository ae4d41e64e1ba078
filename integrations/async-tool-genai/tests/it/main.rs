//! The adapter against a server that answers with the providers' own bytes.

mod caching;
mod calls;
mod failures;
mod json_mode;
mod keys;
mod pairing;
mod server;
mod turns;
mod wire;
