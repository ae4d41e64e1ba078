//! OpenTelemetry's JSON: the body of `POST /v1/traces`, which viewers also open as a file.
//!
//! See <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>: ids are hexadecimal, 64-bit numbers are texts, enums are numbers.

use async_tool_runtime::task::Timestamp;
use serde_json::{Value as Json, json};

use super::span::{Event, Kind, Link, SessionTrace, Span, Value};

const INTERNAL: u32 = 1;
const CLIENT: u32 = 3;
const STATUS_ERROR: u32 = 2;

/// One request with the spans of all sessions.
pub(crate) fn otlp(sessions: &[SessionTrace]) -> Json {
    let spans = sessions.iter().flat_map(|session| &session.spans).map(span);
    json!({"resourceSpans": [{
        "resource": {"attributes": [attribute("service.name", &Value::from("async-tool"))]},
        "scopeSpans": [{
            "scope": {"name": "async-tool journal", "version": env!("CARGO_PKG_VERSION")},
            "spans": spans.collect::<Vec<_>>(),
        }],
    }]})
}

fn span(span: &Span) -> Json {
    let mut attributes = attributes(&span.attributes);
    let mut status = json!({});
    if let Some(error) = &span.error {
        attributes.push(attribute("error.type", &Value::from(error.as_str())));
        status = json!({"code": STATUS_ERROR, "message": span.error_text.as_deref().unwrap_or_default()});
    }
    let mut json = json!({
        "traceId": span.trace.to_string(),
        "spanId": span.id.to_string(),
        "name": span.name,
        "kind": if span.kind == Kind::Turn { CLIENT } else { INTERNAL },
        "startTimeUnixNano": nanos(span.start),
        "endTimeUnixNano": nanos(span.end),
        "attributes": attributes,
        "events": span.events.iter().map(event).collect::<Vec<_>>(),
        "links": span.links.iter().map(link).collect::<Vec<_>>(),
        "status": status,
    });
    if let Some(parent) = span.parent {
        json["parentSpanId"] = parent.to_string().into();
    }
    json
}

fn event(event: &Event) -> Json {
    json!({"timeUnixNano": nanos(event.at), "name": event.name, "attributes": attributes(&event.attributes)})
}

fn link(link: &Link) -> Json {
    json!({"traceId": link.trace.to_string(), "spanId": link.id.to_string()})
}

fn attributes(attributes: &[(&'static str, Value)]) -> Vec<Json> {
    attributes.iter().map(|(name, value)| attribute(name, value)).collect()
}

fn attribute(name: &str, value: &Value) -> Json {
    let text = |text: &String| json!({"stringValue": text});
    let value = match value {
        Value::Text(value) => text(value),
        Value::Texts(values) => json!({"arrayValue": {"values": values.iter().map(text).collect::<Vec<_>>()}}),
        Value::Number(value) => json!({"intValue": value.to_string()}),
        Value::Flag(value) => json!({"boolValue": value}),
    };
    json!({"key": name, "value": value})
}

fn nanos(at: Timestamp) -> String {
    at.as_millis().saturating_mul(1_000_000).to_string()
}
