//! Tests of the adapter against a server that answers with the providers' own bytes.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod agent;
mod caching;
mod calls;
mod embeddings;
mod failures;
mod json_mode;
mod keys;
mod media;
mod pairing;
mod reasoning;
mod server;
mod settings;
mod streams;
mod turns;
mod wire;
