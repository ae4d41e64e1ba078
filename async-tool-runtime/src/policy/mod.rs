//! Settings that keep a tool in bounds: retries, rate limits, breakers, caches, duplicates, approval.
//!
//! Each setting is a field of [`ToolOptions`](crate::tool::ToolOptions), set by the attribute or on the tool:
//!
//! ```
//! use async_tool_runtime::{
//!     async_tool, policy::{BreakerPolicy, Dedupe, RateLimit, RetryPolicy}, Tool, ToolError,
//! };
//! use std::time::Duration;
//!
//! /// Lists the open issues of a repository.
//! #[async_tool(effect = "read", retry(attempts = 4), rate(limit = "100/min"))]
//! async fn open_issues(repository: String) -> Result<Vec<String>, ToolError> {
//!     Ok(vec![format!("{repository}#1")])
//! }
//!
//! let tool = open_issues::tool()
//!     .rate(RateLimit::new(10, Duration::from_secs(1))) // In place of the attribute's.
//!     .breaker(BreakerPolicy::new(5, Duration::from_secs(30)))
//!     .dedupe(Dedupe::Share);
//!
//! let options = tool.options();
//! assert_eq!(options.retry, Some(RetryPolicy::new(4)));
//! assert_eq!(options.rate.as_ref().map(|rate| rate.calls), Some(10));
//! ```
//!
//! Each file holds one policy: its state and its rules. The manager tells a policy of calls and of the time. The policy says if a call
//! may go on, when, and with which value. The settings are in `tool/options/`, and the layers that ask the policies in `manager/layers/`.
//!
//! # Invariants
//!
//! 1. No policy knows how a task runs, so the same rules hold wherever its function runs.
//! 2. A guard holds everything that a policy counts or keeps for a call, and gives it back on drop. So a call may be dropped at any point.
//!
//! Deliberately absent: the assignment of slots (`manager/queue.rs`), and texts for the model (`agent/`).

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
pub use breaker::BreakerState;
#[cfg(feature = "cache")]
pub(crate) use cache::ValueCache;
pub(crate) use claim::{Claim, Conflicts, Held, Mode, Refusal, Resource, Wants};
pub(crate) use key::{CallKey, canonical, is_same};
#[cfg(any(test, feature = "testing"))]
pub(crate) use random::Replaced;
pub(crate) use random::random;
pub(crate) use rate::RateLimiter;
pub(crate) use semantic::MeaningCache;
