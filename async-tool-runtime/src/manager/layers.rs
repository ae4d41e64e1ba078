//! Layers between a call and its function, built for each tool.
//!
//! A tool's layers form one [`tower_service::Service`] over [`ToolRequest`]. Each file of `layers/` is a
//! [`tower_layer::Layer`] that applies one policy.
//!
//! # Order
//!
//! Outermost first:
//!
//! 1. the host's outer layers
//! 2. approval
//! 3. caches
//! 4. shared runs
//! 5. conflicts
//! 6. slots (`manager/queue.rs`)
//! 7. breaker
//! 8. retry
//! 9. rate
//! 10. the host's inner layers
//! 11. the attempt itself, with its timeout and panic guard (`attempt.rs`)
//!
//! # Invariants
//!
//! 1. A tool has no layer for a policy that it doesn't set, so it pays nothing for it.
//! 2. A call that waits (for a rate, a resource, another call, a pause between attempts) holds no slot, so waits can't
//!    fill the manager.
//! 3. Dropping a call at any point ends its count, its shared run and its probe in every policy, so none of them leaks.

mod approval;
mod attempt;
mod breaker;
#[cfg(feature = "cache")]
mod cache;
mod conflict;
mod ownership;
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
    ownership::proof_needed,
    service::{CANCELLED, HostLayer, STOP_SLACK, cancelled, past_deadline, sleep_until_some, too_late},
};
use super::quarantine::Quarantine;
#[cfg(feature = "cache")]
use crate::policy::ValueCache;
use crate::{
    policy::{Breaker, Conflicts, MeaningCache, RateLimiter},
    tool::{
        Approval, Dedupe, Effect, RateLimit, RegistryError, StateMap, Tool, ToolOptions, ToolRegistry, check_argument,
    },
};

/// Layers of one tool, and the options that they come from.
pub(crate) struct ToolLayers {
    pub(crate) options: ToolOptions,
    pub(crate) attempt: Attempt,
    /// Layers that run with a slot: breaker, retry, rate and the host's inner layers around the attempt. `None` if
    /// there is only the attempt.
    pub(crate) inner: Option<ToolService>,
    /// All layers, for a tool with layers that run before its slot. `None` without such layers: a waiting task is then
    /// data and not a future.
    pub(crate) outer: Option<ToolService>,
    pub(crate) breaker: Option<Breaker>,
    pub(crate) rate: Option<RateLimiter>,
    #[cfg(feature = "cache")]
    pub(crate) values: Option<ValueCache>,
    pub(crate) meanings: Option<MeaningCache>,
    /// Layer of `outer` that claims resources, if a call claims them when it is submitted.
    pub(crate) early_claims: Option<ConflictLayer>,
    /// True if the function runs on a backend.
    pub(crate) is_remote: bool,
    /// Lane in the queue; see `manager/queue.rs`.
    pub(crate) lane: usize,
    /// Limit in bytes of a result that the model gets.
    pub(crate) result_limit: Option<usize>,
}

impl ToolLayers {
    /// Use of the cache of equal calls, if the tool has one.
    #[cfg(feature = "cache")]
    pub(crate) fn cache_usage(&self) -> Option<(usize, usize, Duration)> {
        self.values.as_ref().map(ValueCache::usage)
    }

    /// Use of the cache of equal calls: there is none without the feature.
    #[cfg(not(feature = "cache"))]
    #[expect(clippy::unused_self, reason = "the same call with and without the feature")]
    pub(crate) fn cache_usage(&self) -> Option<(usize, usize, Duration)> {
        None
    }

    /// True if a call may get its result without a slot, and neither asks for approval nor stops a call before it needs
    /// one.
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

/// Settings that the layers of all tools share.
pub(crate) struct Around {
    pub(crate) states: Arc<StateMap>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) stop_timeout: Duration,
    pub(crate) result_limit: Option<usize>,
    pub(crate) quarantine: Arc<Quarantine>,
    pub(crate) conflicts: Conflicts,
    /// Outer layers of the host, outermost first.
    pub(crate) outer: Vec<HostLayer>,
    pub(crate) inner: Vec<HostLayer>,
    /// Service that runs calls on a backend, if the manager has one.
    pub(crate) remote: Option<ToolService>,
}

/// Layers of all tools by name.
pub(crate) type LayersByTool = HashMap<Arc<str>, Arc<ToolLayers>>;

/// Builds the layers of all tools; also returns the limits of the lanes.
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
        around.stop_timeout,
        Arc::clone(&around.quarantine),
    );
    if options.retry.is_some() && !options.effect.is_repeatable() {
        tracing::debug!(
            target: "async_tool::task",
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
            stop_timeout: around.stop_timeout,
        });
    }
    if let Some(breaker) = &breaker {
        inner.add(breaker);
    }

    let core = match (&around.remote, &limiter) {
        (None, _) => inner.service.clone(),
        (Some(remote), None) => remote.clone(),
        // A worker limits its own attempts; the calls for all workers are limited here.
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
    let meanings = options.semantic_cache.clone().map(MeaningCache::new);
    if let Some(meanings) = &meanings {
        outer.add(&SemanticLayer::new(meanings.clone(), options.scope));
    }
    #[cfg(feature = "cache")]
    let values = options.cache.as_ref().map(ValueCache::new);
    #[cfg(feature = "cache")]
    if let Some(values) = &values {
        outer.add(&CacheLayer::new(values.clone(), options.scope));
    }
    if options.approval != Approval::Never {
        outer.add(&ApprovalLayer(options.approval.clone()));
    }
    for layer in around.outer.iter().rev() {
        outer.add(layer);
    }
    ToolLayers {
        attempt,
        // Caches and shared runs take no time. Approval, embedders and the host's layers may wait for long, and other
        // calls must be able to run meanwhile.
        early_claims: conflict.filter(|_| {
            options.approval == Approval::Never && options.semantic_cache.is_none() && around.outer.is_empty()
        }),
        inner: inner.used(),
        outer: outer.used(),
        breaker,
        rate: limiter,
        #[cfg(feature = "cache")]
        values,
        meanings,
        is_remote: around.remote.is_some(),
        lane,
        result_limit: options.result_limit.or(around.result_limit),
        options,
    }
}

/// Service with layers, and a flag for "no layers yet".
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

/// Rate limiter of a tool: its own, or the one shared under its key.
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
        // A schema that allows additional properties doesn't list all arguments.
        Some(cache) if schema.get("additionalProperties") == Some(&Value::Bool(false)) => {
            named("semantic_cache", &cache.fields)
        }
        _ => Ok(()),
    }
}

/// Checks that a tool's options don't contradict each other.
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
        } if cache.capacity == 0 => "a semantic cache must have room for at least 1 value",
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
