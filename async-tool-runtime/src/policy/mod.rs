//! Rules for the calls of a tool: one file per policy.
//!
//! A policy is state and rules. It is told of calls and of the time, and says whether a call may go on, when, and with which value. The settings
//! are the tool's; the layers that ask a policy on the way of a call are the manager's (`manager/path/`).
//!
//! # Invariants
//!
//! 1. No policy knows how a task runs: the same rules hold wherever its function is.
//! 2. Whatever a policy counts or keeps for a call is given back where its guard is dropped, so a call may be dropped at any point.
//!
//! Absent on purpose: who gets a slot (`manager/queue.rs`), and what a model is told (`agent/`).

mod breaker;
#[cfg(feature = "cache")]
mod cache;
mod claim;
mod key;
mod random;
mod rate;
mod retry;
mod semantic;

pub use crate::tool::{
    Approval, BreakerPolicy, CachePolicy, Dedupe, Embedder, Priority, RateLimit, ResourceArgument, RetryPolicy, Scope,
    SemanticCache,
};

pub(crate) use breaker::Breaker;
#[cfg(feature = "cache")]
pub(crate) use cache::ValueCache;
pub(crate) use claim::{Claim, Conflicts, Held, Mode, Refusal, Resource, Wants};
pub(crate) use key::{CallKey, canonical};
#[cfg(any(test, feature = "testing"))]
pub(crate) use random::Replaced;
pub(crate) use random::random;
pub(crate) use rate::RateLimiter;
pub(crate) use semantic::MeaningCache;
