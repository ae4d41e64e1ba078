//! The manager by itself.

mod observability;
mod steering;
mod tasks;
