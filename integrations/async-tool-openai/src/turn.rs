//! Conversion of one turn, from the provider's events to [`ModelEvent`]s. No I/O.
//!
//! # Invariants
//!
//! 1. A turn is complete only after `response.completed` or `response.incomplete`.
//! 2. A call is emitted once, when its item is complete (`response.output_item.done`), so that its task starts while
//!    the turn goes on. A call that was cut off is never emitted.
//! 3. Items are kept unchanged, in their order.
//!
//! The [API reference](https://platform.openai.com/docs/api-reference/responses-streaming) lists the events.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_tool_runtime::{
    ToolCall, ToolDefinition,
    model::{ModelError, ModelEvent, StopReason, TurnEnd, Usage},
    schema::strip_invented_nulls,
    tool::Arguments,
};
use serde_json::Value;

use crate::{failure::Failures, lowering::Kept};

/// The part of a turn received so far.
#[derive(Debug)]
pub(crate) struct Turn {
    tools: Arc<[ToolDefinition]>,
    strict: bool,
    native: bool,
    failures: Failures,
    items: BTreeMap<u64, Value>,
    /// Positions of messages whose text has been emitted.
    told: BTreeSet<u64>,
    calls: BTreeSet<String>,
    refused: bool,
}

impl Turn {
    /// Makes the turn for a request with these tools.
    pub(crate) fn new(tools: Arc<[ToolDefinition]>, strict: bool, native: bool, failures: Failures) -> Self {
        Self {
            tools,
            strict,
            native,
            failures,
            items: BTreeMap::new(),
            told: BTreeSet::new(),
            calls: BTreeSet::new(),
            refused: false,
        }
    }

    /// Converts an event of the stream. Unknown events are skipped, because the API gains new ones every year.
    pub(crate) fn on_event(&mut self, event: &Value) -> Result<Vec<ModelEvent>, ModelError> {
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
        match kind {
            "response.output_text.delta" | "response.refusal.delta" => {
                let delta = event.get("delta").and_then(Value::as_str).unwrap_or_default();
                Ok(self.text(self.place(event), delta).into_iter().collect())
            }
            "response.output_item.done" => match event.get("item") {
                Some(item) => self.on_item(self.place(event), item),
                None => Err(self.failures.malformed("an item without content")),
            },
            "response.completed" => self.complete(response(event), false),
            "response.incomplete" => self.complete(response(event), true),
            "response.failed" => Err(self
                .failures
                .reported(response(event).get("error").unwrap_or(&Value::Null))),
            "response.cancelled" => Err(ModelError::transient("the provider cancelled the turn")),
            "error" => Err(self.failures.reported(event.get("error").unwrap_or(event))),
            _ => Ok(Vec::new()),
        }
    }

    /// Converts an unstreamed answer.
    pub(crate) fn on_response(&mut self, response: &Value) -> Result<Vec<ModelEvent>, ModelError> {
        match response.get("status").and_then(Value::as_str) {
            Some("completed") => self.complete(response, false),
            Some("incomplete") => self.complete(response, true),
            Some("failed") => Err(self.failures.reported(response.get("error").unwrap_or(&Value::Null))),
            Some("cancelled") => Err(ModelError::transient("the provider cancelled the turn")),
            _ => Err(self.failures.malformed("an answer that is not complete")),
        }
    }

    /// The item's position in the output. If the server doesn't send it, the next free position.
    fn place(&self, event: &Value) -> u64 {
        let next = || {
            self.items
                .last_key_value()
                .map_or(0, |(last, _)| last.saturating_add(1))
        };
        event.get("output_index").and_then(Value::as_u64).unwrap_or_else(next)
    }

    fn text(&mut self, place: u64, text: &str) -> Option<ModelEvent> {
        if text.is_empty() {
            return None;
        }
        let is_another = !self.told.is_empty() && !self.told.contains(&place);
        self.told.insert(place);
        let text = if is_another {
            format!("\n\n{text}")
        } else {
            text.to_owned()
        };
        Some(ModelEvent::Text(text))
    }

    fn on_item(&mut self, place: u64, item: &Value) -> Result<Vec<ModelEvent>, ModelError> {
        let mut events = Vec::new();
        match item.get("type").and_then(Value::as_str) {
            Some("function_call") if is_cut_off(item) => return Ok(events),
            Some("function_call") => events.push(ModelEvent::ToolCall(self.call(item)?)),
            Some("message") => {
                let parts = item.get("content").and_then(Value::as_array).into_iter().flatten();
                let mut whole = String::new();
                for part in parts {
                    let refusal = part.get("refusal").and_then(Value::as_str);
                    self.refused |= refusal.is_some();
                    whole.push_str(part.get("text").and_then(Value::as_str).or(refusal).unwrap_or_default());
                }
                if !self.told.contains(&place) {
                    events.extend(self.text(place, &whole));
                }
            }
            _ => {}
        }
        self.items.insert(place, item.clone());
        Ok(events)
    }

    fn call(&mut self, item: &Value) -> Result<ToolCall, ModelError> {
        let field = |name: &str| item.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let (Some(id), Some(name)) = (field("call_id"), field("name")) else {
            return Err(self.failures.malformed("a call without `call_id` or `name`"));
        };
        if !self.calls.insert(id.to_owned()) {
            return Err(self.failures.malformed("two calls with one `call_id`"));
        }
        let arguments = match item.get("arguments") {
            Some(Value::String(text)) => Arguments::from_text(text.as_str()),
            Some(value) => Arguments::from(value.clone()),
            None => Arguments::from_text(""),
        };
        let tool = self.tools.iter().find(|tool| self.strict && &*tool.name == name);
        let arguments = tool.map_or_else(|| arguments.clone(), |tool| without_nulls(tool, &arguments));
        Ok(ToolCall::new(id, name, arguments))
    }

    fn complete(&mut self, response: &Value, is_incomplete: bool) -> Result<Vec<ModelEvent>, ModelError> {
        let mut events = Vec::new();
        let output = response.get("output").and_then(Value::as_array).into_iter().flatten();
        for (place, item) in (0..).zip(output) {
            if !self.items.contains_key(&place) {
                events.extend(self.on_item(place, item)?);
            }
        }
        let mut items: Vec<Value> = std::mem::take(&mut self.items).into_values().collect();
        if is_incomplete {
            // The API refuses reasoning without the item that follows it.
            while items
                .last()
                .is_some_and(|item| item.get("type").is_some_and(|kind| kind == "reasoning"))
            {
                items.pop();
            }
        }
        let reason = response.pointer("/incomplete_details/reason").and_then(Value::as_str);
        let stop = match (is_incomplete, reason) {
            (true, Some("content_filter")) => StopReason::Refused,
            (true, _) => StopReason::MaxTokens,
            (false, _) if self.refused => StopReason::Refused,
            (false, _) if !self.calls.is_empty() => StopReason::ToolCalls,
            (false, _) => StopReason::EndTurn,
        };
        let kept = Kept {
            native: self.native,
            items,
        };
        let end = TurnEnd::new(stop)
            .with_usage(usage(response))
            .with_provider(kept.into_value());
        events.push(ModelEvent::Done(end));
        Ok(events)
    }
}

fn response(event: &Value) -> &Value {
    event.get("response").unwrap_or(&Value::Null)
}

fn is_cut_off(item: &Value) -> bool {
    matches!(
        item.get("status").and_then(Value::as_str),
        Some("incomplete" | "in_progress")
    )
}

/// The arguments without the nulls that a strict schema made the model write; unchanged if there are none.
fn without_nulls(tool: &ToolDefinition, arguments: &Arguments) -> Arguments {
    let mut stripped = arguments.value().clone();
    strip_invented_nulls(&tool.input_schema, &mut stripped);
    if stripped == *arguments.value() {
        arguments.clone()
    } else {
        stripped.into()
    }
}

fn usage(response: &Value) -> Usage {
    let count = |place: &str| response.pointer(place).and_then(Value::as_u64).unwrap_or_default();
    Usage::new(
        count("/usage/input_tokens"),
        count("/usage/input_tokens_details/cached_tokens"),
        count("/usage/output_tokens"),
    )
    .with_reasoning(count("/usage/output_tokens_details/reasoning_tokens"))
}
