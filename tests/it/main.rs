//! End-to-end tests, a folder for each area of the runtime crate.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod agent;
mod context;
mod journal;
mod manager;
mod policy;
pub mod programs;
mod schema;
mod stand;
mod testing;
mod tool;
mod web_service;
