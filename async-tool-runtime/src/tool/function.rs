//! Tools made of functions.

mod settings;

use std::{fmt, sync::Arc};

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    aliases::Aliases,
    arguments::Arguments,
    bind::bind,
    bound::BoundCall,
    constraint::Constraints,
    context::ToolContext,
    definition::ToolDefinition,
    effect::Background,
    error::ToolError,
    inject::{FromToolContext, Requirement},
    options::ToolOptions,
    output::{ToolFailure, ToolOutput},
    reconcile::{LostTask, Reconciled, Reconciler},
    shown,
    tool::Tool,
    variants::restore_order,
};

type Binder = Arc<dyn Fn(&Arguments) -> Result<BoundCall, ToolError> + Send + Sync>;

/// Tool made of a function: `#[async_tool]` generates it, and [`FunctionTool::new`] makes one of a closure.
///
/// Each setting of the attribute can be set again on the value:
///
/// ```
/// use async_tool_runtime::{async_tool, Tool};
/// use std::time::Duration;
///
/// /// Researches a topic.
/// #[async_tool(effect = "read", timeout = "5m")]
/// async fn research(topic: String) -> String {
///     format!("all about {topic}")
/// }
///
/// let quick = research::tool().name("quick_research").timeout(Duration::from_secs(5));
/// assert_eq!(&*quick.definition().name, "quick_research");
/// assert_eq!(quick.options().timeout, Some(Duration::from_secs(5)));
/// assert_eq!(research::tool().options().timeout, Some(Duration::from_secs(300)));
/// ```
#[derive(Clone)]
#[must_use = "a tool does nothing until it is given to a manager's builder"]
pub struct FunctionTool {
    definition: ToolDefinition,
    /// Description without the notice.
    summary: Arc<str>,
    notice: Notice,
    schema: Arc<Value>,
    /// True if the schema was made of types of the program. A schema from elsewhere isn't checked.
    is_typed: bool,
    needs_manager: bool,
    options: ToolOptions,
    requirements: Vec<Requirement>,
    binder: Binder,
}

/// Notice of a tool.
#[derive(Clone)]
enum Notice {
    /// One of the library's, by the tool's [`Background`].
    Default,
    Own(Arc<str>),
    Off,
}

impl FunctionTool {
    /// Tool that calls an async closure, with the arguments read as `A`.
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
    /// # use async_tool_runtime::Tool;
    /// assert_eq!(double.definition().input_schema["properties"]["number"]["description"], "The number to double.");
    /// ```
    pub fn new<A, T, F, Fut>(name: impl Into<Arc<str>>, description: impl Into<Arc<str>>, function: F) -> Self
    where
        A: DeserializeOwned + JsonSchema + Send + 'static,
        T: ToolOutput,
        F: Fn(A, ToolContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, ToolError>> + Send + 'static,
    {
        let mut input = crate::schema::of_input::<A>();
        restore_order::<A>(&mut input);
        let definition = ToolDefinition::new(name, description, input);
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
        .typed()
    }

    /// Tool from a definition and a function that checks the arguments and returns the call.
    ///
    /// For tools whose schemas come from elsewhere. The notice is added to the description, which must not have it yet.
    ///
    /// ```
    /// use async_tool_runtime::{tool::{Arguments, BoundCall}, FunctionTool, Tool, ToolDefinition, ToolError, ToolErrorKind};
    /// use serde_json::json;
    ///
    /// let schema = json!({"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]});
    /// let search = FunctionTool::from_parts(ToolDefinition::new("search", "Searches.", schema), |arguments: &Arguments| {
    ///     let Some(query) = arguments["query"].as_str().map(str::to_owned) else {
    ///         return Err(ToolError::new(ToolErrorKind::InvalidArguments, "at `$.query`: expected a string"));
    ///     };
    ///     Ok(BoundCall::future(|_cx| async move { Ok(json!([format!("a hit for {query}")])) }))
    /// });
    /// assert!(search.bind(&json!({"query": "terns"}).into()).is_ok());
    /// assert!(search.bind(&json!({"query": 5}).into()).is_err());
    /// ```
    pub fn from_parts<B>(definition: ToolDefinition, binder: B) -> Self
    where
        B: Fn(&Arguments) -> Result<BoundCall, ToolError> + Send + Sync + 'static,
    {
        Self {
            summary: Arc::clone(&definition.description),
            schema: Arc::clone(&definition.input_schema),
            is_typed: false,
            needs_manager: false,
            definition,
            notice: Notice::Default,
            options: ToolOptions::default(),
            requirements: Vec::new(),
            binder: Arc::new(binder),
        }
        .described()
    }

    /// Sets the async function that finds out the outcome of an [`Effect::Once`](crate::tool::Effect::Once) call whose process has ended.
    ///
    /// The function gets the [`LostTask`] and returns its finding; an error means that it could not find out. It runs with a slot, and has the
    /// timeout of the tool's function. Default: none; the task ends as [`Unknown`](crate::task::TaskOutcome::Unknown).
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, tool::{LostTask, Reconciled}, Tool};
    ///
    /// # async fn receipt_for(key: &str) -> Result<Option<String>, String> { Ok(Some(key.to_owned())) }
    /// /// Pays a bill.
    /// #[async_tool]
    /// async fn pay(bill: u64) -> String {
    ///     format!("paid {bill}")
    /// }
    ///
    /// let tool = pay::tool().reconcile(|lost: LostTask| async move {
    ///     let receipt = receipt_for(&lost.idempotency_key().to_string()).await?;
    ///     Ok::<_, String>(receipt.map_or(Reconciled::NotStarted, Reconciled::Completed))
    /// });
    /// assert!(tool.options().reconcile.is_some());
    /// ```
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

    /// Says that the tool takes a `P` from its context, so that `P`'s requirement is checked when the manager is built.
    ///
    /// `#[async_tool]` does this for each `#[inject]`; a closure does it by hand:
    ///
    /// ```
    /// use async_tool_runtime::{tool::{FromToolContext, State}, AsyncToolManager, FunctionTool, ToolContext, ToolError};
    /// use serde_json::Value;
    ///
    /// struct Database;
    ///
    /// let tool = FunctionTool::new("count_users", "Counts the users.", |_: Value, cx: ToolContext| async move {
    ///     let _database = State::<Database>::from_tool_context(&cx)?;
    ///     Ok::<_, ToolError>(3)
    /// })
    /// .requires::<State<Database>>();
    /// assert!(AsyncToolManager::builder().tool(tool.clone()).build().is_err());
    /// assert!(AsyncToolManager::builder().tool(tool).state(Database).build().is_ok());
    /// ```
    pub fn requires<P: FromToolContext>(mut self) -> Self {
        self.requirements.extend(P::requirement());
        self
    }

    /// Says that the schema was made of types, so that its defaults and examples are checked when the manager is built.
    pub(crate) fn typed(mut self) -> Self {
        self.is_typed = true;
        self
    }

    /// Sets the other names of arguments.
    pub(crate) fn aliases(mut self, aliases: Aliases) -> Self {
        self.options.aliases = aliases;
        self
    }

    /// Composes the description again.
    fn described(mut self) -> Self {
        let notice = match (&self.notice, self.options.background) {
            (_, Background::Never) | (Notice::Off, _) => None,
            (Notice::Own(text), _) => Some(&**text),
            (Notice::Default, Background::Always) => Some(ToolDefinition::NOTICE_ALWAYS),
            (Notice::Default, _) => Some(ToolDefinition::NOTICE),
        };
        let notice = notice.filter(|notice| !notice.is_empty());
        let own = notice.filter(|_| matches!(self.notice, Notice::Own(_)));
        let futures = self.options.futures.then_some(ToolDefinition::FUTURES);
        let text = |paragraphs: [Option<&str>; 2]| -> Arc<str> {
            let paragraphs = paragraphs.into_iter().flatten();
            let paragraphs: Vec<&str> = std::iter::once(&*self.summary).chain(paragraphs).collect();
            match paragraphs.as_slice() {
                [_] => Arc::clone(&self.summary),
                paragraphs => paragraphs.join("\n\n").into(),
            }
        };
        let (bare, whole) = (text([None, own]), text([futures, notice]));
        self.definition.describe(&bare, whole);
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

    fn check(&self) -> Result<(), String> {
        if self.is_typed {
            shown::check(&self.schema)
        } else {
            Ok(())
        }
    }

    fn needs_manager(&self) -> bool {
        self.needs_manager
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
