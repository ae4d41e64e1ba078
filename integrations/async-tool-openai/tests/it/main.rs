//! The model against a server that plays a script, with the bytes that go over the wire.

mod conversation;
mod failures;
mod gates;
mod server;
mod wire;
