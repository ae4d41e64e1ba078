//! The `testing` module itself, on whole agents.

pub(crate) mod explored;
