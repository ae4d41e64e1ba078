//! Conversion of one turn, from the provider's frames to [`ModelEvent`]s. No I/O.
//!
//! # Invariants
//!
//! 1. A turn is complete only after `response.completed` or `response.incomplete` (or `response.done` with that status).
//! 2. A call is emitted once, when its item is complete (`response.output_item.done`), so that its task starts while
//!    the turn goes on. A call that was cut off is never emitted, and a complete turn that lost a call is an error.
//! 3. Items are kept unchanged, in their order.
//! 4. No two calls of a turn have one id. The id that the server wrote is in the kept item.
//!
//! `output.rs` lists the deviations of other servers. The [API reference][events] lists the events.
//!
//! [events]: https://platform.openai.com/docs/api-reference/responses-streaming

mod item;
mod output;
#[cfg(test)]
mod tests;
mod texts;
mod thoughts;

use std::sync::Arc;

use async_tool_runtime::{
    ToolCall, ToolDefinition,
    model::{ModelError, ModelEvent, StopReason, TurnEnd, Usage},
    schema::strip_invented_nulls,
    tool::Arguments,
};
use async_tool_wire::{Event, halves};
use serde_json::Value;

use self::{
    output::{Came, Output},
    texts::Texts,
    thoughts::Thoughts,
};
use crate::{failure::Failures, lowering::Kept};

/// The part of a turn received so far.
#[derive(Debug)]
pub(crate) struct Turn {
    tools: Arc<[ToolDefinition]>,
    strict: bool,
    native: bool,
    failures: Failures,
    output: Output,
    texts: Texts,
    thoughts: Thoughts,
    refused: bool,
}

impl Turn {
    /// Makes the turn for a request with these tools. Ids that the server omits begin with `own_ids`.
    pub(crate) fn new(
        tools: Arc<[ToolDefinition]>,
        strict: bool,
        native: bool,
        own_ids: String,
        failures: Failures,
    ) -> Self {
        Self {
            tools,
            strict,
            native,
            failures,
            output: Output::new(own_ids),
            texts: Texts::default(),
            thoughts: Thoughts::default(),
            refused: false,
        }
    }

    /// Converts an event of the stream.
    pub(crate) fn on_streamed(&mut self, streamed: &Event) -> Result<Vec<ModelEvent>, ModelError> {
        let data = streamed.data.trim();
        if data.is_empty() || data == "[DONE]" {
            return Ok(Vec::new());
        }
        let mut event = self.read(data)?;
        if let Some(fields) = event.as_object_mut().filter(|fields| !fields.contains_key("type")) {
            fields.insert("type".into(), Value::from(streamed.name.as_str()));
        }
        // Only pieces may keep halves of characters, because their other halves are still to come.
        if !item::kind(&event).ends_with(".delta") {
            halves::join_all(&mut event);
        }
        self.on_event(&event)
    }

    /// Converts the body of an unstreamed answer.
    pub(crate) fn on_answer(&mut self, text: &str) -> Result<Vec<ModelEvent>, ModelError> {
        let mut response = self.read(text)?;
        halves::join_all(&mut response);
        self.on_response(&response)
    }

    fn read(&self, text: &str) -> Result<Value, ModelError> {
        halves::parse(text).map_err(|error| self.failures.malformed(&format!("invalid JSON: {error}")))
    }

    /// Converts an event of the stream. Unknown events are skipped, because the API gains new ones every year.
    fn on_event(&mut self, event: &Value) -> Result<Vec<ModelEvent>, ModelError> {
        match item::kind(event) {
            "response.output_text.delta" | "response.refusal.delta" => {
                let piece = event.get("delta").and_then(Value::as_str).unwrap_or_default();
                Ok(text(self.texts.piece(event, piece)).into_iter().collect())
            }
            "response.reasoning_summary_part.added" => {
                self.thoughts.end_part();
                Ok(Vec::new())
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                let id = item::text(event, "item_id").unwrap_or_default();
                let piece = event.get("delta").and_then(Value::as_str).unwrap_or_default();
                Ok(reasoning(self.thoughts.piece(id, piece)).into_iter().collect())
            }
            "response.output_item.added" => {
                self.output.announce(event);
                Ok(Vec::new())
            }
            "response.function_call_arguments.delta" => {
                self.output.arguments(event, false);
                Ok(Vec::new())
            }
            "response.function_call_arguments.done" => {
                self.output.arguments(event, true);
                Ok(Vec::new())
            }
            "response.output_item.done" => match event.get("item").filter(|item| item.is_object()) {
                Some(item) => Ok(match self.output.done(event, item) {
                    Came::New(index) => self.tell(index),
                    Came::Known | Came::Held(_) => Vec::new(),
                }),
                None => Err(self.failures.malformed("an item without content")),
            },
            // A name that some servers give the last event.
            "response.done" => self.on_response(response(event)),
            "response.completed" => match item::text(response(event), "status") {
                Some("failed" | "cancelled" | "incomplete") => self.on_response(response(event)),
                _ => self.complete(response(event), false),
            },
            "response.incomplete" => self.complete(response(event), true),
            "response.failed" => Err(self
                .failures
                .reported(response(event).get("error").unwrap_or(&Value::Null))),
            "response.cancelled" => Err(ModelError::transient("the provider cancelled the turn")),
            "error" => Err(self
                .failures
                .reported(event.get("error").filter(|error| !error.is_null()).unwrap_or(event))),
            "" => match event.get("error").filter(|error| !error.is_null()) {
                Some(error) => Err(self.failures.reported(error)),
                None => Ok(Vec::new()),
            },
            _ => Ok(Vec::new()),
        }
    }

    fn on_response(&mut self, response: &Value) -> Result<Vec<ModelEvent>, ModelError> {
        let error = response.get("error").filter(|error| !error.is_null());
        match (item::text(response, "status"), error) {
            (Some("completed"), _) => self.complete(response, false),
            (Some("incomplete"), _) => self.complete(response, true),
            (Some("failed"), _) | (None, Some(_)) => Err(self.failures.reported(error.unwrap_or(&Value::Null))),
            (Some("cancelled"), _) => Err(ModelError::transient("the provider cancelled the turn")),
            _ => Err(self.failures.malformed("an answer that is not complete")),
        }
    }

    /// Emits an item that has come in full.
    fn tell(&mut self, index: usize) -> Vec<ModelEvent> {
        let item = &self.output.entry(index).item;
        match item::kind(item) {
            "function_call" => vec![ModelEvent::ToolCall(self.call(index))],
            "message" => {
                let (said, is_refusal) = item::said(item);
                self.refused |= is_refusal;
                let entry = self.output.entry(index);
                let told = self.texts.message(item::text(&entry.item, "id"), entry.place, &said);
                text(told).into_iter().collect()
            }
            "reasoning" => reasoning(self.thoughts.whole(item)).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// The call at this index. Its name may be empty: the runtime refuses it with an error for the model.
    fn call(&mut self, index: usize) -> ToolCall {
        let id = self.output.name_call(index);
        let item = &self.output.entry(index).item;
        let name = item::name(item);
        let arguments = arguments(item);
        let tool = self.tools.iter().find(|tool| self.strict && &*tool.name == name);
        let arguments = tool.map_or_else(|| arguments.clone(), |tool| without_nulls(tool, &arguments));
        ToolCall::new(id, name, arguments)
    }

    fn complete(&mut self, response: &Value, is_incomplete: bool) -> Result<Vec<ModelEvent>, ModelError> {
        let output = response
            .get("output")
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        let told = self.output.end(output, !is_incomplete);
        let told = told.map_err(|_| {
            self.failures
                .malformed("a complete turn with a call that is not complete")
        })?;
        let mut events: Vec<ModelEvent> = told.into_iter().flat_map(|index| self.tell(index)).collect();
        events.extend(text(self.texts.finish()));
        if !is_incomplete && !self.output.has_calls() && ends_with_calls(response) {
            return Err(self.failures.malformed("a turn that ends with calls and has none"));
        }
        let has_calls = self.output.has_calls();
        let mut items = self.output.take_items();
        if is_incomplete {
            // The API refuses reasoning without the item that follows it.
            while items.last().is_some_and(|(item, _)| item::kind(item) == "reasoning") {
                items.pop();
            }
        }
        let reason = response.pointer("/incomplete_details/reason").and_then(Value::as_str);
        let stop = match (is_incomplete, reason) {
            (true, Some("content_filter")) => StopReason::Refused,
            (true, _) => StopReason::MaxTokens,
            (false, _) if self.refused => StopReason::Refused,
            (false, _) if has_calls => StopReason::ToolCalls,
            (false, _) => StopReason::EndTurn,
        };
        let kept = Kept::new(self.native, items);
        let end = TurnEnd::new(stop)
            .with_usage(usage(response))
            .with_provider(kept.into_value());
        events.push(ModelEvent::Done(end));
        Ok(events)
    }
}

fn text(text: String) -> Option<ModelEvent> {
    (!text.is_empty()).then_some(ModelEvent::Text(text))
}

fn reasoning(text: String) -> Option<ModelEvent> {
    (!text.is_empty()).then_some(ModelEvent::Reasoning(text))
}

/// Arguments of a call. Text with halves of characters is no JSON, so it goes on without them.
fn arguments(item: &Value) -> Arguments {
    match item.get("arguments") {
        Some(Value::String(text)) => {
            let whole = halves::replace(text).filter(|whole| serde_json::from_str::<Value>(whole).is_ok());
            Arguments::from_text(whole.unwrap_or_else(|| text.clone()))
        }
        None | Some(Value::Null) => Arguments::from_text(""),
        Some(value) => Arguments::from(value.clone()),
    }
}

/// True if a server says, in the words of another API, that the turn ends with calls.
fn ends_with_calls(response: &Value) -> bool {
    ["finish_reason", "stop_reason"].iter().any(|name| {
        matches!(
            item::text(response, name),
            Some("tool_calls" | "tool_use" | "function_call")
        )
    })
}

fn response(event: &Value) -> &Value {
    event.get("response").unwrap_or(&Value::Null)
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
