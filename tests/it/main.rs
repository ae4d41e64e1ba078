//! End-to-end tests, and the agent's machine in a simulated world.

mod agent;
mod defects;
mod gates;
mod manager;
#[path = "../model_based/mod.rs"]
mod model_based;
