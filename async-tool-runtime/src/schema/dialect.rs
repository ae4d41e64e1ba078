//! The dialects of JSON Schema that providers take.

use std::fmt;

use serde_json::Value;

use super::{SchemaError, anthropic, bedrock, gemini, openai, plain};

/// How a provider wants the schema of a tool's arguments, for [`ToolDefinition::for_dialect`](crate::ToolDefinition::for_dialect).
///
/// No dialect loses anything: a keyword that it doesn't have goes into the description in words, or is a [`SchemaError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// JSON Schema 2020-12 in the form that most readers understand, and what MCP takes.
    Plain,
    /// OpenAI's function calling with `strict: true`. What may be left out becomes nullable and required: pass the arguments
    /// through [`strip_invented_nulls`](crate::strip_invented_nulls) before they are bound.
    OpenAiStrict,
    /// Anthropic's `input_schema`.
    Anthropic,
    /// Anthropic's `input_schema` with `strict: true`.
    AnthropicStrict,
    /// `parameters` of Gemini's function declarations, a subset of OpenAPI 3.0.
    ///
    /// The value is `null` if the tool has no arguments: the field must then be left out.
    Gemini,
    /// `parametersJsonSchema` of Gemini's function declarations.
    GeminiJsonSchema,
    /// `toolSpec.inputSchema.json` of Bedrock's Converse API.
    Bedrock,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: &'static [Self] = &[
        Self::Plain,
        Self::OpenAiStrict,
        Self::Anthropic,
        Self::AnthropicStrict,
        Self::Gemini,
        Self::GeminiJsonSchema,
        Self::Bedrock,
    ];

    /// The schema of a tool's arguments in this dialect.
    pub(crate) fn render(self, schema: &Value) -> Result<Value, SchemaError> {
        // A feature of serde_json, which any crate in the program can turn on, keeps the order in which keys came. What a provider is sent,
        // and caches by its bytes, is the same with it and without it.
        let mut schema = schema.clone();
        schema.sort_all_objects();
        let rendered = match self {
            Self::Plain => plain::render(&schema),
            Self::OpenAiStrict => openai::render_strict(&schema),
            Self::Anthropic => anthropic::render(&schema),
            Self::AnthropicStrict => anthropic::render_strict(&schema),
            Self::Gemini => gemini::render(&schema),
            Self::GeminiJsonSchema => gemini::render_json_schema(&schema),
            Self::Bedrock => bedrock::render(&schema),
        };
        let mut rendered = rendered.map_err(|refusal| SchemaError::new(self, refusal))?;
        rendered.sort_all_objects();
        Ok(rendered)
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain JSON Schema",
            Self::OpenAiStrict => "OpenAI's strict mode",
            Self::Anthropic => "Anthropic's API",
            Self::AnthropicStrict => "Anthropic's strict mode",
            Self::Gemini => "Gemini's `parameters`",
            Self::GeminiJsonSchema => "Gemini's `parametersJsonSchema`",
            Self::Bedrock => "Bedrock's Converse API",
        })
    }
}
