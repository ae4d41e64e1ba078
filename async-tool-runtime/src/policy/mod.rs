//! What stands between a call and its function: one file per policy.
//!
//! The path of a call is a [`tower_service::Service`] over [`ToolRequest`]; a policy is a [`tower_layer::Layer`] around it.
//! Outermost first: approval, caches, single flight, conflicts, slots (`manager/queue.rs`), breaker, retry, rate, and the attempt itself with
//! its timeout and panic guard (`attempt.rs`).
//!
//! # Invariants
//!
//! 1. A policy that a tool doesn't have is not in its path.
//! 2. A call that waits (for a rate, a resource, another call, a pause between attempts) holds no slot.
//! 3. Dropping a call at any point leaves no policy with a count, a flight or a probe that nobody ends.
//!
//! Absent on purpose: who gets a slot (`manager/queue.rs`), and what a model is told (`agent/`).

mod approval;
mod attempt;
mod breaker;
mod cache;
mod claim;
mod conflict;
mod dedupe;
mod flight;
mod key;
mod path;
mod priority;
mod rate;
mod resource;
mod retry;
mod semantic;
mod service;
mod slots;

pub use approval::Approval;
pub use breaker::BreakerPolicy;
pub use cache::CachePolicy;
pub use dedupe::{Dedupe, Scope};
pub use priority::Priority;
pub use rate::RateLimit;
pub use resource::ResourceArgument;
pub use retry::RetryPolicy;
pub use semantic::{Embedder, SemanticCache};
pub use service::{ToolRequest, ToolService};

pub(crate) use attempt::{Attempt, Quarantine, wait_for_resolution};
pub(crate) use breaker::Breaker;
pub(crate) use claim::{Claim, Conflicts};
pub(crate) use key::{CallKey, canonical};
pub(crate) use path::{Around, Path, Paths, paths};
pub(crate) use service::{CANCELLED, GRACE_SLACK, HostLayer, past_deadline, too_late};
