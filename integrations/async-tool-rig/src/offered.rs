//! Definitions of tools, as rig wants them.

use async_tool_runtime::{ToolDefinition, model::ModelError, schema::Dialect};
use rig_core::message::ToolName;

/// Translates a definition.
///
/// # Errors
///
/// The dialect can't express the tool's schema.
pub(crate) fn definition(
    definition: &ToolDefinition,
    dialect: Dialect,
) -> Result<rig_core::completion::ToolDefinition, ModelError> {
    let refused = |why: String| {
        ModelError::permanent(format!(
            "the tool `{}` can't be sent to the model: {why}",
            definition.name
        ))
    };
    let schema = definition
        .for_dialect(dialect)
        .map_err(|error| refused(error.to_string()))?;
    let name = ToolName::new(&*definition.name).map_err(|error| refused(error.to_string()))?;
    Ok(rig_core::completion::ToolDefinition::new(
        name,
        &*definition.description,
        (*schema).clone(),
    ))
}

/// Name that every provider accepts. Models call tools by invented names, and those calls are in the conversation too.
pub(crate) fn plain_name(name: &str) -> ToolName {
    let plain: String = name
        .chars()
        .take(64)
        .map(|letter| {
            let is_plain = letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
            if is_plain { letter } else { '_' }
        })
        .collect();
    let plain = if plain.is_empty() { "unknown".to_owned() } else { plain };
    ToolName::new(plain).expect("the name isn't empty")
}
