//! Names of Mistral's models.

/// True for names of Mistral's models. Servers of them refuse a message of the user directly behind answers to calls (code 3230,
/// "Unexpected role 'user' after role 'tool'").
///
/// ```
/// use async_tool_wire::is_mistral;
///
/// assert!(is_mistral("mistralai/Devstral-Small-2507"));
/// assert!(!is_mistral("gpt-5-mini"));
/// ```
#[must_use]
pub fn is_mistral(model: &str) -> bool {
    let model = model.to_ascii_lowercase();
    [
        "mistral",
        "mixtral",
        "ministral",
        "devstral",
        "magistral",
        "codestral",
        "pixtral",
        "voxtral",
    ]
    .iter()
    .any(|family| model.contains(family))
}
