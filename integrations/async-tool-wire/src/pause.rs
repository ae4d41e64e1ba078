//! Pauses before a retry, as servers ask for them.

use std::time::{Duration, SystemTime};

use serde_json::Value;

/// Returns the pause that the headers of an answer ask for: `retry-after-ms` (OpenAI, Azure), or `retry-after` in seconds or as a date
/// ([RFC 9110, 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)). A date in the past is no pause at all. `header` returns
/// the value of a header by its name in lower case.
///
/// ```
/// use async_tool_wire::retry_after;
/// use std::time::{Duration, SystemTime};
///
/// let after = retry_after(|name| (name == "retry-after").then_some("7"), SystemTime::now());
/// assert_eq!(after, Some(Duration::from_secs(7)));
/// ```
pub fn retry_after<'a>(header: impl Fn(&str) -> Option<&'a str>, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| header(name).map(str::trim);
    let millis = text("retry-after-ms").and_then(|text| text.parse::<f64>().ok());
    if let Some(after) = millis.and_then(|millis| Duration::try_from_secs_f64(millis / 1_000.0).ok()) {
        return Some(after);
    }
    let value = text("retry-after")?;
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(now).unwrap_or_default())
}

/// Returns the pause in Gemini's `RetryInfo`, such as `"retryDelay": "34s"`. `body` is an error body, or the list that a stream has of
/// them.
///
/// ```
/// use async_tool_wire::retry_delay;
/// use std::time::Duration;
///
/// let body = serde_json::json!({"error": {"details": [{"retryDelay": "34.5s"}]}});
/// assert_eq!(retry_delay(&body), Some(Duration::from_millis(34_500)));
/// ```
#[must_use]
pub fn retry_delay(body: &Value) -> Option<Duration> {
    let body = body.get(0).unwrap_or(body);
    let details = body.get("error").unwrap_or(body).get("details")?.as_array()?;
    let delay = details.iter().find_map(|detail| detail.get("retryDelay")?.as_str())?;
    let seconds: f64 = delay.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_is_read_in_every_form() {
        let now = httpdate::parse_http_date("Wed, 21 Oct 2026 07:28:00 GMT").unwrap();
        let table = [
            ("retry-after", "7", Some(Duration::from_secs(7))),
            ("retry-after", " 0.5 ", Some(Duration::from_millis(500))),
            (
                "retry-after",
                "Wed, 21 Oct 2026 07:28:30 GMT",
                Some(Duration::from_secs(30)),
            ),
            ("retry-after", "Wed, 21 Oct 2026 07:27:30 GMT", Some(Duration::ZERO)),
            ("retry-after", "soon", None),
            ("retry-after", "-1", None),
            ("retry-after-ms", "1500", Some(Duration::from_millis(1_500))),
            ("retry-after-ms", "-1", None),
        ];
        for (name, value, expected) in table {
            let found = retry_after(|asked| (asked == name).then_some(value), now);
            assert_eq!(found, expected, "{name}: {value}");
        }
        // The other header counts if the first one is wrong.
        let both = |name: &str| Some(if name == "retry-after" { "2" } else { "-1" });
        assert_eq!(retry_after(both, now), Some(Duration::from_secs(2)));
    }
}
