//! Tests of the journal against a server. `tests/aws/run` starts one and runs those that are ignored otherwise. The binary is also the child
//! process of some tests.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod agents;
mod answers;
mod blobs;
mod conformance;
mod faults;
mod fixture;
mod killed;
mod large;
mod owners;
mod processes;
mod proxy;
mod refusals;
mod tables;
