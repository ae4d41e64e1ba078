#![doc = include_str!("../README.md")]

#[cfg(feature = "agent")]
mod agent;
mod background;
mod blocks;
mod failure;
mod late;
mod lower;
mod media;
#[cfg(feature = "agent")]
mod memory;
mod model;
mod offered;
mod turn;

#[cfg(feature = "agent")]
pub use agent::RigAgent;
pub use background::BackgroundTools;
pub use late::LateResults;
pub use model::RigModel;
/// The crates of rig's whose types are in the signatures here, in the same versions.
#[cfg(feature = "agent")]
pub use rig_agent;
pub use rig_core;
