//! Definition of a tool, as the model sees it.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::schema::{Dialect, Renderings, SchemaError};

/// Definition of a tool, as the model sees it: name, description and schemas. Cheap to clone; clones share their schemas.
///
/// The attribute makes it of the function. For tools whose schemas come from elsewhere, it is written by hand:
///
/// ```
/// use async_tool_runtime::{async_tool, Tool, ToolDefinition};
/// use serde_json::json;
///
/// /// Counts the lines of a file.
/// #[async_tool(effect = "read", background = "never")]
/// fn count_lines(
///     /// The path of the file.
///     path: String,
/// ) -> std::io::Result<usize> {
///     Ok(std::fs::read_to_string(path)?.lines().count())
/// }
///
/// let by_hand = ToolDefinition::new("count_lines", "Counts the lines of a file.", json!({
///     "type": "object",
///     "properties": {"path": {"type": "string", "description": "The path of the file."}},
///     "required": ["path"],
/// }));
/// let made = count_lines::tool();
/// assert_eq!(made.definition().description, by_hand.description);
/// assert_eq!(made.definition().input_schema["properties"], by_hand.input_schema["properties"]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ToolDefinition {
    /// Name of the tool: 1 to 64 ASCII letters, digits, `_` and `-`, the first a letter or `_`.
    pub name: Arc<str>,
    /// Purpose of the tool, with a [notice](Self::NOTICE) if a call can outlive the turn.
    pub description: Arc<str>,
    /// JSON Schema of the arguments: an object.
    pub input_schema: Arc<Value>,
    /// JSON Schema of the result, if its type has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Arc<Value>>,
    /// Purpose of the tool without the library's notices; `None` if there are none.
    #[serde(skip)]
    bare: Option<Arc<str>>,
    #[serde(skip)]
    renderings: Renderings,
}

impl ToolDefinition {
    /// Text that is appended to the description of a tool whose calls can outlive the turn.
    ///
    /// It is for a schema that is taken alone, for a client of another kind. An agent leaves it out, and says it once for all tools, in the
    /// system prompt ([`Wording::notice`](crate::wording::Wording::notice)). Neither text describes the message that will carry the result, because
    /// models imitate the messages that are described to them.
    pub const NOTICE: &'static str = "Runs in the background if it takes long. Never guess its result.";

    /// The same for a tool that [always](crate::tool::Background::Always) runs in the background.
    pub const NOTICE_ALWAYS: &'static str = "Runs in the background. Never guess its result.";

    /// Text that is appended to the description of a tool whose arguments may be [futures](crate::task::FutureArgument).
    ///
    /// An agent says it once for all such tools ([`Wording::futures`](crate::wording::Wording::futures)). The schema doesn't show futures, unless the
    /// dialect is a strict one, because a schema with them is three times as long.
    pub const FUTURES: &'static str = "An argument can be the result of another task, or a part of it: {\"$task\": \"t3\", \"pointer\": \"/items/0/id\"}; \
         \"#1\" is the first call of this turn. The call starts when that task has ended.";

    /// Definition without an output schema.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, description: impl Into<Arc<str>>, input_schema: Value) -> Self {
        let input_schema = Arc::new(input_schema);
        Self {
            name: name.into(),
            description: description.into(),
            renderings: Renderings::of(&input_schema, false),
            input_schema,
            bare: None,
            output_schema: None,
        }
    }

    /// Sets the schema of the result.
    ///
    /// A result that [comes from outside](crate::manager::AsyncToolManager::resolve) must fit it.
    ///
    /// ```
    /// use async_tool_runtime::ToolDefinition;
    /// use serde_json::json;
    ///
    /// let definition = ToolDefinition::new("roll", "Rolls a die.", json!({"type": "object"}))
    ///     .with_output_schema(json!({"type": "integer", "minimum": 1, "maximum": 6}));
    /// assert_eq!(definition.output_schema.unwrap()["maximum"], 6);
    /// ```
    #[must_use]
    pub fn with_output_schema(mut self, schema: Value) -> Self {
        self.output_schema = Some(Arc::new(schema));
        self
    }

    /// Sets the purpose of the tool: without the library's notices, and with them.
    pub(crate) fn describe(&mut self, bare: &Arc<str>, whole: Arc<str>) {
        self.bare = (*bare != whole).then(|| Arc::clone(bare));
        self.description = whole;
    }

    /// Shows futures in strict dialects, where a model can write nothing that the schema doesn't allow.
    pub(crate) fn take_futures(&mut self, futures: bool) {
        self.renderings = Renderings::of(&self.input_schema, futures);
    }

    /// True if the description has a notice of the library.
    pub(crate) fn has_notice(&self) -> bool {
        self.bare.is_some()
    }

    /// The definition for an agent, which says the notices once for all tools.
    pub(crate) fn for_agent(&self) -> Self {
        let mut definition = self.clone();
        if let Some(bare) = definition.bare.take() {
            definition.description = bare;
        }
        definition
    }

    /// Schema of the arguments in the dialect of a provider.
    ///
    /// It is built on first use, once. It is shared by pointer, also across threads and with the clones of this definition, because
    /// providers cache prompts by their bytes. If [`input_schema`](Self::input_schema) is replaced, it is built again.
    ///
    /// # Errors
    ///
    /// [`SchemaError`] if the schema asks for something that neither the dialect nor a description can express. The same error comes every
    /// time, so one call per tool before the first request finds all such errors.
    ///
    /// ```
    /// use async_tool_runtime::{schema::Dialect, ToolDefinition};
    /// use serde_json::json;
    ///
    /// let definition = ToolDefinition::new("search", "Searches.", json!({
    ///     "type": "object",
    ///     "properties": {"query": {"type": "string"}, "limit": {"type": "integer", "default": 10}},
    ///     "required": ["query"],
    /// }));
    /// let strict = definition.for_dialect(Dialect::OpenAiStrict)?;
    /// assert_eq!(strict["required"], json!(["query", "limit"]));
    /// assert_eq!(strict["properties"]["limit"], json!({"type": ["integer", "null"], "description": "Default: `10`."}));
    /// # Ok::<_, async_tool_runtime::schema::SchemaError>(())
    /// ```
    pub fn for_dialect(&self, dialect: Dialect) -> Result<Arc<Value>, SchemaError> {
        self.renderings.render(&self.input_schema, dialect)
    }

    /// Names of the arguments that have no description, in alphabetical order.
    ///
    /// A model guesses the meaning of such an argument from its name. A test of yours can refuse them:
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, Tool};
    ///
    /// /// Sends a letter.
    /// #[async_tool]
    /// async fn send_letter(
    ///     /// Full name of the recipient.
    ///     to: String,
    ///     text: String,
    /// ) {
    ///     # let _ = (to, text);
    /// }
    ///
    /// assert_eq!(send_letter::tool().definition().undescribed(), ["text"]);
    /// ```
    #[must_use]
    pub fn undescribed(&self) -> Vec<String> {
        let properties = self.input_schema.get("properties").and_then(Value::as_object);
        let names = properties
            .into_iter()
            .flatten()
            .filter(|(_, schema)| !self.is_described(schema));
        let mut names: Vec<String> = names.map(|(name, _)| name.clone()).collect();
        names.sort_unstable();
        names
    }

    /// True if a schema, or the definition that it refers to, has a description.
    fn is_described(&self, schema: &Value) -> bool {
        let referred = schema.get("$ref").and_then(Value::as_str);
        let definition = referred.and_then(|path| self.input_schema.pointer(path.strip_prefix('#')?));
        [Some(schema), definition]
            .into_iter()
            .flatten()
            .any(|schema| schema.get("description").is_some())
    }

    /// Checks the name of a tool: 1 to 64 ASCII letters, digits, `_` and `-`, the first a letter or `_`.
    ///
    /// The characters are those of OpenAI and Anthropic (`^[a-zA-Z0-9_-]{1,64}$`), the first one is Gemini's rule. All other providers accept
    /// such names too.
    pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
        if name.is_empty() {
            Err("a tool's name must not be empty")
        } else if name.len() > 64 {
            Err("a tool's name must not be longer than 64 characters")
        } else if !name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        {
            Err("a tool's name must be made of ASCII letters, digits, `_` and `-`")
        } else if name.starts_with(|first: char| first.is_ascii_digit() || first == '-') {
            Err("a tool's name must begin with a letter or `_`")
        } else {
            Ok(())
        }
    }
}
