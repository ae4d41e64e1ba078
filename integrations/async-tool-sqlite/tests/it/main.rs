//! Tests of the journal in its file. The binary is also the child process of some tests.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod agents;
mod basics;
mod blobs;
mod chains;
mod checksums;
mod compaction;
mod concurrency;
mod conformance;
mod damage;
mod ended;
mod files;
mod fixture;
mod gone;
mod handover;
mod killed;
mod killed_agents;
mod memory;
mod memory_search;
mod memory_tools;
mod owners;
mod power;
mod processes;
mod recorded;
mod removal;
mod tools;
mod versions;
mod worlds;
