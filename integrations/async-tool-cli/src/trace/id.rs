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
