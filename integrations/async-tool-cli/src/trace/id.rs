//! Ids of traces and spans. The same journal always gives the same ids, so a second import adds nothing.

use std::fmt;

use async_tool_runtime::{SessionId, TaskId, task::Timestamp};
use uuid::Uuid;

/// Id of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TraceId([u8; 16]);

/// Id of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SpanId([u8; 8]);

/// Source of the ids of a session.
pub(super) struct Ids(Uuid);

/// Ids in a W3C `traceparent`: `00-<trace>-<span>-<flags>`.
pub(super) fn of_traceparent(text: &str) -> Option<(TraceId, SpanId)> {
    let mut parts = text.split('-').skip(1);
    let (mut trace, mut span) = ([0; 16], [0; 8]);
    read_hex(parts.next()?, &mut trace)?;
    read_hex(parts.next()?, &mut span)?;
    Some((TraceId(trace), SpanId(span)))
}

fn read_hex(text: &str, to: &mut [u8]) -> Option<()> {
    if text.len() != 2 * to.len() || !text.is_ascii() {
        return None;
    }
    for (place, byte) in to.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(())
}

impl Ids {
    /// Sessions of the same name in other journals began at another time.
    pub(super) fn new(session: &SessionId, began: Timestamp) -> Self {
        let name = format!("async-tool session {} {}", began.as_millis(), session.as_str());
        Self(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()))
    }

    /// Id of the trace that begins with the entry at `place`.
    pub(super) fn trace(&self, place: usize) -> TraceId {
        TraceId(Uuid::new_v5(&self.0, format!("trace {place}").as_bytes()).into_bytes())
    }

    /// Id of the span `what` that begins with the entry at `place`.
    pub(super) fn span(&self, what: &str, place: usize) -> SpanId {
        SpanId::of(Uuid::new_v5(&self.0, format!("{what} {place}").as_bytes()))
    }
}

impl SpanId {
    /// Id of the span of a task. A session of a sub-agent knows its task's id, and nothing more of it.
    pub(super) fn task(task: TaskId) -> Self {
        Self::of(Uuid::new_v5(
            &Uuid::NAMESPACE_OID,
            format!("async-tool task {task}").as_bytes(),
        ))
    }

    /// The half with the variant's bits: it is never zero, which would be no id.
    fn of(uuid: Uuid) -> Self {
        let mut half = [0; 8];
        half.copy_from_slice(&uuid.as_bytes()[8..]);
        Self(half)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_of_a_traceparent_are_read_and_of_other_texts_none() {
        let (trace, span) = of_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
        assert_eq!(trace.to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(span.to_string(), "b7ad6b7169203331");
        for text in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c",
            "00-0af7-b7ad6b7169203331-01",
            "00-éaf7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
            "00-xaf7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(of_traceparent(text), None, "{text}");
        }
    }
}
