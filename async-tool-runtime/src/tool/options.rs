//! How the calls of a tool are to be run.

mod approval;
mod breaker;
mod cache;
mod dedupe;
mod delivery;
mod priority;
mod rate;
mod resource;
mod retry;
mod semantic;

use std::{sync::Arc, time::Duration};

pub(crate) use self::resource::check_argument;
pub use self::{
    approval::Approval,
    breaker::BreakerPolicy,
    cache::CachePolicy,
    dedupe::{Dedupe, Scope},
    delivery::DeliveryPolicy,
    priority::Priority,
    rate::RateLimit,
    resource::ResourceArgument,
    retry::RetryPolicy,
    semantic::{Embedder, SemanticCache},
};
use super::{
    effect::{Background, Effect},
    reconcile::Reconciler,
};

/// How the calls of a tool are to be run. Everything has a default; `None` means the manager's or agent's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolOptions {
    /// What a call does to the world. Default: [`Effect::Once`].
    pub effect: Effect,
    /// Whether a call may outlive the turn. Default: [`Background::Auto`].
    pub background: Background,
    /// How long the end of a turn waits for the result before it acknowledges the call. Default: the agent's.
    pub grace: Option<Duration>,
    /// How long an attempt may run, from its start. Default: the manager's. A tool that has taken its
    /// [token](crate::tool::ToolContext::cancellation) has the manager's cancel grace on top, in which it may tidy up, and a value
    /// that it gives then still counts. An async function that blocks its thread can't be timed out before it returns.
    pub timeout: Option<Duration>,
    /// Whether and when a call that failed is tried again. Default: never.
    pub retry: Option<RetryPolicy>,
    /// How many calls of the tool run at once. Default: as many as the manager runs.
    pub concurrency: Option<usize>,
    /// How many calls may start in a span of time. Default: any number.
    pub rate: Option<RateLimit>,
    /// When a tool that fails is left alone for a while. Default: never.
    pub breaker: Option<BreakerPolicy>,
    /// Which tasks get a slot first. Default: [`Priority::Normal`].
    pub priority: Priority,
    /// Which values are given again without running the function. Default: none.
    pub cache: Option<CachePolicy>,
    /// Which values are given again to calls that mean the same. Default: none.
    pub semantic_cache: Option<SemanticCache>,
    /// What happens to a call while the same one is still open. Default: [`Dedupe::Allow`].
    pub dedupe: Dedupe,
    /// Between whose calls values and running calls are shared. Default: [`Scope::Session`].
    pub scope: Scope,
    /// Which arguments name what a call reads. Of two tasks that conflict, because one writes what the other reads or writes, the later one
    /// waits for the earlier one's end; readers don't conflict. Default: none.
    pub reads: Vec<ResourceArgument>,
    /// Which arguments name what a call writes; see [`reads`](Self::reads). Default: none.
    pub writes: Vec<ResourceArgument>,
    /// Whether the value of an argument may be a [future](crate::task::FutureArgument), which stands for what another task will give. Default: no.
    pub futures: bool,
    /// Which calls the host must approve. Default: none.
    pub approval: Approval,
    /// How the tool finds out what became of a call that must not happen twice, if the process that ran it has ended. Default: it
    /// doesn't, and the model is told that nobody knows.
    pub reconcile: Option<Reconciler>,
    /// Which arguments hold secrets, by the names that the model writes. The session's journal is given [`REDACTED`](crate::agent::REDACTED) in their
    /// place; see [`Redact`](crate::agent::Redact) for what that covers. Default: none.
    pub sensitive_arguments: Vec<Arc<str>>,
    /// Whether what the tool gives is a secret, which the session's journal is not given. Default: no.
    pub sensitive_result: bool,
    /// When a late result enters the conversation. Default: the agent's.
    pub delivery: Option<DeliveryPolicy>,
    /// How many bytes of a result's JSON the model is given; of a larger one it gets a preview and a handle. Default: the manager's.
    pub result_limit: Option<usize>,
}

impl ToolOptions {
    /// The defaults.
    pub const DEFAULT: &'static Self = &Self {
        effect: Effect::Once,
        background: Background::Auto,
        grace: None,
        timeout: None,
        retry: None,
        concurrency: None,
        rate: None,
        breaker: None,
        priority: Priority::Normal,
        cache: None,
        semantic_cache: None,
        dedupe: Dedupe::Allow,
        scope: Scope::Session,
        reads: Vec::new(),
        writes: Vec::new(),
        approval: Approval::Never,
        reconcile: None,
        delivery: None,
        futures: false,
        sensitive_arguments: Vec::new(),
        sensitive_result: false,
        result_limit: None,
    };
}
