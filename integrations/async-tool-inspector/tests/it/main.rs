//! Tests of the inspector's router, without a browser. Those of the page are in `tests/inspector` of the repository.

mod acts;
mod events;
mod files;
mod redaction;
mod safety;
mod server;
mod stand;
mod views;
