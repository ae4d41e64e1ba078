//! The model against a server that plays a script, with the bytes that go over the wire.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod conversation;
mod failures;
// The gates that the runtime is tested with.
#[path = "../../../../tests/it/gates.rs"]
mod gates;
mod server;
mod wire;
