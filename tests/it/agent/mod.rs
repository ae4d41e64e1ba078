//! Whole agents, and the machine inside.

mod chains;
mod closing;
mod costs;
mod delivery;
mod dropped;
mod empty_turns;
mod events;
mod frames;
mod grace;
mod guard;
mod logs;
pub(crate) mod machine;
mod model_failures;
mod panics;
mod parked;
mod questions;
mod runs;
mod session;
mod sharing;
mod sub_agents;
mod task_tool;
mod tokens;
mod too_large;
mod waiting_for_agents;
mod waiting_for_oneself;
mod waking;
mod whole_agents;
