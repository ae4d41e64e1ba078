//! Tests of the tools, the messages and the visits. Those in `live` need AWS or a stand-in with the deployment, and say if they are skipped.

#![allow(
    clippy::unwrap_used,
    reason = "a test may panic, and clippy only knows the functions with `#[test]`"
)]

mod faults;
mod faulty;
mod live;
mod settling;
mod told;
mod visits;
