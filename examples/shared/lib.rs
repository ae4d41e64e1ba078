//! What the programs share: tools that read a directory tree, the agent that calls them, the records of what agents and
//! managers did, and an embedder.

pub mod assistant;
mod axis;
pub mod chart;
pub mod console;
pub mod embedder;
mod language;
pub mod lineage;
pub mod model;
pub mod outline;
mod reading;
pub mod schedule;
pub mod story;
pub mod timeline;
pub mod tools;
pub mod tree;
