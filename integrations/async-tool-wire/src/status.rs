//! Statuses: those that another try may mend, and those in errors that come with the status of a success.

use serde_json::Value;

/// True for HTTP statuses of failures that another try may mend.
///
/// ```
/// assert!(async_tool_wire::is_passing(503));
/// assert!(!async_tool_wire::is_passing(402));
/// ```
#[must_use]
pub const fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 409 | 429 | 500..=599)
}

/// The HTTP status that an error gives as its code, as a number or in digits: routers write it so in a stream.
///
/// ```
/// use async_tool_wire::error_status;
/// use serde_json::json;
///
/// assert_eq!(error_status(&json!({"code": 402, "message": "no credit"})), Some(402));
/// assert_eq!(error_status(&json!({"code": "rate_limit_exceeded"})), None);
/// ```
#[must_use]
pub fn error_status(error: &Value) -> Option<u16> {
    let code = error.get("code")?;
    let code = code.as_u64().or_else(|| code.as_str()?.parse().ok())?;
    u16::try_from(code).ok().filter(|code| (400..600).contains(code))
}
