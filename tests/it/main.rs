//! End-to-end tests, and the agent's machine in a simulated world.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod agent;
mod binding;
mod calls;
mod costs;
mod defects;
mod delivery;
mod dialects;
mod explored;
mod futures;
mod guard;
mod held;
mod manager;
mod methods;
#[path = "../model_based/mod.rs"]
mod model_based;
mod observability;
mod policies;
mod pruning;
mod schema_agreement;
mod steering;
mod sub_agents;
mod tools;
mod watch;
mod whole_agents;
