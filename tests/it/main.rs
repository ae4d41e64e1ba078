//! End-to-end tests, and the agent's machine in a simulated world.

mod defects;
mod gates;
#[path = "../model_based/mod.rs"]
mod model_based;
