//! Assembly of one turn from genai's stream events or its whole answer. Pure: no I/O, no clock.
//!
//! # Invariants
//!
//! 1. Each call is emitted once, when it is complete, in the order in which the model made them.
//! 2. A turn is complete only if its end has a stop reason. For some streams that just stop, genai makes up an
//!    end without a reason.
//! 3. Each call's id is new in the conversation.
//! 4. Arguments that are not a JSON object stay the text that arrived, so that binding refuses them.

use std::{collections::BTreeSet, sync::Arc};

use async_tool_runtime::{
    Message, ToolCall, ToolDefinition,
    model::{ModelError, ModelEvent, ModelRequest, StopReason, TurnEnd, Usage},
    schema::strip_invented_nulls,
    tool::{Arguments, CallId},
};
use genai::chat::{self, MessageContent};
use serde::de::IgnoredAny;
use serde_json::Value;
use uuid::Uuid;

use crate::{Provider, blocks::Blocks};

pub(crate) struct Assembly {
    provider: Provider,
    /// The tools, if their strict dialect makes models write nulls for absent arguments.
    invents_nulls: Option<Arc<[ToolDefinition]>>,
    known: BTreeSet<String>,
    calls: Vec<Slot>,
    has_text: bool,
}

/// A call that is being received.
struct Slot {
    /// genai's id for the call. Not always unique.
    genai_id: String,
    name: String,
    arguments: Written,
    /// The id under which the call was emitted; `None` until then.
    id: Option<String>,
}

enum Written {
    /// The text received so far.
    Text(String),
    Value(Value),
}

/// The end of a turn as genai reports it, streamed or not.
pub(crate) struct End {
    pub(crate) content: Option<MessageContent>,
    pub(crate) reasoning: Option<String>,
    pub(crate) stop: Option<chat::StopReason>,
    pub(crate) usage: Option<chat::Usage>,
}

impl Assembly {
    pub(crate) fn new(provider: Provider, request: &ModelRequest, invents_nulls: bool) -> Self {
        let calls = request.messages.iter().flat_map(|message| match &**message {
            Message::Assistant { calls, .. } => calls.as_slice(),
            _ => &[],
        });
        Self {
            provider,
            invents_nulls: invents_nulls.then(|| Arc::clone(&request.tools)),
            known: calls.map(|call| call.id.as_str().to_owned()).collect(),
            calls: Vec::new(),
            has_text: false,
        }
    }

    pub(crate) fn text(&mut self, text: String) -> Option<ModelEvent> {
        self.has_text |= !text.is_empty();
        (!text.is_empty()).then_some(ModelEvent::Text(text))
    }

    /// Takes the part of a call received so far. For most formats, genai repeats the earlier part with each
    /// piece.
    pub(crate) fn call(&mut self, call: chat::ToolCall) -> Vec<ModelEvent> {
        let arguments = match call.fn_arguments {
            Value::String(text) => Written::Text(text),
            value => Written::Value(value),
        };
        // A call that arrives as a JSON value is complete. Its id may be a stand-in that another call has too.
        let is_whole = matches!(arguments, Written::Value(_));
        let known = self
            .calls
            .iter()
            .position(|slot| slot.genai_id == call.call_id && !is_whole);
        match known {
            Some(index) => {
                let slot = &mut self.calls[index];
                slot.arguments = arguments;
                if !call.fn_name.is_empty() {
                    slot.name = call.fn_name;
                }
                // Later calls have begun, so this call is not the one being written. Its missing part may have
                // come now.
                self.pass_on(self.calls.len() - 1)
            }
            None => {
                self.calls.push(Slot {
                    genai_id: call.call_id,
                    name: call.fn_name,
                    arguments,
                    id: None,
                });
                let open = usize::from(!is_whole);
                self.pass_on(self.calls.len() - open)
            }
        }
    }

    /// Takes a complete call from the wire; it replaces the pieces received so far.
    pub(crate) fn whole_call(&mut self, id: String, name: String, arguments: String) -> Vec<ModelEvent> {
        let index = match self.calls.iter().position(|slot| slot.genai_id == id) {
            Some(index) => index,
            None => {
                self.calls.push(Slot {
                    genai_id: id,
                    name: String::new(),
                    arguments: Written::Text(String::new()),
                    id: None,
                });
                self.calls.len() - 1
            }
        };
        let slot = &mut self.calls[index];
        if slot.id.is_none() {
            slot.name = name;
            slot.arguments = Written::Text(arguments);
        }
        self.pass_on(index + 1)
    }

    /// Emits the call being written: the wire reported its end.
    pub(crate) fn block_ended(&mut self) -> Vec<ModelEvent> {
        self.pass_on(self.calls.len())
    }

    /// Emits the calls before `end`, in order, up to the first whose arguments can't be complete.
    fn pass_on(&mut self, end: usize) -> Vec<ModelEvent> {
        let mut events = Vec::new();
        for index in 0..end {
            if self.calls[index].id.is_some() {
                continue;
            }
            if !self.calls[index].arguments.can_be_complete() {
                break;
            }
            events.push(self.give(index));
        }
        events
    }

    fn give(&mut self, index: usize) -> ModelEvent {
        let (id, name) = (self.calls[index].genai_id.clone(), self.calls[index].name.clone());
        let id = self.fresh_id(&id, &name);
        let slot = &mut self.calls[index];
        slot.id = Some(id.clone());
        let name: Arc<str> = slot.name.as_str().into();
        let arguments = std::mem::replace(&mut slot.arguments, Written::Text(String::new()));
        let arguments = arguments.into_arguments();
        ModelEvent::ToolCall(ToolCall::new(
            CallId::new(id),
            Arc::clone(&name),
            self.without_nulls(&name, arguments),
        ))
    }

    fn without_nulls(&self, name: &str, arguments: Arguments) -> Arguments {
        let tool = self
            .invents_nulls
            .iter()
            .flat_map(|tools| tools.iter())
            .find(|tool| &*tool.name == name);
        let Some(tool) = tool.filter(|_| arguments.value().is_object()) else {
            return arguments;
        };
        let mut value = arguments.value().clone();
        strip_invented_nulls(&tool.input_schema, &mut value);
        if value == *arguments.value() {
            arguments
        } else {
            value.into()
        }
    }

    /// Returns the provider's id, or a new one if that is missing, a stand-in, or already used in this
    /// conversation.
    fn fresh_id(&mut self, id: &str, name: &str) -> String {
        let is_stand_in = id.is_empty()
            || id.starts_with("call#")
            || id
                .strip_prefix("call_")
                .is_some_and(|number| number.len() < 4 && number.bytes().all(|byte| byte.is_ascii_digit()));
        let mut fresh = id.to_owned();
        if is_stand_in || self.known.contains(&fresh) {
            let number = Uuid::new_v4();
            fresh = match self.provider {
                // genai recognizes this form as "Gemini gave no id", and doesn't send it.
                Provider::Gemini | Provider::Vertex => format!("call#{name}#{}", number.as_fields().0),
                _ => format!("call_{}", number.simple()),
            };
        }
        self.known.insert(fresh.clone());
        fresh
    }

    /// Ends the turn: returns its remaining events.
    ///
    /// # Errors
    ///
    /// The end has no stop reason, or a reason that says that the turn failed.
    pub(crate) fn end(mut self, end: End) -> Result<Vec<ModelEvent>, ModelError> {
        let stop = end.stop.ok_or_else(ModelError::truncated)?;
        if let chat::StopReason::Other(reason) = &stop
            && is_failure(reason)
        {
            return Err(ModelError::transient(format!(
                "{}: the turn ended with `{reason}`",
                self.provider
            )));
        }
        let is_cut = stop.is_max_tokens();
        let streamed = self.calls.len();
        for call in end.content.iter().flat_map(|content| content.tool_calls()) {
            match self.calls[..streamed]
                .iter_mut()
                .find(|slot| slot.genai_id == call.call_id)
            {
                Some(slot) => {
                    // For malformed arguments of Bedrock's models, genai's end holds `{}`; the streamed pieces
                    // hold the real text.
                    let is_better = call.fn_arguments.is_object() && self.provider != Provider::Bedrock;
                    if slot.id.is_none() && is_better && !slot.arguments.can_be_complete() {
                        slot.arguments = Written::Value(call.fn_arguments.clone());
                    }
                }
                None => self.calls.push(Slot {
                    genai_id: call.call_id.clone(),
                    name: call.fn_name.clone(),
                    arguments: match call.fn_arguments.clone() {
                        Value::String(text) => Written::Text(text),
                        value => Written::Value(value),
                    },
                    id: None,
                }),
            }
        }
        if is_cut && let Some(last) = self.calls.last_mut().filter(|slot| slot.id.is_none()) {
            last.arguments.cut();
        }
        let mut events = Vec::new();
        for index in 0..self.calls.len() {
            if self.calls[index].id.is_none() {
                // Some models write no text at all for a call without arguments.
                let is_last = index + 1 == self.calls.len();
                if let Written::Text(text) = &mut self.calls[index].arguments
                    && text.trim().is_empty()
                    && !(is_cut && is_last)
                {
                    *text = "{}".to_owned();
                }
                events.push(self.give(index));
            }
        }
        let ids: Vec<String> = self.calls.iter().filter_map(|slot| slot.id.clone()).collect();
        let reason = match &stop {
            chat::StopReason::MaxTokens(_) => StopReason::MaxTokens,
            chat::StopReason::ContentFilter(_) => StopReason::Refused,
            chat::StopReason::Other(reason) if is_refusal(reason) => StopReason::Refused,
            _ if !ids.is_empty() => StopReason::ToolCalls,
            _ => StopReason::EndTurn,
        };
        let mut done =
            TurnEnd::new(reason).with_usage(end.usage.map(|spent| usage(self.provider, spent)).unwrap_or_default());
        let blocks = Blocks::of_turn(self.provider, end.content, end.reasoning, &ids);
        if let Some(kept) = blocks.and_then(|blocks| blocks.to_value()) {
            done = done.with_provider(kept);
        }
        events.push(ModelEvent::Done(done));
        Ok(events)
    }

    /// The text of an unstreamed answer; `None` if it is empty.
    pub(crate) fn whole_text(&mut self, content: &MessageContent) -> Option<ModelEvent> {
        let text = content.texts().concat();
        self.text(text)
    }
}

impl Written {
    fn can_be_complete(&self) -> bool {
        match self {
            Self::Text(text) => serde_json::from_str::<IgnoredAny>(text).is_ok(),
            Self::Value(_) => true,
        }
    }

    /// Clears empty arguments of the last call before the token limit: the limit may have cut them off.
    fn cut(&mut self) {
        let is_bare = match self {
            Self::Text(text) => text.trim().is_empty(),
            Self::Value(Value::Object(fields)) => fields.is_empty(),
            Self::Value(value) => value.is_null(),
        };
        if is_bare {
            *self = Self::Text(String::new());
        }
    }

    fn into_arguments(self) -> Arguments {
        match self {
            Self::Text(text) => Arguments::from_text(text),
            // Gemini omits empty arguments.
            Self::Value(Value::Null) => Arguments::from_text("{}"),
            Self::Value(value) => value.into(),
        }
    }
}

/// True for reasons of a failed turn: Gemini's for calls that it couldn't write, and those of OpenAI's failed
/// responses.
fn is_failure(reason: &str) -> bool {
    matches!(
        reason,
        "MALFORMED_FUNCTION_CALL"
            | "UNEXPECTED_TOOL_CALL"
            | "MALFORMED_RESPONSE"
            | "failed"
            | "cancelled"
            | "ERROR"
            | "error"
            | "malformed_model_output"
            | "malformed_tool_use"
    )
}

/// True for Bedrock's filter reasons, which genai doesn't know.
fn is_refusal(reason: &str) -> bool {
    matches!(reason, "guardrail_intervened" | "content_filtered")
}

fn usage(provider: Provider, usage: chat::Usage) -> Usage {
    let count = |tokens: Option<i32>| u64::try_from(tokens.unwrap_or_default()).unwrap_or_default();
    let details = usage.prompt_tokens_details.unwrap_or_default();
    let cached = count(details.cached_tokens);
    let mut input = count(usage.prompt_tokens);
    if provider == Provider::Bedrock {
        // Converse counts cached tokens apart from the input (`TokenUsage` in its reference); the other formats
        // include them.
        input += cached + count(details.cache_creation_tokens);
    }
    let reasoning = count(
        usage
            .completion_tokens_details
            .and_then(|details| details.reasoning_tokens),
    );
    // Gemini omits the output count if the turn only thought.
    let output = count(usage.completion_tokens).max(reasoning);
    Usage::new(input, cached, output).with_reasoning(reasoning)
}
