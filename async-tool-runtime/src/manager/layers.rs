//! The layers of a call: what stands between it and its function, put together for each tool.
//!
//! A layers is a [`tower_service::Service`] over [`ToolRequest`]; each file of `layers/` is a [`tower_layer::Layer`] around it that asks a policy.
//! Outermost first: approval, caches, single shared_run, conflicts, slots (`manager/queue.rs`), breaker, retry, rate, and the attempt itself with
//! its timeout and panic guard (`attempt.rs`).
//!
//! # Invariants
//!
//! 1. A policy that a tool doesn't have is not in its layers.
//! 2. A call that waits (for a rate, a resource, another call, a pause between attempts) holds no slot.
//! 3. Dropping a call at any point leaves no policy with a count, a shared_run or a probe without an end.

mod approval;
mod attempt;
mod breaker;
#[cfg(feature = "cache")]
mod cache;
mod conflict;
mod rate;
mod retry;
mod semantic;
mod service;
mod shared_run;
mod slots;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use tower_layer::Layer;

#[cfg(feature = "cache")]
use self::cache::CacheLayer;
pub use self::service::{ToolRequest, ToolService};
use self::{
    approval::ApprovalLayer, conflict::ConflictLayer, retry::RetryLayer, semantic::SemanticLayer,
    shared_run::SharedRunLayer, slots::SlotLayer,
};
pub(crate) use self::{
    attempt::{Attempt, wait_for_resolution},
    service::{CANCELLED, GRACE_SLACK, HostLayer, past_deadline, too_late},
};
use super::quarantine::Quarantine;
use crate::{
    policy::{Breaker, Conflicts, RateLimiter},
    tool::{
        Approval, Dedupe, Effect, RateLimit, RegistryError, StateMap, Tool, ToolOptions, ToolRegistry, check_argument,
    },
};

/// The way of the calls of one tool.
pub(crate) struct ToolLayers {
    pub(crate) options: ToolOptions,
    pub(crate) attempt: Attempt,
    /// Services that run with a slot: breaker, retry, rate and the host's inner layers around the attempt. `None` where there is nothing but
    /// the attempt.
    pub(crate) inner: Option<ToolService>,
    /// Services that run before there is a slot, around all of it. `None` where there is nothing: then a task that waits is data, and not
    /// a future.
    pub(crate) outer: Option<ToolService>,
    pub(crate) breaker: Option<Breaker>,
    /// Layer of `outer` that claims resources, where a call claims them when it is submitted.
    pub(crate) early_claims: Option<ConflictLayer>,
    /// True if the function runs on a backend.
    pub(crate) is_remote: bool,
    /// The queue's lane; see `manager/queue.rs`.
    pub(crate) lane: usize,
    /// Bytes of a result that the model is given.
    pub(crate) result_limit: Option<usize>,
}

impl ToolLayers {
    /// True if a call may have its result without a slot, and before it wants one, no people are asked and no call is stopped for it.
    pub(crate) fn may_need_no_slot(&self) -> bool {
        let ToolOptions {
            cache,
            semantic_cache,
            dedupe,
            approval,
            ..
        } = &self.options;
        let others_may_have_it = cache.is_some() || semantic_cache.is_some() || *dedupe == Dedupe::Share;
        others_may_have_it && *dedupe != Dedupe::Replace && *approval == Approval::Never
    }
}

impl fmt::Debug for ToolLayers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolLayers")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Settings that all all_layers share.
pub(crate) struct Around {
    pub(crate) states: Arc<StateMap>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) cancel_grace: Duration,
    pub(crate) result_limit: Option<usize>,
    pub(crate) quarantine: Arc<Quarantine>,
    pub(crate) conflicts: Conflicts,
    /// The host's layers, outermost first.
    pub(crate) outer: Vec<HostLayer>,
    pub(crate) inner: Vec<HostLayer>,
    /// Service that runs calls on a backend, where the manager has one.
    pub(crate) remote: Option<ToolService>,
}

/// The all_layers of all tools by name, and the limits of the lanes.
pub(crate) type LayersByTool = HashMap<Arc<str>, Arc<ToolLayers>>;

/// Puts the all_layers together.
pub(crate) fn build_all(registry: &ToolRegistry, around: &Around) -> Result<(LayersByTool, Vec<usize>), RegistryError> {
    let mut lanes = Vec::new();
    let mut shared_rates = BTreeMap::new();
    let mut layers = LayersByTool::default();
    for definition in registry.definitions().iter() {
        let name = &definition.name;
        let Some(tool) = registry.find(name) else { continue };
        let options = tool.options().clone();
        let resources = || check_arguments(&options, &definition.input_schema);
        let checked = check(&options).and_then(|()| resources());
        checked.map_err(|problem| RegistryError::new(name, problem))?;
        let lane = match options.concurrency {
            Some(limit) => {
                lanes.push(limit);
                lanes.len()
            }
            None => 0,
        };
        let limiter = match &options.rate {
            Some(rate) => Some(limiter(rate, name, &mut shared_rates)?),
            None => None,
        };
        layers.insert(Arc::clone(name), Arc::new(build(tool, options, lane, limiter, around)));
    }
    Ok((layers, lanes))
}

fn build(
    tool: &Arc<dyn Tool>,
    options: ToolOptions,
    lane: usize,
    limiter: Option<RateLimiter>,
    around: &Around,
) -> ToolLayers {
    let name = &tool.definition().name;
    let timeout = options.timeout.or(around.timeout);
    let attempt = Attempt::new(
        Arc::clone(tool),
        Arc::clone(&around.states),
        timeout,
        around.cancel_grace,
        Arc::clone(&around.quarantine),
    );
    if options.retry.is_some() && !options.effect.is_repeatable() {
        tracing::info!(
            tool = &**name,
            "the tool's effect is `once`: it is tried again only after errors that say that nothing was started"
        );
    }
    let breaker = options.breaker.map(|policy| Breaker::new(Arc::clone(name), policy));

    let mut inner = Stack::new(attempt.service());
    for layer in around.inner.iter().rev() {
        inner.add(layer);
    }
    if let Some(limiter) = &limiter {
        inner.add(limiter);
    }
    if let Some(policy) = options
        .retry
        .filter(|policy| policy.attempts > 1 || policy.total.is_some())
    {
        let effect = options.effect;
        inner.add(&RetryLayer {
            policy,
            effect,
            cancel_grace: around.cancel_grace,
        });
    }
    if let Some(breaker) = &breaker {
        inner.add(breaker);
    }

    let core = match (&around.remote, &limiter) {
        (None, _) => inner.service.clone(),
        (Some(remote), None) => remote.clone(),
        // A worker counts its own attempts; what all workers get is counted here.
        (Some(remote), Some(limiter)) => limiter.layer(remote.clone()),
    };
    let mut outer = Stack::new(SlotLayer.layer(core));
    let conflict = ConflictLayer::new(&around.conflicts, &options, &tool.definition().input_schema);
    if let Some(conflict) = &conflict {
        outer.add(conflict);
    }
    if options.dedupe == Dedupe::Share {
        outer.add(&SharedRunLayer::new(options.scope));
    }
    if let Some(policy) = &options.semantic_cache {
        outer.add(&SemanticLayer::new(policy.clone(), options.scope));
    }
    #[cfg(feature = "cache")]
    if let Some(policy) = &options.cache {
        outer.add(&CacheLayer::new(policy, options.scope));
    }
    if options.approval != Approval::Never {
        outer.add(&ApprovalLayer(options.approval.clone()));
    }
    for layer in around.outer.iter().rev() {
        outer.add(layer);
    }
    ToolLayers {
        attempt,
        // Caches and shared_runs take no time of their own. People, embedders and the host's layers may take any, in which others can go on.
        early_claims: conflict.filter(|_| {
            options.approval == Approval::Never && options.semantic_cache.is_none() && around.outer.is_empty()
        }),
        inner: inner.used(),
        outer: outer.used(),
        breaker,
        is_remote: around.remote.is_some(),
        lane,
        result_limit: options.result_limit.or(around.result_limit),
        options,
    }
}

/// Layers around a service, of which it remembers whether there are any.
struct Stack {
    service: ToolService,
    is_bare: bool,
}

impl Stack {
    fn new(service: ToolService) -> Self {
        Self { service, is_bare: true }
    }

    fn add(&mut self, layer: &impl Layer<ToolService, Service = ToolService>) {
        self.service = layer.layer(self.service.clone());
        self.is_bare = false;
    }

    fn used(self) -> Option<ToolService> {
        (!self.is_bare).then_some(self.service)
    }
}

/// The limiter of a tool: its own, or that of its key.
fn limiter<'a>(
    rate: &'a RateLimit,
    name: &'a Arc<str>,
    shared: &mut BTreeMap<Arc<str>, (RateLimit, Arc<str>, RateLimiter)>,
) -> Result<RateLimiter, RegistryError> {
    let Some(key) = &rate.key else {
        return Ok(RateLimiter::new(rate));
    };
    let (known, of, limiter) = shared
        .entry(Arc::clone(key))
        .or_insert_with(|| (rate.clone(), Arc::clone(name), RateLimiter::new(rate)));
    if known != rate {
        let problem = format!(
            "shares the rate limit `{key}` with the tool `{of}`, which has it as {} calls per {:?}, not {} per {:?}: write the same limit for both",
            known.calls, known.per, rate.calls, rate.per
        );
        return Err(RegistryError::new(name, problem));
    }
    Ok(limiter.clone())
}

fn check_arguments(options: &ToolOptions, schema: &Value) -> Result<(), String> {
    let reads = options.reads.iter().map(|argument| ("reads", argument));
    let mut resources = reads.chain(options.writes.iter().map(|argument| ("writes", argument)));
    resources.try_for_each(|(key, argument)| argument.check(key, schema))?;
    let named = |key, arguments: &[Arc<str>]| {
        let mut arguments = arguments.iter();
        arguments.try_for_each(|argument| check_argument(key, argument, schema))
    };
    named("sensitive_arguments", &options.sensitive_arguments)?;
    match &options.semantic_cache {
        // A schema that takes any others doesn't say what there is.
        Some(cache) if schema.get("additionalProperties") == Some(&Value::Bool(false)) => {
            named("semantic_cache", &cache.fields)
        }
        _ => Ok(()),
    }
}

/// Describes a contradiction in a tool's options.
fn check(options: &ToolOptions) -> Result<(), String> {
    let problem = match options {
        ToolOptions {
            concurrency: Some(0), ..
        } => "`concurrency` must be at least 1, or no call could ever run",
        ToolOptions { rate: Some(rate), .. } if rate.calls == 0 => "`rate` must let at least 1 call through",
        ToolOptions {
            cache: Some(_), effect, ..
        } if *effect != Effect::Read => {
            "`cache` is for tools that change nothing: say `effect = \"read\"`, or leave `cache` out"
        }
        ToolOptions { cache: Some(_), .. } if cfg!(not(feature = "cache")) => {
            "`cache` needs the feature `cache` of `async-tool-runtime`"
        }
        ToolOptions { cache: Some(cache), .. } if cache.capacity == 0 => "a cache must have room for at least 1 value",
        ToolOptions {
            semantic_cache: Some(_),
            effect,
            ..
        } if *effect != Effect::Read => {
            "a semantic cache is for tools that change nothing: say `effect = \"read\"`, or leave it out"
        }
        ToolOptions {
            semantic_cache: Some(cache),
            ..
        } if cache.fields.is_empty() => "a semantic cache must name the arguments that it compares by meaning",
        ToolOptions {
            semantic_cache: Some(cache),
            ..
        } if !(cache.threshold > 0.0 && cache.threshold <= 1.0) => {
            "the threshold of a semantic cache must be above 0 and at most 1"
        }
        _ => return Ok(()),
    };
    Err(problem.to_owned())
}
