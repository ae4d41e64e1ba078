//! Failing and wrapping journals, the suite for journals, owners of sessions, resumed sessions, results that come twice, and secrets that no
//! journal holds.

mod failures;
mod formats;
mod one_owner;
mod ownership;
mod recovery;
mod secrets;
mod suite;
mod too_deep;
mod twice;
mod wrapped;
