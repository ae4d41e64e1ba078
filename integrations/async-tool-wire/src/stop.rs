//! Words by which providers say why a turn stopped.

/// True for reasons of a failed turn: Gemini's and Bedrock's for calls that the model couldn't write, and those of failed responses.
///
/// ```
/// assert!(async_tool_wire::is_failure("MALFORMED_FUNCTION_CALL"));
/// assert!(!async_tool_wire::is_failure("stop"));
/// ```
#[must_use]
pub fn is_failure(reason: &str) -> bool {
    matches!(
        reason,
        "MALFORMED_FUNCTION_CALL"
            | "UNEXPECTED_TOOL_CALL"
            | "MALFORMED_RESPONSE"
            | "failed"
            | "cancelled"
            | "ERROR"
            | "error"
            | "malformed_model_output"
            | "malformed_tool_use"
    )
}

/// True for reasons of filters, and of models that refuse.
///
/// ```
/// assert!(async_tool_wire::is_refusal("content_filter"));
/// assert!(!async_tool_wire::is_refusal("length"));
/// ```
#[must_use]
pub fn is_refusal(reason: &str) -> bool {
    matches!(
        reason,
        "content_filter"
            | "refusal"
            | "SAFETY"
            | "RECITATION"
            | "BLOCKLIST"
            | "PROHIBITED_CONTENT"
            | "SPII"
            | "IMAGE_SAFETY"
            | "IMAGE_PROHIBITED_CONTENT"
            | "IMAGE_RECITATION"
            | "LANGUAGE"
            | "ERROR_TOXIC"
            | "guardrail_intervened"
            | "content_filtered"
    )
}
