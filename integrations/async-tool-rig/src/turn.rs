//! One turn: rig's stream as a stream of ours.
//!
//! # Invariants
//!
//! 1. Each call is emitted once, when it is complete, in the order in which the model made them.
//! 2. Each call's id is new in the conversation. A call with an id that another one has gets a new id, under which it is also sent back.
//! 3. Arguments that are not a JSON object stay the text that arrived, so that binding refuses them. So do the empty arguments of the last
//!    call of a turn that a limit of tokens cut.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use async_tool_runtime::{
    ToolCall,
    model::{ModelError, ModelEvent, StopReason, TurnEnd, Usage},
    tool::Arguments,
};
use async_tool_wire::{is_cut, is_end, is_failure, is_refusal};
use futures_util::{Stream, StreamExt, stream};
use rig_core::{
    DynModel,
    completion::{CompletionRequest, CompletionResponse, FinishReason},
    message::{AssistantContent, CallId, Message, ToolCall as RigCall},
    operation::Completion,
    streaming::{CompletionStream, Item, PartKind, StreamEvent},
};
use uuid::Uuid;

use crate::{blocks, failure};

/// Asks the model, and returns the events of its turn.
pub(crate) fn run(
    model: DynModel<Completion>,
    request: CompletionRequest,
    known: BTreeSet<String>,
    streams: bool,
) -> impl Stream<Item = Result<ModelEvent, ModelError>> + Send {
    let turn = Turn {
        provider: model.name().to_owned(),
        phase: Phase::Start {
            model,
            request: Box::new(request),
            streams,
        },
        assembly: Assembly {
            known,
            ..Assembly::default()
        },
    };
    stream::unfold(turn, |mut turn| async move {
        let event = turn.next().await?;
        Some((event, turn))
    })
}

struct Turn {
    provider: String,
    phase: Phase,
    assembly: Assembly,
}

enum Phase {
    Start {
        model: DynModel<Completion>,
        request: Box<CompletionRequest>,
        streams: bool,
    },
    Reading(Box<CompletionStream>),
    Over,
}

impl Turn {
    async fn next(&mut self) -> Option<Result<ModelEvent, ModelError>> {
        loop {
            if let Some(event) = self.assembly.events.pop_front() {
                return Some(Ok(event));
            }
            if let Err(error) = self.advance().await? {
                self.phase = Phase::Over;
                return Some(Err(error));
            }
        }
    }

    /// Reads on; `None` after the end.
    async fn advance(&mut self) -> Option<Result<(), ModelError>> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Start {
                model,
                request,
                streams: true,
            } => match model.stream(*request) {
                Ok(stream) => self.phase = Phase::Reading(Box::new(stream)),
                Err(error) => return Some(Err(failure::of(&self.provider, &error))),
            },
            Phase::Start { model, request, .. } => match model.call(*request).await {
                Ok(response) => {
                    for (place, block) in response.choice.iter().enumerate() {
                        self.assembly.end(place, block);
                    }
                    return Some(self.assembly.finish(&self.provider, &response));
                }
                Err(error) => return Some(Err(failure::of(&self.provider, &error))),
            },
            Phase::Reading(mut stream) => match stream.next().await {
                Some(Ok(item)) => {
                    if let Item::Event(event) = item {
                        self.assembly.event(event);
                    }
                    self.phase = Phase::Reading(stream);
                }
                Some(Err(error)) => return Some(Err(failure::of(&self.provider, &error))),
                None => match stream.finish().await {
                    Ok(response) => return Some(self.assembly.finish(&self.provider, &response)),
                    Err(error) => return Some(Err(failure::of(&self.provider, &error))),
                },
            },
            Phase::Over => return None,
        }
        Some(Ok(()))
    }
}

/// The events of a turn, put together from rig's.
#[derive(Default)]
struct Assembly {
    known: BTreeSet<String>,
    /// Text parts of which pieces have come.
    begun: BTreeSet<usize>,
    /// Ids under which the calls were emitted, by their places.
    emitted: BTreeMap<usize, String>,
    /// Calls that have begun and were not emitted yet, by their places; `None` while a call still grows.
    open: BTreeMap<usize, Option<RigCall>>,
    /// Place of the part that began last.
    last: usize,
    calls: usize,
    has_said: bool,
    events: VecDeque<ModelEvent>,
}

impl Assembly {
    fn event(&mut self, event: StreamEvent) {
        match event {
            StreamEvent::Start { part, kind, .. } => {
                self.last = self.last.max(part.index());
                if kind == PartKind::ToolCall {
                    self.open.insert(part.index(), None);
                }
                self.release();
            }
            StreamEvent::Text { part, text } => {
                self.begun.insert(part.index());
                self.text(text);
            }
            StreamEvent::End { part, content } => self.end(part.index(), &content),
            StreamEvent::Reasoning { text, .. } => {
                if !text.is_empty() {
                    self.events.push_back(ModelEvent::Reasoning(text));
                }
            }
            StreamEvent::Arguments { .. } => {}
        }
    }

    /// Takes a block that is complete.
    fn end(&mut self, place: usize, content: &AssistantContent) {
        self.last = self.last.max(place);
        match content {
            AssistantContent::Text(text) if !self.begun.contains(&place) => self.text(text.text.clone()),
            AssistantContent::ToolCall(call) => {
                self.open.insert(place, Some(call.clone()));
            }
            _ => {}
        }
        self.release();
    }

    fn text(&mut self, text: String) {
        if !text.is_empty() {
            self.has_said = true;
            self.events.push_back(ModelEvent::Text(text));
        }
    }

    /// Emits the calls that are complete, up to the first that isn't. Empty arguments are complete once another part has begun: if none
    /// follows, a limit may have cut them off.
    fn release(&mut self) {
        while let Some(first) = self.open.first_entry() {
            let place = *first.key();
            let is_complete = first
                .get()
                .as_ref()
                .is_some_and(|call| place < self.last || !is_empty(call));
            if !is_complete {
                return;
            }
            if let Some(call) = first.remove() {
                self.emit(place, call, false);
            }
        }
    }

    fn emit(&mut self, place: usize, call: RigCall, is_cut: bool) {
        let mut id = call.id.wire().into_owned();
        if !self.known.insert(id.clone()) {
            id = format!("call_{}", Uuid::new_v4().simple());
            self.known.insert(id.clone());
        }
        self.emitted.insert(place, id.clone());
        self.calls += 1;
        let arguments = match call.function.invalid_arguments {
            Some(text) => Arguments::from_text(text),
            None if is_cut => Arguments::from_text(""),
            None => Arguments::from(serde_json::Value::Object(call.function.arguments)),
        };
        let call = ToolCall::new(id, call.function.name.as_str(), arguments);
        self.events.push_back(ModelEvent::ToolCall(call));
    }

    fn finish(&mut self, provider: &str, response: &CompletionResponse) -> Result<(), ModelError> {
        let reason = response.finish_reason();
        if let Some(FinishReason::Other(word)) = &reason
            && is_failure(word)
        {
            return Err(failure::ended(provider, response.error.as_deref().unwrap_or(word)));
        }
        // The last call of a turn that the model didn't end may have lost its arguments.
        let is_whole = match &reason {
            None | Some(FinishReason::Stop | FinishReason::ToolCalls) => true,
            Some(FinishReason::Other(word)) => is_end(word),
            Some(_) => false,
        };
        for (place, call) in std::mem::take(&mut self.open) {
            if let Some(call) = call {
                let is_cut = !is_whole && place == self.last && is_empty(&call);
                self.emit(place, call, is_cut);
            }
        }
        let stop = match &reason {
            Some(FinishReason::Length) => StopReason::MaxTokens,
            Some(FinishReason::Other(word)) if is_cut(word) => StopReason::MaxTokens,
            Some(FinishReason::ContentFilter) => StopReason::Refused,
            Some(FinishReason::Other(word)) if is_refusal(word) => StopReason::Refused,
            Some(FinishReason::ToolCalls) if self.calls == 0 => return Err(ModelError::empty()),
            _ if self.calls > 0 => StopReason::ToolCalls,
            _ => StopReason::EndTurn,
        };
        let stop = match &response.error {
            // The provider's own word that the turn failed, such as a refusal with its reason.
            Some(reason) if self.calls == 0 => {
                if !self.has_said {
                    self.text(reason.clone());
                }
                StopReason::Refused
            }
            _ => stop,
        };
        let mut end = TurnEnd::new(stop).with_usage(usage(&response.usage));
        if let Some(Message::Assistant(mut turn)) = response.message() {
            let calls = turn.content.iter_mut().filter_map(|block| match block {
                AssistantContent::ToolCall(call) => Some(call),
                _ => None,
            });
            for (call, id) in calls.zip(self.emitted.values()) {
                if call.id.wire() != *id {
                    call.id = CallId::from_wire(id);
                }
            }
            if let Some(kept) = blocks::kept(&turn) {
                end = end.with_provider(kept);
            }
        }
        self.events.push_back(ModelEvent::Done(end));
        Ok(())
    }
}

fn is_empty(call: &RigCall) -> bool {
    call.function.arguments.is_empty() && call.function.invalid_arguments.is_none()
}

/// A cost of rig's.
pub(crate) fn usage(usage: &rig_core::completion::Usage) -> Usage {
    let count = Option::unwrap_or_default;
    Usage::new(
        count(usage.input_tokens),
        count(usage.cached_input_tokens),
        count(usage.output_tokens),
    )
    .with_reasoning(count(usage.reasoning_tokens))
}
