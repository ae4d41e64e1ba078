//! The manager by itself.

pub(crate) mod observability;
mod steering;
mod tasks;
