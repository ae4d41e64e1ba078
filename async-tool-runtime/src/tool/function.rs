//! A tool made of a function.

use std::{fmt, sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    arguments::Arguments,
    bind::bind,
    bound::BoundCall,
    constraint::Constraints,
    context::ToolContext,
    definition::ToolDefinition,
    effect::{Background, Effect},
    error::ToolError,
    inject::{FromToolContext, Requirement},
    options::{
        Approval, BreakerPolicy, Dedupe, DeliveryPolicy, Priority, RateLimit, ResourceArgument, RetryPolicy, Scope,
        SemanticCache, ToolOptions,
    },
    output::{ToolFailure, ToolOutput},
    reconcile::{LostTask, Reconciled, Reconciler},
    tool::Tool,
};

type Binder = Arc<dyn Fn(&Arguments) -> Result<BoundCall, ToolError> + Send + Sync>;

/// A tool made of a function: what `#[async_tool]` generates, and what [`FunctionTool::new`] makes of a closure.
///
/// Everything the attribute sets can be set again here: `research_topic::tool().timeout(Duration::from_secs(5))`.
#[derive(Clone)]
#[must_use = "a tool does nothing until it is given to a manager's builder"]
pub struct FunctionTool {
    definition: ToolDefinition,
    /// The description without the notice.
    summary: Arc<str>,
    notice: Option<Arc<str>>,
    /// The schema without futures.
    schema: Arc<Value>,
    options: ToolOptions,
    requirements: Vec<Requirement>,
    binder: Binder,
}

impl FunctionTool {
    /// A tool that calls an async closure with its arguments read as `A`.
    ///
    /// ```
    /// use async_tool_runtime::{FunctionTool, ToolContext, ToolError};
    /// use schemars::JsonSchema;
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize, JsonSchema)]
    /// struct Arguments {
    ///     /// The number to double.
    ///     number: i64,
    /// }
    ///
    /// let double = FunctionTool::new("double", "Doubles a number.", |arguments: Arguments, _cx: ToolContext| async move {
    ///     Ok::<_, ToolError>(arguments.number * 2)
    /// });
    /// ```
    pub fn new<A, T, F, Fut>(name: impl Into<Arc<str>>, description: impl Into<Arc<str>>, function: F) -> Self
    where
        A: DeserializeOwned + JsonSchema + Send + 'static,
        T: ToolOutput,
        F: Fn(A, ToolContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, ToolError>> + Send + 'static,
    {
        let definition = ToolDefinition::new(name, description, crate::schema::of_input::<A>());
        let schema = Arc::clone(&definition.input_schema);
        let constraints = Constraints::of(&schema);
        let function = Arc::new(function);
        Self::from_parts(definition, move |arguments| {
            let arguments: A = bind(&schema, &constraints, arguments)?;
            let function = Arc::clone(&function);
            Ok(BoundCall::future(move |cx| async move {
                function(arguments, cx).await?.into_json()
            }))
        })
    }

    /// A tool from a definition and whatever checks arguments and makes the call of them: for tools whose schemas come from
    /// elsewhere.
    ///
    /// The description is taken without a notice, which is added to it.
    pub fn from_parts<B>(definition: ToolDefinition, binder: B) -> Self
    where
        B: Fn(&Arguments) -> Result<BoundCall, ToolError> + Send + Sync + 'static,
    {
        Self {
            summary: Arc::clone(&definition.description),
            schema: Arc::clone(&definition.input_schema),
            definition,
            notice: Some(ToolDefinition::NOTICE.into()),
            options: ToolOptions::default(),
            requirements: Vec::new(),
            binder: Arc::new(binder),
        }
        .described()
    }

    /// Another name.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.definition.name = name.into();
        self
    }

    /// Another description; the notice is added to it.
    pub fn description(mut self, description: impl Into<Arc<str>>) -> Self {
        self.summary = description.into();
        self.described()
    }

    /// Another notice. Default: [`ToolDefinition::NOTICE`].
    pub fn notice(mut self, notice: impl Into<Arc<str>>) -> Self {
        self.notice = Some(notice.into());
        self.described()
    }

    /// No notice: the model isn't told that the tool can run in the background.
    pub fn without_notice(mut self) -> Self {
        self.notice = None;
        self.described()
    }

    /// What a call does to the world. Default: [`Effect::Once`].
    pub fn effect(mut self, effect: Effect) -> Self {
        self.options.effect = effect;
        self
    }

    /// Whether a call may outlive the turn. Default: [`Background::Auto`]. With [`Background::Never`] the description has no
    /// notice.
    pub fn background(mut self, background: Background) -> Self {
        self.options.background = background;
        self.described()
    }

    /// How long the end of a turn waits for the result before it acknowledges the call. Default: the agent's.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.options.grace = Some(grace);
        self
    }

    /// How long an attempt may run, from its start. Default: the manager's.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// Whether and when a call that failed is tried again. Default: never.
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.options.retry = Some(retry);
        self
    }

    /// How many calls of the tool run at once, over all sessions. Default: as many as the manager runs.
    pub fn concurrency(mut self, calls: usize) -> Self {
        self.options.concurrency = Some(calls);
        self
    }

    /// How many calls may start in a span of time. Default: any number.
    pub fn rate(mut self, rate: RateLimit) -> Self {
        self.options.rate = Some(rate);
        self
    }

    /// When a tool that fails is left alone for a while. Default: never.
    pub fn breaker(mut self, breaker: BreakerPolicy) -> Self {
        self.options.breaker = Some(breaker);
        self
    }

    /// Which tasks get a slot first. Default: [`Priority::Normal`].
    pub fn priority(mut self, priority: Priority) -> Self {
        self.options.priority = priority;
        self
    }

    /// Which values are given again without running the function. Default: none.
    #[cfg(feature = "cache")]
    #[cfg_attr(docsrs, doc(cfg(feature = "cache")))]
    pub fn cache(mut self, cache: super::options::CachePolicy) -> Self {
        self.options.cache = Some(cache);
        self
    }

    /// Which values are given again to calls that mean the same. Default: none.
    pub fn semantic_cache(mut self, cache: SemanticCache) -> Self {
        self.options.semantic_cache = Some(cache);
        self
    }

    /// What happens to a call while the same one is still open. Default: [`Dedupe::Allow`].
    pub fn dedupe(mut self, dedupe: Dedupe) -> Self {
        self.options.dedupe = dedupe;
        self
    }

    /// Between whose calls cached values and running calls are shared. Default: [`Scope::Session`].
    pub fn scope(mut self, scope: Scope) -> Self {
        self.options.scope = scope;
        self
    }

    /// Which arguments name what a call reads: names with commas between them, each alone or as `kind:argument`, where the kind of an
    /// argument without one is its name. Takes the place of what was said before; `""` is none. Default: none.
    ///
    /// The value of the argument is the name of the resource; a list names one for each of its items, and an argument that is absent
    /// or null names none, unless the schema gives it a default. Values are the same if they are the same text: `a/b` and `a/./b` are two
    /// resources. A task waits, without a slot, until all that were submitted before it and conflict with it have ended: those that
    /// write what it reads or writes, or read what it writes, in whatever session. It then keeps its resources to its end, also
    /// while it waits for its next attempt, for people, or to be completed from outside; and if it is a blocking function that goes on
    /// after it was told to stop, until that returns. A call that needs consent, asks a semantic cache, or passes a
    /// [layer](crate::manager::AsyncToolManagerBuilder::layer) of the host's takes its turn when it has. One that is given a kept value, or shares a run, waits for nothing.
    ///
    /// A task below another passes it: it may read what that one reads or writes, and write what that one writes. Where the one above
    /// only reads, a call that writes fails; and where tasks above and below each other would wait in a circle, the
    /// call that would close it fails as [`Unavailable`](crate::tool::ToolErrorKind::Unavailable).
    ///
    /// That the arguments exist is checked when the manager is built.
    pub fn reads(mut self, arguments: &str) -> Self {
        self.options.reads = ResourceArgument::list(arguments);
        self
    }

    /// Which arguments name what a call writes; otherwise like [`reads`](Self::reads). Default: none.
    pub fn writes(mut self, arguments: &str) -> Self {
        self.options.writes = ResourceArgument::list(arguments);
        self
    }

    /// Whether the value of an argument may be a [future](crate::task::FutureArgument), which stands for what another task will give: the schema
    /// then says so for every value inside of the arguments, and the description in a sentence. Default: no.
    pub fn futures(mut self, futures: bool) -> Self {
        self.options.futures = futures;
        self.definition.input_schema = if futures {
            Arc::new(crate::schema::with_futures(&self.schema))
        } else {
            Arc::clone(&self.schema)
        };
        self.described()
    }

    /// Which arguments hold secrets, by the names that the model writes. Takes the place of what was said before. Default: none.
    ///
    /// The function, the model and the events of the agent have the values as ever; the session's journal is given
    /// [`REDACTED`](crate::agent::REDACTED) in their place. See [`Redact`](crate::agent::Redact) for what that covers and what becomes of such a call when the process
    /// ends. That the arguments exist is checked when the manager is built.
    pub fn sensitive_arguments<N: Into<Arc<str>>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.options.sensitive_arguments = names.into_iter().map(Into::into).collect();
        self
    }

    /// Whether what the tool gives is a secret, which the session's journal is not given: neither a value nor the message of a failure. See
    /// [`Redact`](crate::agent::Redact). Default: no.
    pub fn sensitive_result(mut self, is_sensitive: bool) -> Self {
        self.options.sensitive_result = is_sensitive;
        self
    }

    /// Which calls the host must approve before they run. Default: none.
    pub fn approval(mut self, approval: Approval) -> Self {
        self.options.approval = approval;
        self
    }

    /// How the tool finds out what became of a call that must not happen twice ([`Effect::Once`]), if the process that ran it has ended:
    /// an async function that is given the [`LostTask`] and says what it found, or that it could not find out, by an error. It
    /// runs with a slot, and has the timeout of the tool's function. Default: the task ends as [`Unknown`](crate::task::TaskOutcome::Unknown).
    pub fn reconcile<F, Fut, T, E>(mut self, function: F) -> Self
    where
        F: Fn(LostTask) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Reconciled<T>, E>> + Send + 'static,
        T: Serialize,
        E: ToolFailure,
    {
        self.options.reconcile = Some(Reconciler::new(function));
        self
    }

    /// When a late result enters the conversation. Default: the agent's.
    pub fn delivery(mut self, delivery: DeliveryPolicy) -> Self {
        self.options.delivery = Some(delivery);
        self
    }

    /// How many bytes of a result's JSON the model is given; of a larger one it gets a preview and a handle. Default: the
    /// manager's.
    pub fn result_limit(mut self, bytes: usize) -> Self {
        self.options.result_limit = Some(bytes);
        self
    }

    /// Says that the tool takes a `P` from its context, so that what `P` needs is checked when the manager is built.
    pub fn requires<P: FromToolContext>(mut self) -> Self {
        self.requirements.extend(P::requirement());
        self
    }

    /// Puts the description together anew.
    fn described(mut self) -> Self {
        let can_outlive_turn = self.options.background != Background::Never;
        let notice = self
            .notice
            .as_deref()
            .filter(|notice| can_outlive_turn && !notice.is_empty());
        let futures = self.options.futures.then_some(ToolDefinition::FUTURES);
        let paragraphs: Vec<&str> = std::iter::once(&*self.summary).chain(futures).chain(notice).collect();
        self.definition.description = match paragraphs.as_slice() {
            [_] => Arc::clone(&self.summary),
            paragraphs => paragraphs.join("\n\n").into(),
        };
        self
    }
}

impl Tool for FunctionTool {
    fn definition(&self) -> &ToolDefinition {
        &self.definition
    }

    fn options(&self) -> &ToolOptions {
        &self.options
    }

    fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    fn bind(&self, arguments: &Arguments) -> Result<BoundCall, ToolError> {
        (self.binder)(arguments)
    }
}

impl From<FunctionTool> for Arc<dyn Tool> {
    fn from(tool: FunctionTool) -> Self {
        Arc::new(tool)
    }
}

impl fmt::Debug for FunctionTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionTool")
            .field("name", &self.definition.name)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
