//! What the programs share: tools that read a directory tree, the agent that calls them, and the record of what it did.

pub mod assistant;
mod axis;
pub mod chart;
pub mod console;
mod language;
mod reading;
pub mod schedule;
pub mod story;
pub mod timeline;
pub mod tools;
pub mod tree;
