//! The `testing` module itself, on whole agents.

mod backends;
pub(crate) mod explored;
