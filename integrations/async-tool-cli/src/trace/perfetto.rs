//! Chrome's trace events, which Perfetto and `chrome://tracing` open.
//!
//! A session is a process. Its first track has the agent's invocations with the model's turns in them; calls stand on as many tracks as run
//! at a time, each with its phases. Arrows lead from a turn to its calls, and from a result to the turn that was told it.
//!
//! The format is described in <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>. Slices of one track have to
//! be nested, so a slice that is shorter than the clock's millisecond lasts one microsecond, and moves what follows.

use std::collections::HashMap;

use async_tool_runtime::task::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::{
    id::SpanId,
    lanes::Lanes,
    span::{Event, Kind, SessionTrace, Span, Value},
};

/// Track of the agent's own work; lanes of calls follow.
const AGENT: u64 = 1;
/// Shortest slice, in microseconds.
const SHORTEST: u64 = 1;

/// Trace of all sessions.
pub(crate) fn perfetto(sessions: &[SessionTrace]) -> Json {
    let mut drawing = Drawing::default();
    for (session, process) in sessions.iter().zip(1..) {
        drawing.session(session, process);
    }
    for session in sessions {
        drawing.arrows(session);
    }
    json!({"displayTimeUnit": "ms", "traceEvents": drawing.events})
}

/// Slice as it was drawn, in microseconds.
#[derive(Clone, Copy)]
struct Slice {
    process: u64,
    track: u64,
    start: u64,
    end: u64,
}

#[derive(Default)]
struct Drawing {
    events: Vec<Json>,
    slices: HashMap<SpanId, Slice>,
    arrows: u64,
}

impl Drawing {
    fn session(&mut self, session: &SessionTrace, process: u64) {
        self.name("process_name", process, AGENT, session.session.as_str());
        self.name("thread_name", process, AGENT, "agent");
        self.agent(session, process);
        self.tasks(session, process);
        for event in &session.events {
            self.moment(event, process, AGENT, "p");
        }
        self.open_tasks(session, process);
    }

    fn name(&mut self, what: &str, process: u64, track: u64, name: &str) {
        let event = json!({"ph": "M", "name": what, "pid": process, "tid": track, "args": {"name": name}});
        self.events.push(event);
    }

    /// Draws the invocations, one after the other, with what is in them.
    fn agent(&mut self, session: &SessionTrace, process: u64) {
        let mut inside: HashMap<SpanId, Vec<&Span>> = HashMap::new();
        for span in &session.spans {
            if let (Kind::Turn | Kind::Delivery, Some(parent)) = (span.kind, span.parent) {
                inside.entry(parent).or_default().push(span);
            }
        }
        let mut free = 0;
        for span in &session.spans {
            match span.kind {
                Kind::Message => {
                    let event = Event {
                        name: span.name.clone(),
                        at: span.start,
                        attributes: span.attributes.clone(),
                    };
                    self.moment(&event, process, AGENT, "t");
                }
                Kind::Invocation => {
                    let mut parts = inside.remove(&span.id).unwrap_or_default();
                    parts.sort_by_key(|part| part.start);
                    let start = micros(span.start).max(free);
                    let mut places = Vec::with_capacity(parts.len());
                    free = start;
                    for part in parts {
                        let start = micros(part.start).max(free);
                        free = micros(part.end).max(start + SHORTEST);
                        places.push((part, start, free));
                    }
                    free = free.max(micros(span.end)).max(start + SHORTEST);
                    // A slice stands before the slices in it.
                    for (part, start, end) in [(span, start, free)].into_iter().chain(places) {
                        let slice = Slice {
                            process,
                            track: AGENT,
                            start,
                            end,
                        };
                        self.slice(part, slice);
                    }
                }
                Kind::Turn | Kind::Task | Kind::Delivery => {}
            }
        }
    }

    fn tasks(&mut self, session: &SessionTrace, process: u64) {
        let mut tasks: Vec<&Span> = session.spans.iter().filter(|span| span.kind == Kind::Task).collect();
        tasks.sort_by_key(|task| task.start);
        let mut lanes = Lanes::default();
        for task in tasks {
            let start = micros(task.start);
            let end = micros(task.end).max(start + SHORTEST);
            let track = AGENT + 1 + lanes.take(start, end);
            let slice = Slice {
                process,
                track,
                start,
                end,
            };
            self.slice(task, slice);
            for phase in &task.phases {
                // The clock of another process may be ahead.
                let (start, end) = (micros(phase.start).max(start), micros(phase.end).min(end));
                if start < end {
                    let event = json!({
                        "ph": "X", "cat": "phase", "name": phase.name, "pid": process, "tid": track, "ts": start, "dur": end - start,
                    });
                    self.events.push(event);
                }
            }
        }
        for lane in 0..lanes.count() {
            self.name("thread_name", process, AGENT + 1 + lane, &format!("calls {}", lane + 1));
        }
    }

    fn slice(&mut self, span: &Span, slice: Slice) {
        let mut arguments = arguments(&span.attributes);
        if let Some(error) = &span.error {
            arguments.insert("error.type".to_owned(), error.as_str().into());
        }
        if let Some(text) = &span.error_text {
            arguments.insert("error".to_owned(), text.as_str().into());
        }
        self.events.push(json!({
            "ph": "X",
            "cat": category(span.kind),
            "name": span.name,
            "pid": slice.process,
            "tid": slice.track,
            "ts": slice.start,
            "dur": slice.end - slice.start,
            "args": arguments,
        }));
        self.slices.insert(span.id, slice);
        for event in &span.events {
            self.moment(event, slice.process, slice.track, "t");
        }
    }

    /// Draws a moment; `scope` is `t` for a mark on the track, and `p` for one on the whole process.
    fn moment(&mut self, event: &Event, process: u64, track: u64, scope: &str) {
        self.events.push(json!({
            "ph": "i", "s": scope, "cat": "event", "name": event.name, "pid": process, "tid": track, "ts": micros(event.at),
            "args": arguments(&event.attributes),
        }));
    }

    /// Draws the number of open tasks over time.
    fn open_tasks(&mut self, session: &SessionTrace, process: u64) {
        let tasks = session.spans.iter().filter(|span| span.kind == Kind::Task);
        let mut changes: Vec<(u64, bool)> = tasks
            .flat_map(|task| [(micros(task.start), true), (micros(task.end), false)])
            .collect();
        // At the same time, calls begin before others end, so the number never falls below zero.
        changes.sort_by_key(|(at, begins)| (*at, !begins));
        let mut open: u64 = 0;
        let mut changes = changes.into_iter().peekable();
        while let Some((at, begins)) = changes.next() {
            open = if begins { open + 1 } else { open.saturating_sub(1) };
            if changes.peek().is_none_or(|(next, _)| *next != at) {
                let event = json!({"ph": "C", "name": "open tasks", "pid": process, "ts": at, "args": {"tasks": open}});
                self.events.push(event);
            }
        }
    }

    /// Draws the arrows that end in a session.
    fn arrows(&mut self, session: &SessionTrace) {
        for message in session.spans.iter().filter(|span| span.kind == Kind::Message) {
            // A moment has no arrow, so that of a sub-agent's message begins at the call.
            if let Some(call) = self.above(message) {
                self.slices.insert(message.id, call);
            }
        }
        for span in &session.spans {
            if span.kind == Kind::Message {
                continue;
            }
            let Some(to) = self.slices.get(&span.id).copied() else {
                continue;
            };
            if let (Kind::Task | Kind::Invocation, Some(from)) = (span.kind, self.above(span)) {
                self.arrow("call", from, to.start, to);
            }
            if span.kind == Kind::Turn {
                for link in &span.links {
                    if let Some(from) = self.slices.get(&link.id).copied() {
                        self.arrow("result", from, from.end, to);
                    }
                }
            }
        }
    }

    /// Slice of a span's parent.
    fn above(&self, span: &Span) -> Option<Slice> {
        self.slices.get(&span.parent?).copied()
    }

    /// Draws an arrow from a slice, at a time within it, to the beginning of another one.
    fn arrow(&mut self, name: &str, from: Slice, at: u64, to: Slice) {
        self.arrows += 1;
        let at = at.clamp(from.start, from.end - SHORTEST);
        let mut event = json!({
            "ph": "s", "cat": "flow", "name": name, "id": self.arrows, "pid": from.process, "tid": from.track, "ts": at,
        });
        self.events.push(event.clone());
        for (field, value) in [
            ("ph", json!("f")),
            ("bp", json!("e")),
            ("pid", json!(to.process)),
            ("tid", json!(to.track)),
            ("ts", json!(to.start)),
        ] {
            event[field] = value;
        }
        self.events.push(event);
    }
}

const fn category(kind: Kind) -> &'static str {
    match kind {
        Kind::Message => "message",
        Kind::Invocation => "agent",
        Kind::Turn => "model",
        Kind::Task => "tool",
        Kind::Delivery => "delivery",
    }
}

fn arguments(attributes: &[(&'static str, Value)]) -> Map<String, Json> {
    let json = |value: &Value| match value {
        Value::Text(text) => json!(text),
        Value::Texts(texts) => json!(texts),
        Value::Number(number) => json!(number),
        Value::Flag(flag) => json!(flag),
    };
    let pairs = attributes.iter().map(|(name, value)| ((*name).to_owned(), json(value)));
    pairs.collect()
}

/// Microseconds, up to the largest number that all readers of JSON have.
fn micros(at: Timestamp) -> u64 {
    at.as_millis().saturating_mul(1_000).min(1 << 53)
}
