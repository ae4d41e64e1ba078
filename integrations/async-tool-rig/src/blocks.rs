//! Blocks of a turn that its provider wants back unchanged, in the form that the journal keeps.

use async_tool_runtime::ToolCall;
use rig_core::message::{
    AssistantContent, AssistantMessage, CallId, Message, StopReason, Text, ToolCall as RigCall, ToolFunction,
};
use serde_json::{Value, json};

use crate::offered::plain_name;

/// Name of the field that holds a turn of rig's.
const FIELD: &str = "rig";

/// The turn as a value for the journal; `None` if the transcript has all of it.
pub(crate) fn kept(turn: &AssistantMessage) -> Option<Value> {
    let has_more = turn.content.iter().any(|block| match block {
        AssistantContent::Text(_) | AssistantContent::ToolCall(_) => block.native_item().is_some(),
        _ => true,
    });
    let turn = has_more.then(|| serde_json::to_value(turn).ok())??;
    Some(json!({ FIELD: turn }))
}

/// The turn that was kept with a message, if rig made it.
fn read(provider: Option<&Value>) -> Option<AssistantMessage> {
    serde_json::from_value(provider?.get(FIELD)?.clone()).ok()
}

/// A turn as it is sent back.
pub(crate) struct SentTurn {
    pub(crate) message: Option<Message>,
    /// rig's ids of the calls, in their order.
    pub(crate) ids: Vec<CallId>,
    /// Wire format of the model that made the turn, if it is known.
    pub(crate) api: Option<String>,
}

/// Builds the turn that is sent back. Text and calls come from the transcript, which may have been corrected since; the other blocks are
/// those that were kept. rig itself drops blocks of another model.
pub(crate) fn sent(text: &str, calls: &[ToolCall], provider: Option<&Value>) -> SentTurn {
    let kept = read(provider);
    let origin = kept.as_ref().and_then(|turn| turn.origin.clone());
    let blocks = kept.map(|turn| turn.content).unwrap_or_default();
    let calls: Vec<RigCall> = calls.iter().map(|call| call_of(call, &blocks)).collect();
    let ids = calls.iter().map(|call| call.id.clone()).collect();
    let content = content(text, calls, blocks);
    let api = origin.as_ref().map(|origin| origin.api.as_str().to_owned());
    let message = (!content.is_empty()).then(|| {
        let has_calls = content
            .iter()
            .any(|block| matches!(block, AssistantContent::ToolCall(_)));
        let stop = if has_calls {
            StopReason::ToolUse
        } else {
            StopReason::Stop
        };
        // Not the stop that was kept: rig leaves a turn out that a filter stopped, and the transcript has it.
        Message::Assistant(AssistantMessage::new(content).with_origin(origin).with_stop(stop))
    });
    SentTurn { message, ids, api }
}

/// The call as it is sent back: the block that was kept, unless the call has been corrected.
fn call_of(call: &ToolCall, blocks: &[AssistantContent]) -> RigCall {
    let kept = blocks.iter().find_map(|block| match block {
        AssistantContent::ToolCall(kept) if kept.id.wire() == call.id.as_str() => Some(kept),
        _ => None,
    });
    let id = kept.map_or_else(|| CallId::from_wire(call.id.as_str()), |kept| kept.id.clone());
    let function = ToolFunction::new(plain_name(&call.name), call.arguments.value().clone());
    match kept {
        Some(kept) if kept.function == function => kept.clone(),
        _ => RigCall::new(id, function),
    }
}

fn content(text: &str, calls: Vec<RigCall>, blocks: Vec<AssistantContent>) -> Vec<AssistantContent> {
    let said: String = blocks
        .iter()
        .filter_map(|block| match block {
            AssistantContent::Text(text) => Some(text.text.as_str()),
            _ => None,
        })
        .collect();
    let is_as_said = said == text;
    let mut corrected = (!is_as_said && !text.trim().is_empty()).then(|| AssistantContent::Text(Text::new(text)));
    let mut open: Vec<Option<RigCall>> = calls.into_iter().map(Some).collect();
    let mut content = Vec::new();
    for block in blocks {
        match block {
            AssistantContent::Text(_) if is_as_said => content.push(block),
            AssistantContent::Text(_) => content.extend(corrected.take()),
            AssistantContent::ToolCall(kept) => {
                let place = open
                    .iter_mut()
                    .find(|call| call.as_ref().is_some_and(|call| call.id == kept.id));
                content.extend(place.and_then(Option::take).map(AssistantContent::ToolCall));
            }
            other => content.push(other),
        }
    }
    let first_call = content
        .iter()
        .position(|block| matches!(block, AssistantContent::ToolCall(_)))
        .unwrap_or(content.len());
    if let Some(corrected) = corrected {
        content.insert(first_call, corrected);
    }
    content.extend(open.into_iter().flatten().map(AssistantContent::ToolCall));
    // Reasoning alone says nothing, and providers refuse it without what it led to.
    if content.iter().any(AssistantContent::is_answer) {
        content
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use rig_core::message::Reasoning;

    use super::*;

    /// A thought, a text and a call, each with its provider's own form.
    fn made() -> Value {
        let call = ToolFunction::new(plain_name("search"), json!({"query": "bees"}));
        let blocks = [
            AssistantContent::Reasoning(Reasoning::new("hm")),
            AssistantContent::Text(Text::new("I look.")),
            AssistantContent::ToolCall(RigCall::from_wire("id_a", call)),
        ];
        let blocks = blocks.map(|block| block.with_native(json!({"type": "its own"})));
        kept(&AssistantMessage::new(blocks.to_vec())).unwrap()
    }

    /// The blocks that are sent: their kinds, with a star for those in the provider's own form.
    fn shown(text: &str, calls: &[ToolCall], provider: Option<&Value>) -> Vec<String> {
        let Some(Message::Assistant(turn)) = sent(text, calls, provider).message else {
            return Vec::new();
        };
        let blocks = turn.content.iter().map(|block| {
            let kind = match block {
                AssistantContent::Text(text) => text.text.clone(),
                AssistantContent::ToolCall(call) => format!("{}({})", call.function.name, call.id),
                _ => "thought".to_owned(),
            };
            let star = if block.native_item().is_some() { "*" } else { "" };
            kind + star
        });
        blocks.collect()
    }

    #[test]
    fn text_and_calls_are_the_transcript_s_and_the_rest_goes_back_unchanged() {
        let made = made();
        let call = |query: &str| ToolCall::new("id_a", "search", json!({"query": query}));
        let other = ToolCall::new("id_b", "add it", json!({}));
        let foreign = json!({"provider": "anthropic", "blocks": []});
        for (text, calls, provider, expected) in [
            (
                "I look.",
                vec![call("bees")],
                Some(&made),
                vec!["thought*", "I look.*", "search(id_a)*"],
            ),
            (
                "I loo",
                vec![call("bees")],
                Some(&made),
                vec!["thought*", "I loo", "search(id_a)*"],
            ),
            (
                "I look.",
                vec![call("[redacted]")],
                Some(&made),
                vec!["thought*", "I look.*", "search(id_a)"],
            ),
            ("I look.", vec![], Some(&made), vec!["thought*", "I look.*"]),
            ("", vec![], Some(&made), vec![]),
            (
                "I look.",
                vec![call("bees"), other.clone()],
                Some(&made),
                vec!["thought*", "I look.*", "search(id_a)*", "add_it(id_b)"],
            ),
            ("I look.", vec![other], Some(&foreign), vec!["I look.", "add_it(id_b)"]),
            ("I look.", vec![call("bees")], None, vec!["I look.", "search(id_a)"]),
        ] {
            assert_eq!(shown(text, &calls, provider), expected, "{text} {calls:?}");
        }
    }

    #[test]
    fn a_turn_with_nothing_else_is_kept_by_the_transcript_alone() {
        let plain = AssistantMessage::new(vec![AssistantContent::Text(Text::new("hi"))]);
        assert_eq!(kept(&plain), None);
    }
}
