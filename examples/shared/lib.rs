//! What the programs share: tools that read a directory tree, the agent that calls them, and the records of what agents
//! and managers did.

pub mod assistant;
mod axis;
pub mod chart;
pub mod console;
mod language;
pub mod lineage;
pub mod outline;
mod reading;
pub mod schedule;
pub mod story;
pub mod timeline;
pub mod tools;
pub mod tree;
