//! Spans of a session.

use std::collections::HashMap;

use async_tool_runtime::{SessionId, TaskId, task::Timestamp};

use super::id::{SpanId, TraceId};

/// Trace of a session: its spans, and events of the session itself.
pub(crate) struct SessionTrace {
    pub(super) session: SessionId,
    /// The task that the session works for, if its agent is a tool.
    pub(super) works_for: Option<TaskId>,
    /// A parent stands before its children.
    pub(super) spans: Vec<Span>,
    /// Events that belong to no span.
    pub(super) events: Vec<Event>,
}

/// Piece of work with a beginning and an end.
pub(crate) struct Span {
    pub(super) trace: TraceId,
    pub(super) id: SpanId,
    pub(super) parent: Option<SpanId>,
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    /// True if the journal has no end of it.
    pub(super) is_open: bool,
    /// Kind of the error with which it ended.
    pub(super) error: Option<String>,
    /// Text of the error, if contents are wanted.
    pub(super) error_text: Option<String>,
    pub(super) attributes: Vec<(&'static str, Value)>,
    pub(super) events: Vec<Event>,
    pub(super) links: Vec<Link>,
    /// Parts of a task's time, without gaps.
    pub(super) phases: Vec<Phase>,
}

/// Kind of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A message of the user.
    Message,
    /// Turns of the agent, from the news that wakes it.
    Invocation,
    /// A turn of the model.
    Turn,
    /// A call.
    Task,
    /// A message to the model with late results.
    Delivery,
}

/// Value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Texts(Vec<String>),
    Number(u64),
    Flag(bool),
}

/// Moment with a name.
pub(crate) struct Event {
    pub(super) name: String,
    pub(super) at: Timestamp,
    pub(super) attributes: Vec<(&'static str, Value)>,
}

/// Reference to a span that is no parent, perhaps of another trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(super) trace: TraceId,
    pub(super) id: SpanId,
}

/// Part of a task's time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Phase {
    pub(super) name: String,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
}

impl Span {
    pub(super) const fn link(&self) -> Link {
        Link {
            trace: self.trace,
            id: self.id,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Puts sessions of sub-agents into the traces of the tasks that they work for.
pub(crate) fn join(sessions: &mut [SessionTrace]) {
    let mut tasks = HashMap::new();
    for (place, session) in sessions.iter().enumerate() {
        for span in session.spans.iter().filter(|span| span.kind == Kind::Task) {
            tasks.insert(span.id, (place, span.trace));
        }
    }
    for place in 0..sessions.len() {
        let Some((above, own)) = owner(sessions, &tasks, place) else {
            continue;
        };
        // The trace of the topmost session. A damaged journal may have a circle, which ends after all sessions.
        let (mut at, mut trace) = above;
        for _ in 0..sessions.len() {
            let Some(((higher, higher_trace), _)) = owner(sessions, &tasks, at) else {
                break;
            };
            (at, trace) = (higher, higher_trace);
        }
        for span in &mut sessions[place].spans {
            span.trace = trace;
            span.parent = span.parent.or(Some(own));
            // All links but those of messages are within the session.
            if span.kind != Kind::Message {
                span.links.iter_mut().for_each(|link| link.trace = trace);
            }
        }
    }
}

/// Session and trace of the task that a session works for, and the task's span.
fn owner(
    sessions: &[SessionTrace],
    tasks: &HashMap<SpanId, (usize, TraceId)>,
    place: usize,
) -> Option<((usize, TraceId), SpanId)> {
    let id = SpanId::task(sessions[place].works_for?);
    let (above, trace) = tasks.get(&id).copied()?;
    (above != place).then_some(((above, trace), id))
}
