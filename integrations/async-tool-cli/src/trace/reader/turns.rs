//! Turns of the model: invocations of the agent, deliveries, what the model has said.

use async_tool_runtime::{
    TaskNo,
    model::{StopReason, TurnEnd},
    task::{Timestamp, TurnCause, TurnNo},
};
use serde_json::json;

use super::{Reader, event};
use crate::trace::{
    id::{SpanId, TraceId},
    span::{Kind, Value},
};

impl Reader<'_> {
    pub(super) fn turn_started(&mut self, turn: TurnNo, cause: TurnCause, at: Timestamp) {
        if let Some(running) = self.running.take() {
            // The process has ended within the turn, and the next one asks again.
            self.end(running, self.now, Some("cancelled"));
        }
        let messages = std::mem::take(&mut self.messages);
        let told = std::mem::take(&mut self.told);
        if matches!(cause, TurnCause::User | TurnCause::Results) || self.invocation.is_none() {
            let above = self.above(&messages, &told);
            self.invoke(above, at);
        }
        let Some(invocation) = self.invocation else { return };
        self.deliver();
        let above = &self.spans[invocation];
        let place = (above.trace, self.ids.span("turn", self.place), Some(above.id));
        let mut span = self.span(Kind::Turn, "chat".to_owned(), place, at);
        let operation = ("gen_ai.operation.name", Value::from("chat"));
        span.attributes.insert(0, operation);
        span.attributes.push(("turn", Value::Number(u64::from(turn.as_u32()))));
        let answered = messages.iter().map(|message| self.spans[*message].link());
        // The last message is the parent of the invocation.
        let answered = answered.rev().skip(1).chain(self.links(&told));
        span.links = answered.collect();
        self.running = Some(self.spans.len());
        self.turns.insert(turn, (self.spans.len(), invocation));
        self.spans.push(span);
    }

    /// Place of the next invocation: below the last message that it answers, or below the message whose call's results wake it.
    fn above(&self, messages: &[usize], told: &[TaskNo]) -> Option<(TraceId, Option<SpanId>)> {
        if let Some(message) = messages.last() {
            let message = &self.spans[*message];
            return Some((message.trace, Some(message.id)));
        }
        let invocation = told.iter().find_map(|task| {
            let (_, invocation) = self.turns.get(&self.tasks.get(task)?.turn)?;
            Some(&self.spans[*invocation])
        });
        let last = self.invocation.map(|last| &self.spans[last]);
        invocation.or(last).map(|span| (span.trace, span.parent))
    }

    fn invoke(&mut self, above: Option<(TraceId, Option<SpanId>)>, at: Timestamp) {
        self.end_invocation();
        let (trace, parent) = above.unwrap_or_else(|| (self.ids.trace(self.place), None));
        let place = (trace, self.ids.span("invocation", self.place), parent);
        let mut span = self.span(Kind::Invocation, "invoke_agent".to_owned(), place, at);
        let operation = ("gen_ai.operation.name", Value::from("invoke_agent"));
        span.attributes.insert(0, operation);
        self.invocation = Some(self.spans.len());
        self.spans.push(span);
    }

    pub(super) fn end_invocation(&mut self) {
        let Some(invocation) = self.invocation.take() else {
            return;
        };
        let id = self.spans[invocation].id;
        let turns = self.spans[invocation..].iter().filter(|span| span.parent == Some(id));
        let (end, is_open) = turns.fold((self.spans[invocation].start, false), |(end, is_open), turn| {
            (end.max(turn.end), is_open || turn.is_open)
        });
        self.end(invocation, end, None);
        self.spans[invocation].is_open = is_open;
    }

    /// Adds the spans of the deliveries since the last turn.
    pub(super) fn deliver(&mut self) {
        let Some(invocation) = self.invocation else { return };
        for (place, at, tasks) in std::mem::take(&mut self.deliveries) {
            let above = &self.spans[invocation];
            let ids = (above.trace, self.ids.span("delivery", place), Some(above.id));
            let mut span = self.span(Kind::Delivery, "deliver_results".to_owned(), ids, at);
            let names = tasks.iter().map(ToString::to_string).collect();
            span.attributes.push(("async_tool.tasks", Value::Texts(names)));
            span.links = self.links(&tasks).collect();
            span.is_open = false;
            self.spans.push(span);
        }
    }

    /// Keeps what the model has said, if contents are wanted.
    pub(super) fn turn_said(&mut self, turn: TurnNo, text: &str, calls: &[TaskNo]) {
        let (true, Some((span, _))) = (self.contents, self.turns.get(&turn)) else {
            return;
        };
        let mut parts = Vec::new();
        if !text.is_empty() {
            parts.push(json!({"type": "text", "content": text}));
        }
        for call in calls.iter().filter_map(|call| self.tasks.get(call)) {
            let attributes = &self.spans[call.span].attributes;
            let text = |name: &str| {
                attributes.iter().find_map(|(known, value)| match value {
                    Value::Text(text) if *known == name => Some(text.as_str()),
                    _ => None,
                })
            };
            let arguments = text("gen_ai.tool.call.arguments").and_then(|text| serde_json::from_str(text).ok());
            parts.push(json!({
                "type": "tool_call",
                "id": text("gen_ai.tool.call.id"),
                "name": text("gen_ai.tool.name"),
                "arguments": arguments.unwrap_or(serde_json::Value::Null),
            }));
        }
        let messages = json!([{"role": "assistant", "parts": parts}]).to_string();
        let span = &mut self.spans[*span];
        span.attributes.push(("gen_ai.output.messages", Value::Text(messages)));
    }

    pub(super) fn turn_ended(&mut self, turn: TurnNo, end: &TurnEnd, at: Timestamp) {
        self.running = None;
        let Some((span, _)) = self.turns.get(&turn).copied() else {
            return;
        };
        self.end(span, at, None);
        let reason = match end.stop {
            StopReason::EndTurn => "stop",
            StopReason::ToolCalls => "tool_call",
            StopReason::MaxTokens => "length",
            StopReason::Refused => "content_filter",
            _ => "unknown",
        };
        let usage = end.usage;
        self.spans[span].attributes.extend([
            ("gen_ai.usage.input_tokens", Value::Number(usage.input)),
            ("gen_ai.usage.cache_read.input_tokens", Value::Number(usage.cached)),
            ("gen_ai.usage.output_tokens", Value::Number(usage.output)),
            ("gen_ai.usage.reasoning.output_tokens", Value::Number(usage.reasoning)),
            ("gen_ai.response.finish_reasons", Value::Texts(vec![reason.to_owned()])),
        ]);
    }

    pub(super) fn turn_broken(&mut self, turn: TurnNo, kind: &str, name: String, at: Timestamp) {
        self.running = None;
        let Some((span, _)) = self.turns.get(&turn).copied() else {
            return;
        };
        self.end(span, at, Some(kind));
        self.spans[span].events.push(event(name, at));
    }
}
