//! Tests of the inspector's router, without a browser. Those of the page are in `tests/inspector` of the repository.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod acts;
mod events;
mod files;
mod redaction;
mod safety;
mod server;
mod stand;
mod views;
