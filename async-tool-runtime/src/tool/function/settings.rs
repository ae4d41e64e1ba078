//! Settings of a tool made of a function.

use std::{sync::Arc, time::Duration};

use super::{FunctionTool, Notice};
use crate::tool::{
    effect::{Background, Effect, McpTasks},
    options::{
        Approval, BreakerPolicy, Dedupe, DeliveryPolicy, Priority, RateLimit, ResourceArgument, RetryPolicy, Scope,
        SemanticCache,
    },
};

/// Settings, each of which can be set again.
impl FunctionTool {
    /// Sets the name.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.definition.name = name.into();
        self
    }

    /// Sets the description; the notice is added to it.
    pub fn description(mut self, description: impl Into<Arc<str>>) -> Self {
        self.summary = description.into();
        self.described()
    }

    /// Sets the notice at the end of the description, which tells the model that a call can run in the background. Default:
    /// [`NOTICE`](crate::tool::ToolDefinition::NOTICE), or [`NOTICE_ALWAYS`](crate::tool::ToolDefinition::NOTICE_ALWAYS) with
    /// [`Background::Always`].
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, Tool};
    ///
    /// /// Renders a film.
    /// #[async_tool(effect = "idempotent")]
    /// async fn render(scene: String) {
    ///     # let _ = scene;
    ///     // …
    /// }
    ///
    /// let tool = render::tool().notice("Takes hours. Go on with other work; the film is given to you when it is ready.");
    /// assert!(tool.definition().description.starts_with("Renders a film.\n\nTakes hours."));
    /// ```
    pub fn notice(mut self, notice: impl Into<Arc<str>>) -> Self {
        self.notice = Notice::Own(notice.into());
        self.described()
    }

    /// Removes the notice, so the model isn't told that a call can run in the background.
    pub fn without_notice(mut self) -> Self {
        self.notice = Notice::Off;
        self.described()
    }

    /// Sets the effect of a call on the world. Default: [`Effect::Once`].
    pub fn effect(mut self, effect: Effect) -> Self {
        self.options.effect = effect;
        self
    }

    /// Sets the rule for calls that are slower than the model's turn. Default: [`Background::Auto`]. With [`Background::Never`] the description
    /// has no notice.
    pub fn background(mut self, background: Background) -> Self {
        self.options.background = background;
        self.described()
    }

    /// Sets the time that the end of a turn waits for the result before it acknowledges the call. Default: the agent's.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.options.grace = Some(grace);
        self
    }

    /// Sets the time limit of an attempt, from its start; see [`ToolOptions::timeout`](crate::tool::ToolOptions::timeout). Default: the manager's.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// Retries failed calls. Default: none.
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.options.retry = Some(retry);
        self
    }

    /// Limits the calls of the tool that run at once, over all sessions. Default: the manager's limit.
    pub fn concurrency(mut self, calls: usize) -> Self {
        self.options.concurrency = Some(calls);
        self
    }

    /// Limits the starts in a span of time. Default: no limit.
    pub fn rate(mut self, rate: RateLimit) -> Self {
        self.options.rate = Some(rate);
        self
    }

    /// Pauses the tool when it fails repeatedly. Default: never.
    pub fn breaker(mut self, breaker: BreakerPolicy) -> Self {
        self.options.breaker = Some(breaker);
        self
    }

    /// Sets the priority in the queue for slots. Default: [`Priority::Normal`].
    pub fn priority(mut self, priority: Priority) -> Self {
        self.options.priority = priority;
        self
    }

    /// Reuses values for calls with equal arguments. Default: never.
    #[cfg(feature = "cache")]
    #[cfg_attr(docsrs, doc(cfg(feature = "cache")))]
    pub fn cache(mut self, cache: crate::tool::options::CachePolicy) -> Self {
        self.options.cache = Some(cache);
        self
    }

    /// Reuses values for calls with the same meaning. Default: never.
    pub fn semantic_cache(mut self, cache: SemanticCache) -> Self {
        self.options.semantic_cache = Some(cache);
        self
    }

    /// Sets the treatment of a call while an equal one is open. Default: [`Dedupe::Auto`].
    pub fn dedupe(mut self, dedupe: Dedupe) -> Self {
        self.options.dedupe = dedupe;
        self
    }

    /// Sets which calls share cached values and running calls. Default: [`Scope::Session`].
    pub fn scope(mut self, scope: Scope) -> Self {
        self.options.scope = scope;
        self
    }

    /// Names the arguments whose values name the resources that a call reads. Default: none.
    ///
    /// The list has commas between its items, each `argument` or `kind:argument`. The default kind is the name of the argument. Replaces the
    /// list that was set before; `""` is none. Building the manager fails if an argument doesn't exist.
    ///
    /// # Resources
    ///
    /// The value of the argument is the name of the resource. A list names one resource for each item. An absent or null argument names none,
    /// unless the schema shows a default. Arguments are taken as the function gets them, after repairs. Names are compared as text: `a/b` and
    /// `a/./b` are two resources.
    ///
    /// # Conflicts
    ///
    /// Two tasks conflict if one writes a resource that the other reads or writes, also across sessions. A task waits, without a slot, until
    /// all conflicting tasks that were submitted before it have ended.
    ///
    /// A task keeps its resources to its end, also while it waits for its next attempt, for people, or for a result from outside. A blocking
    /// function that goes on after it was told to stop keeps them until it returns.
    ///
    /// A call that needs approval, asks a semantic cache, or passes a [layer](crate::manager::AsyncToolManagerBuilder::layer) of the host joins
    /// the queue for its resources after that. A call that gets a cached value or shares a run doesn't wait.
    ///
    /// # Nested calls
    ///
    /// A child task doesn't wait for its ancestors. It may read the resources that an ancestor reads or writes, and write those that an
    /// ancestor writes. If the ancestor only reads, a child that writes fails. If tasks would wait for each other in a circle, the call that
    /// would close it fails as [`Unavailable`](crate::tool::ToolErrorKind::Unavailable).
    pub fn reads(mut self, arguments: &str) -> Self {
        self.options.reads = ResourceArgument::list(arguments);
        self
    }

    /// Names the arguments whose values name the resources that a call writes; otherwise like [`reads`](Self::reads). Default: none.
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, AsyncToolManager, SessionId, ToolCall};
    /// use serde_json::json;
    /// use std::sync::Mutex;
    ///
    /// static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());
    ///
    /// /// Writes a file.
    /// #[async_tool]
    /// async fn write_file(path: String, text: String) {
    ///     # let _ = path;
    ///     LOG.lock().unwrap().push(format!("begin {text}"));
    ///     tokio::task::yield_now().await; // Another call could run here.
    ///     LOG.lock().unwrap().push(format!("end {text}"));
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = AsyncToolManager::builder().tool(write_file::tool().writes("path")).build()?;
    /// let write = |text| ToolCall::new("call", "write_file", json!({"path": "notes.txt", "text": text}));
    /// let first = manager.submit(&SessionId::new("example"), write("a"))?;
    /// let second = manager.submit(&SessionId::new("example"), write("b"))?;
    /// tokio::join!(first.outcome(), second.outcome());
    /// assert_eq!(*LOG.lock().unwrap(), ["begin a", "end a", "begin b", "end b"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn writes(mut self, arguments: &str) -> Self {
        self.options.writes = ResourceArgument::list(arguments);
        self
    }

    /// Allows [futures](crate::task::FutureArgument) as arguments: a future stands for the result of another task. Default: false.
    ///
    /// A sentence in the description says so. An agent leaves it out, and says it once for all such tools, in the system prompt. The schema
    /// doesn't show futures, which would make it three times as long; an agent takes one in place of any value. Only a strict dialect
    /// shows them, because there a model can write nothing else.
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, schema::Dialect, Tool, ToolDefinition};
    ///
    /// /// Books a flight.
    /// #[async_tool]
    /// async fn book_flight(flight: u64) -> String {
    ///     format!("booked {flight}")
    /// }
    ///
    /// let tool = book_flight::tool().futures(true);
    /// assert!(tool.definition().description.contains(ToolDefinition::FUTURES));
    /// assert!(!tool.definition().input_schema.to_string().contains("$task"));
    /// let strict = tool.definition().for_dialect(Dialect::OpenAiStrict)?;
    /// assert!(strict.to_string().contains("$task"));
    /// # Ok::<_, async_tool_runtime::schema::SchemaError>(())
    /// ```
    pub fn futures(mut self, futures: bool) -> Self {
        self.options.futures = futures;
        self.definition.take_futures(futures);
        self.described()
    }

    /// Names the arguments that hold secrets, as the model writes them. Replaces the names that were set before. Default: none.
    ///
    /// The function, the model and the events of the agent get the values as usual. The session's journal gets
    /// [`REDACTED`](crate::agent::REDACTED) in their place. [`Redact`](crate::agent::Redact) says what that covers, and what happens to such a
    /// call when the process ends.
    ///
    /// Building the manager fails if an argument doesn't exist:
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, AsyncToolManager};
    ///
    /// /// Logs in.
    /// #[async_tool]
    /// async fn log_in(user: String, password: String) -> bool {
    ///     !user.is_empty() && password.len() > 8
    /// }
    ///
    /// let build = |secret| AsyncToolManager::builder().tool(log_in::tool().sensitive_arguments([secret])).build();
    /// assert!(build("password").is_ok());
    /// assert!(build("pass_word").unwrap_err().to_string().contains("write `password`"));
    /// ```
    pub fn sensitive_arguments<N: Into<Arc<str>>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.options.sensitive_arguments = names.into_iter().map(Into::into).collect();
        self
    }

    /// Marks the result as a secret, which the session's journal doesn't get: neither a value nor the message of a failure. See
    /// [`Redact`](crate::agent::Redact). Default: false.
    pub fn sensitive_result(mut self, is_sensitive: bool) -> Self {
        self.options.sensitive_result = is_sensitive;
        self
    }

    /// Sets the calls that the host must approve before they run. Default: none.
    pub fn approval(mut self, approval: Approval) -> Self {
        self.options.approval = approval;
        self
    }

    /// Says that calls are completed from outside: their function passes the [task's id](crate::tool::ToolContext::task) on and
    /// [defers](crate::tool::ToolContext::defer) the task. Default: false.
    ///
    /// The process may end after the id was passed on and before the journal has the deferral. Without this setting,
    /// such an [`Effect::Once`] call ends as [`Unknown`](crate::task::TaskOutcome::Unknown), and its completion comes too
    /// late. With it, the call waits for its completion. That includes a call whose function had not passed the id on,
    /// or not even begun. Set [`reconcile`](Self::reconcile) to tell them apart, or the manager's
    /// [`task_timeout`](crate::manager::AsyncToolManagerBuilder::task_timeout) to bound the wait.
    ///
    /// A call with another effect runs again, with the same id. A `resolve` that comes meanwhile counts.
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, Tool, ToolContext};
    ///
    /// /// Orders a taxi.
    /// #[async_tool]
    /// async fn order_taxi(#[inject] cx: ToolContext) -> String {
    ///     println!("the driver answers at /taxis/{}", cx.task());
    ///     cx.defer().await
    /// }
    ///
    /// assert!(order_taxi::tool().external(true).options().external);
    /// ```
    pub fn external(mut self, is_external: bool) -> Self {
        self.options.external = is_external;
        self
    }

    /// Sets the delivery policy of late results. Default: the agent's.
    pub fn delivery(mut self, delivery: DeliveryPolicy) -> Self {
        self.options.delivery = Some(delivery);
        self
    }

    /// Sets the largest result that the model is shown whole, in bytes of JSON. Of a larger one it gets a preview and a handle. Default: the
    /// manager's, or else the agent's ([`PrunePolicy::result_limit`](crate::context::PrunePolicy::result_limit)).
    pub fn result_limit(mut self, bytes: usize) -> Self {
        self.options.result_limit = Some(bytes);
        self
    }

    /// Sets the rule of an MCP server for answers with a task. Default: [`McpTasks::Optional`].
    pub fn mcp(mut self, tasks: McpTasks) -> Self {
        self.options.mcp = tasks;
        self
    }

    /// Sets the time after which an MCP server ends a call of a host that knows no tasks, and gives it a handle for the result. Default:
    /// never.
    ///
    /// Hosts end calls after a fixed time, some after 60 seconds, and lose the result. Set less than that.
    pub fn hand_off(mut self, after: Duration) -> Self {
        self.options.hand_off = Some(after);
        self
    }

    /// Says that each call needs the manager that runs it.
    pub(crate) fn needing_manager(mut self) -> Self {
        self.needs_manager = true;
        self
    }
}
