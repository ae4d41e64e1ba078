//! Tests of the model against a scripted server, over real connections.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod conversation;
mod failures;
mod names;
mod open_calls;
mod server;
mod settings;
mod streams;
mod texts;
mod wire;
