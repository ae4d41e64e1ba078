//! Whole agents, and the machine inside.

mod chains;
mod closing;
mod costs;
mod defects;
mod delivery;
mod grace;
mod guard;
pub(crate) mod machine;
mod runs;
mod session;
mod sharing;
mod sub_agents;
mod task_tool;
mod waking;
mod whole_agents;
