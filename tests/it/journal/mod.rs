//! Failing journals, the suite for journals, resumed sessions, and secrets that no journal holds.

mod failures;
mod recovery;
mod secrets;
mod suite;
mod too_deep;
