//! The `testing` module itself, on whole agents.

mod explored;
