//! Journals that fail, sessions that are taken up from them, and secrets that stay out of them.

mod failures;
mod recovery;
mod secrets;
mod suite;
