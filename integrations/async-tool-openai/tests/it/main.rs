//! Tests of the model against a scripted server, over real connections.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod conversation;
mod failures;
mod server;
mod wire;
