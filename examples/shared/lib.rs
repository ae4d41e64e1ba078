//! Shared parts of the programs: tools that read a directory tree, the agent that calls them, records of agents and managers, and
//! an embedder.

pub mod assistant;
mod axis;
pub mod chart;
pub mod console;
pub mod embedder;
pub mod inspect;
mod language;
mod layout;
pub mod lineage;
pub mod model;
pub mod outline;
pub mod pulse;
mod reading;
pub mod schedule;
pub mod story;
pub mod timeline;
pub mod tools;
pub mod tree;
