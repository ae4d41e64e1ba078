//! The journal in its file: one binary, which is also the other process of some tests.

mod agents;
mod basics;
mod chains;
mod compaction;
mod concurrency;
mod damage;
mod files;
mod fixture;
mod killed;
mod owners;
mod processes;
mod tools;
