//! Settings for the calls of a tool.

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
    aliases::Aliases,
    effect::{Background, Effect, McpTasks},
    reconcile::Reconciler,
};

/// Settings for the calls of a tool. Each one has a default, named on its field.
///
/// The attribute sets them, and the methods of [`FunctionTool`](super::FunctionTool) set them again. A [`Tool`](super::Tool) of your own
/// changes the fields of [`ToolOptions::default()`](Default::default).
///
/// ```
/// use async_tool_runtime::{async_tool, tool::{Background, Effect}, Tool};
/// use std::time::Duration;
///
/// /// Fetches a page.
/// #[async_tool(effect = "read", timeout = "30s")]
/// async fn fetch(url: String) -> String {
///     format!("the page at {url}")
/// }
///
/// let tool = fetch::tool().concurrency(4);
/// let options = tool.options();
/// assert_eq!((options.effect, options.background), (Effect::Read, Background::Auto));
/// assert_eq!((options.timeout, options.concurrency), (Some(Duration::from_secs(30)), Some(4)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolOptions {
    /// Effect of a call on the world. Default: [`Effect::Once`].
    pub effect: Effect,
    /// Rule for calls that are slower than the model's turn. Default: [`Background::Auto`].
    pub background: Background,
    /// Time that the end of a turn waits for the result before it acknowledges the call. Default: the agent's.
    pub grace: Option<Duration>,
    /// Time limit of an attempt, from its start. Default: the manager's.
    ///
    /// A tool that has taken its [token](crate::tool::ToolContext::cancellation) gets the manager's stop timeout on top, to tidy up. A
    /// value that it returns in that time still counts. An async function that blocks its thread times out only once it returns.
    pub timeout: Option<Duration>,
    /// Retries of failed calls. Default: none.
    pub retry: Option<RetryPolicy>,
    /// Limit of calls of the tool that run at once. Default: the manager's.
    pub concurrency: Option<usize>,
    /// Limit of starts in a span of time. Default: none.
    pub rate: Option<RateLimit>,
    /// Circuit breaker, which pauses a tool that fails repeatedly. Default: none.
    pub breaker: Option<BreakerPolicy>,
    /// Priority in the queue for slots. Default: [`Priority::Normal`].
    pub priority: Priority,
    /// Cache of values for calls with equal arguments. Default: none.
    pub cache: Option<CachePolicy>,
    /// Cache of values for calls with the same meaning. Default: none.
    pub semantic_cache: Option<SemanticCache>,
    /// Treatment of a call while an equal one is open. Default: [`Dedupe::Auto`].
    pub dedupe: Dedupe,
    /// Calls that share cached values and running calls. Default: [`Scope::Session`].
    pub scope: Scope,
    /// Arguments that name the resources that a call reads. Default: none.
    ///
    /// Two tasks conflict if one writes a resource that the other reads or writes. The later one then waits for the end of the earlier one.
    /// Readers don't conflict. [`FunctionTool::reads`](super::FunctionTool::reads) has the details.
    pub reads: Vec<ResourceArgument>,
    /// Arguments that name the resources that a call writes; see [`reads`](Self::reads). Default: none.
    pub writes: Vec<ResourceArgument>,
    /// True if an argument may be a [future](crate::task::FutureArgument), which stands for the result of another task. Default: false.
    pub futures: bool,
    /// Calls that the host must approve. Default: none.
    pub approval: Approval,
    /// Function that finds out the outcome of an [`Effect::Once`] call whose process has ended. Default: none; the model is then told that
    /// the outcome is unknown.
    pub reconcile: Option<Reconciler>,
    /// True if calls are [completed from outside](crate::tool::ToolContext::defer). Default: false.
    ///
    /// A call whose process has ended then waits for its completion, and does not end as unknown.
    /// [`FunctionTool::external`](super::FunctionTool::external) has the details.
    pub external: bool,
    /// Names of the arguments that hold secrets, as the model writes them. Default: none.
    ///
    /// The session's journal gets [`REDACTED`](crate::agent::REDACTED) in their place. [`Redact`](crate::agent::Redact) says what that covers.
    pub sensitive_arguments: Vec<Arc<str>>,
    /// True if the result is a secret, which the session's journal doesn't get. Default: false.
    pub sensitive_result: bool,
    /// Delivery policy of late results. Default: the agent's.
    pub delivery: Option<DeliveryPolicy>,
    /// Largest result that the model is shown whole, in bytes of JSON. Of a larger one it gets a preview and a handle. Default: the
    /// manager's, or else the agent's ([`PrunePolicy::result_limit`](crate::context::PrunePolicy::result_limit)).
    pub result_limit: Option<usize>,
    /// Rule of an MCP server for answers with a task. Default: [`McpTasks::Optional`].
    pub mcp: McpTasks,
    /// Time after which an MCP server ends a call of a host that knows no tasks, and gives it a handle for the result. Default: never.
    pub hand_off: Option<Duration>,
    /// Other names of arguments. The attribute knows them.
    pub(crate) aliases: Aliases,
}

impl ToolOptions {
    /// Default settings, for [`Tool::options`](super::Tool::options).
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
        dedupe: Dedupe::Auto,
        scope: Scope::Session,
        reads: Vec::new(),
        writes: Vec::new(),
        approval: Approval::Never,
        reconcile: None,
        external: false,
        delivery: None,
        futures: false,
        sensitive_arguments: Vec::new(),
        sensitive_result: false,
        result_limit: None,
        mcp: McpTasks::Optional,
        hand_off: None,
        aliases: Aliases::NONE,
    };
}
