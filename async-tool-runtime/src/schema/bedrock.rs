//! `toolSpec.inputSchema.json` of Bedrock's Converse API.
//!
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolInputSchema.html>: the type at the top
//! level must be `object`. Converse passes the rest of the schema to the model, so the accepted keywords depend on the
//! model. Alternatives at the root are refused, because neither Claude nor Nova accepts them there.

use serde_json::Value;

use super::{document::Document, object::check_root_without_alternatives, plain::clean, refusal::Refusal};

/// The schema for Converse.
pub(super) fn render(source: &Value) -> Result<Value, Refusal> {
    let mut document = Document::new(source)?;
    document.change(clean);
    check_root_without_alternatives(&mut document)?;
    Ok(document.into_value())
}
