//! Spans of the model's turns.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use tracing::{Span, field::debug};

use crate::{
    agent::Ledger,
    model::{Model, ModelError, ModelEvent, ModelStream, StopReason, TurnEnd},
    session::SessionId,
    task::TurnNo,
};

/// Spans of the turns that run, or whose calls do. Empty without a subscriber.
#[derive(Default)]
pub(in crate::agent) struct TurnSpans(Vec<(TurnNo, Span)>);

impl TurnSpans {
    /// Opens the span of a turn, and returns the turn's stream inside of it.
    pub(super) fn begin(
        &mut self,
        turn: TurnNo,
        session: &SessionId,
        ask: impl FnOnce(&Span) -> ModelStream,
    ) -> ModelStream {
        let span = tracing::info_span!(
            target: "async_tool::span",
            "chat",
            "otel.name" = tracing::field::Empty,
            "otel.kind" = "client",
            "gen_ai.operation.name" = "chat",
            "gen_ai.provider.name" = tracing::field::Empty,
            "gen_ai.request.model" = tracing::field::Empty,
            "gen_ai.conversation.id" = session.as_str(),
            "gen_ai.usage.input_tokens" = tracing::field::Empty,
            "gen_ai.usage.cache_read.input_tokens" = tracing::field::Empty,
            "gen_ai.usage.output_tokens" = tracing::field::Empty,
            "gen_ai.usage.reasoning.output_tokens" = tracing::field::Empty,
            "gen_ai.response.finish_reasons" = tracing::field::Empty,
            "error.type" = tracing::field::Empty,
            "otel.status_code" = tracing::field::Empty,
            turn = turn.as_u32(),
        );
        if span.is_disabled() {
            return ask(&span);
        }
        self.0.push((turn, span.clone()));
        let stream = span.in_scope(|| ask(&span));
        ModelStream::new(Traced {
            stream: Some(stream),
            span,
            is_over: false,
        })
    }

    /// Calls `function` inside of the span of a turn, if the turn still has one.
    pub(super) fn inside<T>(&self, turn: Option<TurnNo>, function: impl FnOnce() -> T) -> T {
        match self.0.iter().find(|(kept, _)| Some(*kept) == turn) {
            Some((_, span)) => span.in_scope(function),
            None => function(),
        }
    }

    /// Closes the spans of turns that have ended, and whose tasks have ended too: until then, tasks may wait to be submitted.
    pub(super) fn close(&mut self, running: Option<TurnNo>, ledger: &Ledger) {
        self.0.retain(|(turn, _)| {
            let mut open = ledger.open_tasks().filter_map(|number| ledger.tasks().get(&number));
            running == Some(*turn) || open.any(|record| record.turn == *turn)
        });
    }
}

/// Records the names of the model and its provider.
pub(super) fn record_names(span: &Span, model: &dyn Model) {
    if span.is_disabled() {
        return;
    }
    let name = model.name();
    span.record(
        "otel.name",
        name.map_or_else(|| "chat".to_owned(), |name| format!("chat {name}")),
    );
    if let Some(name) = name {
        span.record("gen_ai.request.model", name);
    }
    if let Some(provider) = model.provider() {
        span.record("gen_ai.provider.name", provider);
    }
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
        self.span.record("gen_ai.usage.input_tokens", usage.input);
        self.span.record("gen_ai.usage.cache_read.input_tokens", usage.cached);
        self.span.record("gen_ai.usage.output_tokens", usage.output);
        self.span
            .record("gen_ai.usage.reasoning.output_tokens", usage.reasoning);
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
