//! A tool as the model is told of it.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::schema::{Dialect, Renderings, SchemaError};

/// A tool as the model is told of it: name, description and schemas. Cheap to clone; clones share their schemas.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ToolDefinition {
    /// What the model calls the tool: 1 to 64 letters, digits, `_` and `-`.
    pub name: Arc<str>,
    /// What the tool does, with the async notice where a call can outlive the turn.
    pub description: Arc<str>,
    /// JSON Schema of the arguments: an object.
    pub input_schema: Arc<Value>,
    /// JSON Schema of the result, where its type has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Arc<Value>>,
    #[serde(skip)]
    renderings: Renderings,
}

impl ToolDefinition {
    /// What is appended to the description of a tool whose calls can outlive the turn.
    ///
    /// It says what will happen and that results must not be made up. It does not describe the message that will carry the
    /// result: models imitate what is described to them.
    pub const NOTICE: &'static str = "This tool can run in the background: if it takes long, the call is acknowledged with a task id, you go on with \
         other work, and the result is given to you when it is ready. Never make up or guess a result that has not been given to you.";

    /// What is appended to the description of a tool whose arguments may be [futures](crate::task::FutureArgument). How one is written, the schema says.
    pub const FUTURES: &'static str =
        "An argument can stand for what another task will give: the call then starts when that task has ended.";

    /// A definition without an output schema.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, description: impl Into<Arc<str>>, input_schema: Value) -> Self {
        let input_schema = Arc::new(input_schema);
        Self {
            name: name.into(),
            description: description.into(),
            renderings: Renderings::of(&input_schema),
            input_schema,
            output_schema: None,
        }
    }

    /// The same definition with a schema of the result.
    #[must_use]
    pub fn with_output_schema(mut self, schema: Value) -> Self {
        self.output_schema = Some(Arc::new(schema));
        self
    }

    /// The schema of the arguments in the dialect of a provider.
    ///
    /// It is built when it is first asked for, once, and shared by pointer, also across threads and with the clones of this
    /// definition: providers cache prompts by their bytes. If [`input_schema`](Self::input_schema) is replaced, it is built anew.
    ///
    /// # Errors
    ///
    /// The schema says something that the dialect can't, and that words in a description can't stand for. The same error
    /// comes every time, so one call per tool before the first request finds them all.
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

    /// What is wrong with `name` as the name of a tool, if anything: providers take 1 to 64 ASCII letters, digits, `_` and
    /// `-`.
    ///
    /// The rule is OpenAI's and Anthropic's (`^[a-zA-Z0-9_-]{1,64}$`); the other providers' names include these.
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
        } else {
            Ok(())
        }
    }
}
