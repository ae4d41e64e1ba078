//! All that generated code may name. Not part of the public API: anything here can change in any release.

pub use ::core::result::Result;
pub use ::core::time::Duration;
pub use ::schemars;
pub use ::serde;
pub use ::serde_json::Value;
pub use ::std::sync::OnceLock;

pub use crate::tool::output::{
    DisplayFailure, NoSchema, OpaqueResultSchema, OutputSchema, PlainOutput, PlainSchema, Probe, ResultSchema,
    SourceFailure, probe,
};
pub use crate::tool::{Background, BoundCall, Effect, FromToolContext, FunctionTool, ToolDefinition, ToolError};

/// The definition of a tool whose arguments are read as `A`, without a notice.
#[must_use]
pub fn define<A: schemars::JsonSchema>(name: &str, description: &str, output: OutputSchema) -> ToolDefinition {
    let definition = ToolDefinition::new(
        name,
        crate::schema::join_paragraphs(description),
        crate::schema::of_input::<A>(),
    );
    match output {
        Some(schema) => definition.with_output_schema(schema()),
        None => definition,
    }
}

/// Reads the arguments of a call.
///
/// # Errors
///
/// What doesn't fit, and where.
pub fn bind<A: serde::de::DeserializeOwned>(definition: &ToolDefinition, arguments: &Value) -> Result<A, ToolError> {
    crate::tool::bind(&definition.input_schema, arguments)
}
