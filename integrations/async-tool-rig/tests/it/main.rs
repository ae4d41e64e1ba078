//! Tests of the crate against a server on this machine, which answers as OpenAI's and Anthropic's do.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod agent;
mod background;
mod failures;
mod media;
mod model;
mod page;
mod server;
mod tools;
mod turns;
