//! End-to-end tests, and the agent's machine in a simulated world.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod agent;
mod binding;
mod calls;
mod chains;
mod closing;
mod costs;
mod defects;
mod delivery;
mod dialects;
mod explored;
mod futures;
mod grace;
mod guard;
mod held;
mod journal_failures;
mod journal_suite;
mod manager;
mod methods;
#[path = "../model_based/mod.rs"]
mod model_based;
mod observability;
mod policies;
mod pruning;
mod recovery;
mod runs;
mod schema_agreement;
mod secrets;
mod sharing;
mod stage;
mod steering;
mod sub_agents;
mod task_tool;
mod tools;
mod waking;
mod watch;
mod whole_agents;
