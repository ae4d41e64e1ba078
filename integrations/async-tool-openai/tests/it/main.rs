//! The model against a server that plays a script, with the bytes that go over the wire.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod conversation;
mod failures;
mod server;
mod wire;
