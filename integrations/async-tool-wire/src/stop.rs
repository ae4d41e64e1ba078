//! Words by which providers say why a turn stopped.

/// True for reasons of a failed turn: calls that the model couldn't write, a server without resources, a failed response.
///
/// ```
/// assert!(async_tool_wire::is_failure("MALFORMED_FUNCTION_CALL"));
/// assert!(!async_tool_wire::is_failure("stop"));
/// ```
#[must_use]
pub fn is_failure(reason: &str) -> bool {
    matches!(
        reason,
        // Gemini
        "MALFORMED_FUNCTION_CALL"
            | "UNEXPECTED_TOOL_CALL"
            | "MALFORMED_RESPONSE"
            | "TOO_MANY_TOOL_CALLS"
            | "MISSING_THOUGHT_SIGNATURE"
            | "OTHER"
            | "FINISH_REASON_UNSPECIFIED"
            // DeepSeek
            | "insufficient_system_resource"
            // Z.ai
            | "network_error"
            // Responses, Cohere, routers
            | "failed"
            | "cancelled"
            | "ERROR"
            | "error"
            // Bedrock
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
            | "MODEL_ARMOR"
            | "JAILBREAK"
            | "guardrail_intervened"
            | "content_filtered"
            // Z.ai
            | "sensitive"
    )
}

/// True for reasons that say that a limit of tokens cut the turn.
///
/// ```
/// assert!(async_tool_wire::is_cut("max_tokens"));
/// assert!(!async_tool_wire::is_cut("stop"));
/// ```
#[must_use]
pub fn is_cut(reason: &str) -> bool {
    matches!(
        reason,
        "length" | "max_tokens" | "MAX_TOKENS" | "incomplete" | "model_context_window_exceeded" | "model_length"
    )
}

/// True for reasons of turns that the model itself ended. After any other reason, a call without arguments may have lost them.
///
/// ```
/// assert!(async_tool_wire::is_end("tool_calls"));
/// assert!(!async_tool_wire::is_end("overheated"));
/// ```
#[must_use]
pub fn is_end(reason: &str) -> bool {
    matches!(
        reason,
        "stop"
            | "STOP"
            | "end"
            | "end_turn"
            | "eos"
            | "eos_token"
            | "stop_sequence"
            | "completed"
            | "tool_calls"
            | "tool_use"
            | "function_call"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_of_one_kind() {
        for (reason, kind) in [
            ("insufficient_system_resource", "failure"),
            ("network_error", "failure"),
            ("OTHER", "failure"),
            ("TOO_MANY_TOOL_CALLS", "failure"),
            ("MISSING_THOUGHT_SIGNATURE", "failure"),
            ("FINISH_REASON_UNSPECIFIED", "failure"),
            ("malformed_tool_use", "failure"),
            ("sensitive", "refusal"),
            ("MODEL_ARMOR", "refusal"),
            ("SAFETY", "refusal"),
            ("refusal", "refusal"),
            ("length", "cut"),
            ("model_length", "cut"),
            ("stop", "end"),
            ("STOP", "end"),
            ("tool_use", "end"),
            ("overheated", ""),
        ] {
            let kinds = [
                (is_failure(reason), "failure"),
                (is_refusal(reason), "refusal"),
                (is_cut(reason), "cut"),
                (is_end(reason), "end"),
            ];
            let found: Vec<&str> = kinds.iter().filter(|(is, _)| *is).map(|(_, kind)| *kind).collect();
            assert_eq!(found.concat(), kind, "{reason}");
        }
    }
}
