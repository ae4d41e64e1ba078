//! Sessions whose process ends, and that another process resumes.

mod backends;
mod calls;
mod changed_tools;
mod checkpoints;
mod clocks;
mod completion;
mod deadlines;
mod dropped_runtime;
mod external;
mod finished_agents;
mod known_results;
mod ownership;
mod process;
mod questions;
mod reconciliation;
mod snapshots;
mod sub_agents;
mod traces;

pub(super) use process::listener;
