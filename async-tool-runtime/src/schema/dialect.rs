//! Dialects of JSON Schema that providers accept.

use std::fmt;

/// Form of JSON Schema that a provider accepts for a tool's arguments, for
/// [`ToolDefinition::for_dialect`](crate::tool::ToolDefinition::for_dialect).
///
/// A dialect never drops a limit: a keyword that it lacks goes into the description in words, or gives a
/// [`SchemaError`](crate::schema::SchemaError).
///
/// ```
/// use async_tool_runtime::{schema::Dialect, ToolDefinition};
/// use serde_json::json;
///
/// let input = json!({"type": "object", "properties": {"limit": {"type": "integer", "minimum": 1}}});
/// let definition = ToolDefinition::new("search", "Searches.", input);
/// let strict = definition.for_dialect(Dialect::AnthropicStrict)?;
/// assert_eq!(strict["properties"]["limit"], json!({"type": "integer", "description": "At least 1."}));
/// # Ok::<_, async_tool_runtime::schema::SchemaError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// JSON Schema 2020-12 in the form that MCP and most models accept.
    Plain,
    /// OpenAI's function calling without strict mode: like [`Plain`](Self::Plain), without alternatives at the root.
    OpenAi,
    /// OpenAI's function calling with `strict: true`. An optional property becomes nullable and required, so pass the
    /// arguments through [`strip_invented_nulls`](crate::schema::strip_invented_nulls) before they are bound.
    OpenAiStrict,
    /// Anthropic's `input_schema`.
    Anthropic,
    /// Anthropic's `input_schema` with `strict: true`.
    AnthropicStrict,
    /// `parameters` of Gemini's function declarations, a subset of OpenAPI 3.0.
    ///
    /// The value is `null` if the tool has no arguments; then omit the field.
    Gemini,
    /// `parametersJsonSchema` of Gemini's function declarations.
    GeminiJsonSchema,
    /// `toolSpec.inputSchema.json` of Bedrock's Converse API.
    Bedrock,
}

impl Dialect {
    /// Every dialect.
    ///
    /// ```
    /// use async_tool_runtime::{schema::Dialect, ToolDefinition};
    ///
    /// // Test that every provider accepts a tool.
    /// let definition = ToolDefinition::new("now", "Tells the time.", serde_json::json!({"type": "object"}));
    /// for dialect in Dialect::ALL {
    ///     assert!(definition.for_dialect(*dialect).is_ok(), "{dialect}");
    /// }
    /// ```
    pub const ALL: &'static [Self] = &[
        Self::Plain,
        Self::OpenAi,
        Self::OpenAiStrict,
        Self::Anthropic,
        Self::AnthropicStrict,
        Self::Gemini,
        Self::GeminiJsonSchema,
        Self::Bedrock,
    ];
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain JSON Schema",
            Self::OpenAi => "OpenAI's function calling",
            Self::OpenAiStrict => "OpenAI's strict mode",
            Self::Anthropic => "Anthropic's API",
            Self::AnthropicStrict => "Anthropic's strict mode",
            Self::Gemini => "Gemini's `parameters`",
            Self::GeminiJsonSchema => "Gemini's `parametersJsonSchema`",
            Self::Bedrock => "Bedrock's Converse API",
        })
    }
}
