//! Spans of the agent's invocations and of the model's turns.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use tracing::{Span, field::debug};

use super::measured::Stopwatch;
use crate::{
    agent::{AgentState, Ledger},
    id::TaskNo,
    journal::{CallAnswer, Entry},
    manager::Traces,
    model::{ModelError, ModelEvent, ModelStream, StopReason, TurnEnd},
    session::SessionId,
    task::{TurnCause, TurnNo},
};

/// Spans of the agent: its invocation, and the turns that run or whose calls do. Empty without a subscriber.
pub(in crate::agent) struct TurnSpans {
    traces: Traces,
    /// Span of the turns since the news that woke the agent, and its duration.
    invocation: Option<(Span, Stopwatch)>,
    turns: Vec<TurnSpan>,
    news: News,
}

struct TurnSpan {
    turn: TurnNo,
    /// `None` after the turn, if a propagator knows the span by its `traceparent`.
    span: Option<Span>,
    traceparent: Option<Arc<str>>,
}

/// Entries since the last turn began, as far as the next turn's span has them.
#[derive(Default)]
struct News {
    cause: Option<TurnCause>,
    told: Vec<TaskNo>,
    /// Results in them that came late.
    late: Vec<TaskNo>,
}

impl TurnSpans {
    pub(super) fn new(traces: Traces) -> Self {
        Self {
            traces,
            invocation: None,
            turns: Vec::new(),
            news: News::default(),
        }
    }

    /// Notes the results that entries tell the model, and the cause of a turn.
    pub(super) fn note(&mut self, entries: &[Entry]) {
        for entry in entries {
            match entry {
                Entry::TurnStarted { cause, .. } => self.news.cause = Some(*cause),
                Entry::Replaced { tasks, .. } | Entry::Delivered { tasks, .. } => {
                    self.news.told.extend(tasks);
                    self.news.late.extend(tasks);
                }
                Entry::Answered { answers, .. } => {
                    for answer in answers {
                        match answer {
                            CallAnswer::Result(task) => self.news.told.push(*task),
                            CallAnswer::Report { tasks, .. } => self.news.told.extend(tasks),
                            CallAnswer::Ack(..) | CallAnswer::Asking(..) => {}
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Opens the span of a turn, and returns the turn's stream inside of it.
    pub(super) fn begin(
        &mut self,
        turn: TurnNo,
        session: &SessionId,
        ledger: &Ledger,
        names: Names<'_>,
        ask: impl FnOnce() -> ModelStream,
    ) -> ModelStream {
        let news = std::mem::take(&mut self.news);
        let invocation = self.invoke(&news, session, ledger, names);
        let name = names
            .model
            .map_or_else(|| "chat".to_owned(), |model| format!("chat {model}"));
        let begin = || {
            self.deliver(&news.late, session, ledger);
            tracing::info_span!(
                target: "async_tool::span",
                "chat",
                // Here and not recorded later: samplers see what a span begins with.
                "otel.name" = name,
                "otel.kind" = "client",
                "gen_ai.operation.name" = "chat",
                "gen_ai.provider.name" = names.provider,
                "gen_ai.request.model" = names.model,
                "gen_ai.conversation.id" = session.as_str(),
                "gen_ai.usage.input_tokens" = tracing::field::Empty,
                "gen_ai.usage.cache_read.input_tokens" = tracing::field::Empty,
                "gen_ai.usage.output_tokens" = tracing::field::Empty,
                "gen_ai.usage.reasoning.output_tokens" = tracing::field::Empty,
                "gen_ai.response.finish_reasons" = tracing::field::Empty,
                "error.type" = tracing::field::Empty,
                "otel.status_code" = tracing::field::Empty,
                turn = i64::from(turn.as_u32()),
            )
        };
        let span = invocation.in_scope(begin);
        if span.is_disabled() {
            return ask();
        }
        self.link(&span, &news.told, ledger);
        self.turns.push(TurnSpan {
            turn,
            span: Some(span.clone()),
            traceparent: self.traces.of(&span),
        });
        let stream = span.in_scope(ask);
        ModelStream::new(Traced {
            stream: Some(stream),
            span,
            is_over: false,
        })
    }

    /// Span of the running invocation; a new one for news from outside of it.
    fn invoke(&mut self, news: &News, session: &SessionId, ledger: &Ledger, names: Names<'_>) -> Span {
        if matches!(news.cause, Some(TurnCause::User | TurnCause::Results)) {
            self.end_invocation();
        }
        let begin = || {
            tracing::info_span!(
                target: "async_tool::span",
                "invoke_agent",
                "gen_ai.operation.name" = "invoke_agent",
                "gen_ai.provider.name" = names.provider,
                "gen_ai.request.model" = names.model,
                "gen_ai.conversation.id" = session.as_str(),
            )
        };
        let begin = || {
            let span = self.traces.within(ledger.turn_trace().map(|trace| &**trace), begin);
            (span, Stopwatch::start())
        };
        self.invocation.get_or_insert_with(begin).0.clone()
    }

    fn end_invocation(&mut self) {
        if let Some((span, _)) = self.invocation.take() {
            // To the bridge to OpenTelemetry, a span ends when it is left for the last time.
            span.in_scope(|| ());
        }
    }

    /// Makes a span for the delivery of late results.
    fn deliver(&self, tasks: &[TaskNo], session: &SessionId, ledger: &Ledger) {
        if tasks.is_empty() || !self.traces.are_on() {
            return;
        }
        let names: Vec<_> = tasks.iter().map(ToString::to_string).collect();
        let span = tracing::info_span!(
            target: "async_tool::span",
            "deliver_results",
            "gen_ai.conversation.id" = session.as_str(),
            "async_tool.tasks" = ?names,
        );
        self.link(&span, tasks, ledger);
    }

    /// Links a span with those of tasks.
    fn link(&self, span: &Span, tasks: &[TaskNo], ledger: &Ledger) {
        let results = tasks
            .iter()
            .filter_map(|task| ledger.tasks().get(task)?.result.as_ref());
        let spans = results.filter_map(|result| result.traceparent.as_deref());
        self.traces.link(span, spans);
    }

    /// `traceparent` of the span of a turn, while its tasks are open.
    pub(super) fn traceparent(&self, turn: Option<TurnNo>) -> Option<Arc<str>> {
        self.of(turn)?.traceparent.clone()
    }

    /// Calls `function` inside of the span of a turn, if the turn still has one.
    pub(super) fn inside<T>(&self, turn: Option<TurnNo>, function: impl FnOnce() -> T) -> T {
        match self.of(turn) {
            Some(TurnSpan { span: Some(span), .. }) => span.in_scope(function),
            Some(TurnSpan { traceparent, .. }) => self.traces.within(traceparent.as_deref(), function),
            None => function(),
        }
    }

    fn of(&self, turn: Option<TurnNo>) -> Option<&TurnSpan> {
        self.turns.iter().find(|known| Some(known.turn) == turn)
    }

    /// Closes the spans of turns that have ended, and whose tasks have ended too: until then, tasks may wait to be submitted. With a
    /// `traceparent`, the span itself closes at the end of the turn, and survives a kill of the process.
    pub(super) fn close(&mut self, running: Option<TurnNo>, ledger: &Ledger) {
        self.turns.retain_mut(|known| {
            if running == Some(known.turn) {
                return true;
            }
            if known.traceparent.is_some() {
                known.span = None;
            }
            let mut open = ledger.open_tasks().filter_map(|number| ledger.tasks().get(&number));
            open.any(|record| record.turn == known.turn)
        });
        if !matches!(ledger.state(), AgentState::Thinking | AgentState::Answering) {
            self.end_invocation();
        }
    }
}

/// Names of a model and its provider.
#[derive(Clone, Copy, Default)]
pub(super) struct Names<'a> {
    pub(super) provider: Option<&'a str>,
    pub(super) model: Option<&'a str>,
}

/// Stream of a turn that records in a span how the turn ended.
struct Traced {
    /// `None` while it is dropped.
    stream: Option<ModelStream>,
    span: Span,
    is_over: bool,
}

impl Traced {
    fn fail(&mut self, kind: &str) {
        self.is_over = true;
        self.span.record("error.type", kind);
        self.span.record("otel.status_code", "ERROR");
    }

    fn end(&mut self, end: &TurnEnd) {
        self.is_over = true;
        let usage = end.usage;
        for (name, count) in [
            ("gen_ai.usage.input_tokens", usage.input),
            ("gen_ai.usage.cache_read.input_tokens", usage.cached),
            ("gen_ai.usage.output_tokens", usage.output),
            ("gen_ai.usage.reasoning.output_tokens", usage.reasoning),
        ] {
            // OpenTelemetry has no unsigned numbers: its bridge would make a text of one.
            self.span.record(name, i64::try_from(count).unwrap_or(i64::MAX));
        }
        let reason = match end.stop {
            StopReason::EndTurn => "stop",
            StopReason::ToolCalls => "tool_call",
            StopReason::MaxTokens => "length",
            StopReason::Refused => "content_filter",
        };
        self.span.record("gen_ai.response.finish_reasons", debug([reason]));
    }
}

impl Stream for Traced {
    type Item = Result<ModelEvent, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(stream) = &mut this.stream else {
            return Poll::Ready(None);
        };
        let span = this.span.clone();
        let event = ready!(span.in_scope(|| Pin::new(stream).poll_next(cx)));
        match &event {
            Some(Ok(ModelEvent::Done(end))) => this.end(end),
            Some(Ok(_)) => {}
            Some(Err(error)) => this.fail(error.kind()),
            None if this.is_over => {}
            None => this.fail(ModelError::truncated().kind()),
        }
        Poll::Ready(event)
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if !self.is_over {
            self.fail("cancelled");
        }
        let stream = self.stream.take();
        self.span.in_scope(|| drop(stream));
    }
}
