//! Tests of the conversion.

use super::*;

fn failure(status: u16, body: &str) -> ModelError {
    let status = StatusCode::from_u16(status).unwrap();
    let refused = Refused::new(status, &HeaderMap::new(), body.to_owned());
    Failures::new("sk-canary-123".into()).refused(&refused)
}

#[test]
fn what_passes_is_tried_again_and_what_stays_is_not() {
    for status in [408, 409, 429, 500, 502, 503, 504, 529] {
        assert!(failure(status, "").retryable(), "{status}");
    }
    for status in [301, 400, 401, 403, 404, 422] {
        assert!(!failure(status, "").retryable(), "{status}");
    }
    let no_credit = r#"{"error": {"message": "You exceeded your current quota.", "code": "insufficient_quota"}}"#;
    assert!(!failure(429, no_credit).retryable());
}

#[test]
fn a_conversation_that_is_too_long_is_known_by_its_code_or_its_words() {
    let by_code = r#"{"error": {"message": "no", "code": "context_length_exceeded"}}"#;
    let by_words = r#"{"error": {"message": "Your input exceeds the context window of this model."}}"#;
    let by_rate = "Request too large for gpt-6 on tokens per min (TPM): Limit 30000, Requested 45000.";
    for (status, body) in [(400, by_code), (400, by_words), (413, ""), (429, by_rate)] {
        let error = failure(status, body);
        assert!(error.is_too_long() && !error.retryable(), "{body}");
    }
    assert!(!failure(400, r#"{"error": {"message": "no such tool", "code": "invalid"}}"#).is_too_long());
}

#[test]
fn the_providers_message_is_kept_and_the_key_is_not() {
    let body = r#"{"error": {"message": "Incorrect API key provided: sk-canary-123.", "code": "invalid_api_key"}}"#;
    let error = failure(401, body);
    assert_eq!(
        error.to_string(),
        "the provider answered 401 Unauthorized: Incorrect API key provided: [key]. (invalid_api_key)"
    );
    assert!(
        !failure(502, "<html>sk-canary-123</html>")
            .to_string()
            .contains("canary")
    );
    assert!(!format!("{:?}", Failures::new("sk-canary-123".into())).contains("canary"));
}

#[test]
fn an_error_in_a_stream_passes_by_its_code() {
    let failures = Failures::new("".into());
    let reported = |code: &str| failures.reported(&serde_json::json!({"code": code, "message": "m"}));
    assert!(reported("server_error").retryable());
    assert!(reported("rate_limit_exceeded").retryable());
    assert!(!reported("invalid_prompt").retryable());
    assert!(reported("context_length_exceeded").is_too_long());
    assert!(failures.reported(&Value::Null).retryable());
}

#[test]
fn an_error_in_a_stream_passes_by_a_status_or_a_type_in_any_case() {
    let failures = Failures::new("".into());
    let reported = |mut error: Value| {
        error["message"] = serde_json::json!("m");
        failures.reported(&error)
    };
    for (error, passes) in [
        (serde_json::json!({"type": "InternalServerError", "code": 500}), true),
        (serde_json::json!({"type": "ServiceUnavailableError"}), true),
        (serde_json::json!({"type": "SERVER_ERROR"}), true),
        (serde_json::json!({"type": "APIServerError"}), true),
        (serde_json::json!({"code": 429}), true),
        (serde_json::json!({"code": "503"}), true),
        (serde_json::json!({"type": "server_error", "code": 402}), false),
        (serde_json::json!({"type": "BadRequestError", "code": 400}), false),
        (serde_json::json!({"type": "BadRequestError", "code": "1261"}), false),
        (serde_json::json!({"type": "BadRequestError"}), false),
    ] {
        assert_eq!(reported(error.clone()).retryable(), passes, "{error}");
    }
    assert!(reported(serde_json::json!({"code": 413})).is_too_long());
}
