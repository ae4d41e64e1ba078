//! Reads the spans of a session from its entries.

mod tasks;
mod turns;

use std::collections::BTreeMap;

use async_tool_runtime::{
    SessionId, TaskId, TaskNo,
    journal::{Entry, Withdrawal},
    task::{Timestamp, TurnNo},
};
use serde_json::json;

use super::{
    id::{Ids, SpanId, TraceId, of_traceparent},
    phases::{Changes, Function},
    span::{Event, Kind, Link, SessionTrace, Span, Value},
};

/// Reads the trace of a session. `contents` adds what users, models and tools have said.
pub(crate) fn read(session: &SessionId, entries: &[Entry], contents: bool) -> SessionTrace {
    let began = entries.first().map_or(Timestamp::default(), Entry::at);
    let mut reader = Reader {
        ids: Ids::new(session, began),
        session,
        contents,
        place: 0,
        now: began,
        spans: Vec::new(),
        events: Vec::new(),
        works_for: None,
        messages: Vec::new(),
        told: Vec::new(),
        deliveries: Vec::new(),
        invocation: None,
        turns: BTreeMap::new(),
        running: None,
        tasks: BTreeMap::new(),
        waiting: BTreeMap::new(),
        answered_here: BTreeMap::new(),
    };
    for (place, entry) in entries.iter().enumerate() {
        reader.place = place;
        reader.read(entry);
        reader.now = reader.now.max(entry.at());
    }
    reader.finish();
    SessionTrace {
        session: session.clone(),
        works_for: reader.works_for,
        spans: reader.spans,
        events: reader.events,
    }
}

struct Reader<'a> {
    ids: Ids,
    session: &'a SessionId,
    contents: bool,
    /// Position of the entry that is read.
    place: usize,
    /// Latest time so far.
    now: Timestamp,
    spans: Vec<Span>,
    events: Vec<Event>,
    works_for: Option<TaskId>,
    /// Spans of the messages that no turn has answered yet.
    messages: Vec<usize>,
    /// Tasks of the results that the model was told since its last turn began.
    told: Vec<TaskNo>,
    /// Late results among them, by delivery.
    deliveries: Vec<(usize, Timestamp, Vec<TaskNo>)>,
    invocation: Option<usize>,
    /// Spans of the turns, each with its invocation.
    turns: BTreeMap<TurnNo, (usize, usize)>,
    running: Option<usize>,
    tasks: BTreeMap<TaskNo, TaskSpan>,
    /// Tasks that wait for the result of a task.
    waiting: BTreeMap<TaskNo, Vec<TaskNo>>,
    /// Calls of a turn that the agent answers itself, so that nothing runs.
    answered_here: BTreeMap<TurnNo, Vec<TaskNo>>,
}

struct TaskSpan {
    span: usize,
    turn: TurnNo,
    changes: Changes,
    /// Tasks whose results its arguments wait for.
    awaits: Vec<TaskNo>,
    is_open: bool,
}

impl Reader<'_> {
    fn read(&mut self, entry: &Entry) {
        let at = entry.at();
        match entry {
            Entry::Opened { works_for, .. } => self.works_for = *works_for,
            Entry::Resumed { .. } => self.resumed(at),
            Entry::UserMessage { text, traceparent, .. } => self.message(text, traceparent.as_deref(), at),
            Entry::TurnStarted { turn, cause, .. } => self.turn_started(*turn, *cause, at),
            Entry::TurnEnded {
                turn, text, end, calls, ..
            } => {
                self.turn_said(*turn, text, calls);
                self.turn_ended(*turn, end, at);
            }
            Entry::TurnInterrupted {
                turn,
                text,
                calls,
                cause,
                ..
            } => {
                self.turn_said(*turn, text, calls);
                self.turn_broken(*turn, "cancelled", format!("interrupted by {cause}"), at);
            }
            Entry::TurnWithdrawn { turn, cause, .. } => {
                let cause = match cause {
                    Withdrawal::UserMessage => "a user message",
                    _ => "a result",
                };
                self.turn_broken(*turn, "cancelled", format!("broken off for {cause}"), at);
            }
            Entry::TurnFailed { turn, error, .. } => {
                // The entry has no kind. The conventions' word for that:
                self.turn_broken(*turn, "_OTHER", "failed".to_owned(), at);
                if self.contents
                    && let Some((span, _)) = self.turns.get(turn)
                {
                    self.spans[*span].error_text = Some(error.clone());
                }
            }
            Entry::Settled { result } => self.settled(result),
            Entry::Answered { turn, answers, .. } => self.answered(*turn, answers, at),
            Entry::Replaced { tasks, .. } | Entry::Delivered { tasks, .. } => {
                self.told.extend(tasks);
                self.deliveries.push((self.place, at, tasks.clone()));
            }
            Entry::Halted { .. } => self.mark("halted", at),
            Entry::Draining { .. } => self.mark("draining", at),
            Entry::Closing { .. } => self.mark("closing", at),
            Entry::Closed { .. } => self.mark("closed", at),
            Entry::Pruned { .. } => self.mark("pruned", at),
            other => self.task_entry(other, at),
        }
    }

    fn message(&mut self, text: &str, traceparent: Option<&str>, at: Timestamp) {
        let (trace, id) = (self.ids.trace(self.place), self.ids.span("message", self.place));
        let mut span = self.span(Kind::Message, "user_message".to_owned(), (trace, id, None), at);
        if self.contents {
            let messages = json!([{"role": "user", "parts": [{"type": "text", "content": text}]}]);
            span.attributes
                .push(("gen_ai.input.messages", Value::Text(messages.to_string())));
        }
        // The live spans stay a trace of their own: the same work must not appear twice in one.
        let live = traceparent.and_then(of_traceparent);
        span.links.extend(live.map(|(trace, id)| Link { trace, id }));
        span.is_open = false;
        self.messages.push(self.spans.len());
        self.spans.push(span);
    }

    fn links(&self, tasks: &[TaskNo]) -> impl Iterator<Item = Link> {
        let tasks = tasks.iter().filter_map(|task| self.tasks.get(task));
        tasks.map(|task| self.spans[task.span].link())
    }

    /// Ends what has died with the process before.
    fn resumed(&mut self, at: Timestamp) {
        self.mark("resumed", at);
        if let Some(running) = self.running.take() {
            self.end(running, self.now, Some("cancelled"));
            let event = event("the process ended".to_owned(), self.now);
            self.spans[running].events.push(event);
        }
        self.end_invocation();
        let open: Vec<TaskNo> = self
            .tasks
            .iter()
            .filter(|(_, task)| task.is_open)
            .map(|(task, _)| *task)
            .collect();
        for task in open {
            self.task_event(task, "session resumed", at, None);
        }
    }

    fn mark(&mut self, name: &str, at: Timestamp) {
        self.events.push(event(name.to_owned(), at));
    }

    fn span(
        &self,
        kind: Kind,
        name: String,
        (trace, id, parent): (TraceId, SpanId, Option<SpanId>),
        start: Timestamp,
    ) -> Span {
        Span {
            trace,
            id,
            parent,
            kind,
            name,
            start,
            end: start,
            is_open: true,
            error: None,
            error_text: None,
            attributes: vec![("gen_ai.conversation.id", Value::from(self.session.as_str()))],
            events: Vec::new(),
            links: Vec::new(),
            phases: Vec::new(),
        }
    }

    fn end(&mut self, span: usize, at: Timestamp, error: Option<&str>) {
        let span = &mut self.spans[span];
        span.is_open = false;
        // The clock of another process may be behind.
        span.end = at.max(span.start);
        span.error = error.map(str::to_owned);
    }

    /// Lets spans that are open last until the last entry.
    fn finish(&mut self) {
        self.deliver();
        for task in self.tasks.values().filter(|task| task.is_open) {
            self.spans[task.span].phases = task.changes.phases(self.now, Function::Unknown);
        }
        if let Some(running) = self.running {
            self.spans[running].end = self.now.max(self.spans[running].start);
        }
        self.end_invocation();
        for span in self.spans.iter_mut().filter(|span| span.is_open) {
            span.end = self.now.max(span.start);
            span.attributes.push(("async_tool.is_open", Value::Flag(true)));
        }
    }
}

const fn event(name: String, at: Timestamp) -> Event {
    Event {
        name,
        at,
        attributes: Vec::new(),
    }
}
