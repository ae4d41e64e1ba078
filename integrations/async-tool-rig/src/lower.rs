//! Lowering of a conversation to a request of rig's. Pure: equal conversations give equal requests.
//!
//! # Invariants
//!
//! 1. Every call has exactly one answer, directly after the turn that made it. A conversation that breaks this is repaired, because a
//!    provider would refuse it for ever.
//! 2. Nothing stands beside the answers to calls. rig merges consecutive messages of the user. So for some providers a filler turn of the
//!    assistant separates answers from the user's next words. So it does for Mistral's models, which refuse the user's words there.
//! 3. No text is empty.
//! 4. Appending to a conversation changes no earlier message, because prompt caches match prefixes.

use async_tool_runtime::{
    Message, ToolCall,
    content::MediaRules,
    context::{Answer, SaidPart},
    model::{ModelError, ModelRequest},
    schema::Dialect,
};
use async_tool_wire::is_mistral;
use rig_core::{
    completion::CompletionRequest,
    message::{CallId, Message as RigMessage, ToolResult, ToolResultContent},
};
use serde_json::Value;

use crate::{blocks, media, offered};

/// Filler turn of the assistant between answers and the user's next words.
const PASS: &str = "(noted)";
/// Filler turn of the user at the start of a cut conversation.
const BEGINNING: &str = "(what was said before this is left out)";
/// Answer for a call whose own answer is missing.
const NO_ANSWER: &str =
    r#"{"unknown":"no answer to this call was kept","note":"the effects of the tool may or may not have happened"}"#;

/// Lowers the conversation of a request.
///
/// # Errors
///
/// The dialect can't express a tool's schema.
pub(crate) fn lower(
    request: &ModelRequest,
    dialect: Dialect,
    (provider, model): (&str, Option<&str>),
    media: MediaRules,
) -> Result<CompletionRequest, ModelError> {
    let is_mistral = is_mistral(provider) || model.is_some_and(is_mistral);
    let mut turns = Turns {
        media,
        is_mistral,
        separates_answers: is_mistral || merges_answers(provider),
        messages: Vec::new(),
    };
    let system = request.system.as_deref().filter(|text| !text.trim().is_empty());
    let mut messages = request.messages.iter().peekable();
    while let Some(message) = messages.next() {
        match &**message {
            Message::User { .. } | Message::Delivery { .. } | Message::Note { .. } => turns.user(message.said(&media)),
            Message::Assistant { text, calls, provider } => {
                let ids = turns.assistant(text, calls, provider.as_ref());
                if !calls.is_empty() {
                    let answers = messages.next_if(|message| matches!(***message, Message::Answers(_)));
                    match answers.map(|answers| &**answers) {
                        Some(Message::Answers(answers)) => turns.answers(calls, ids, answers),
                        _ => turns.answers(calls, ids, &[]),
                    }
                }
            }
            // No provider accepts answers without a call before them.
            _ => {}
        }
    }
    let mut messages = turns.messages;
    if let Some(system) = system {
        messages.insert(0, RigMessage::system(system));
    }
    let tools = request.tools.iter().map(|tool| offered::definition(tool, dialect));
    let tools = tools.collect::<Result<Vec<_>, _>>()?;
    Ok(CompletionRequest::from(messages).tools(tools))
}

struct Turns {
    media: MediaRules,
    is_mistral: bool,
    /// True if the user's words may not stand directly behind answers: Mistral refuses them, and for some providers rig would put them
    /// into the message of the answers.
    separates_answers: bool,
    messages: Vec<RigMessage>,
}

impl Turns {
    fn user(&mut self, said: Vec<SaidPart<'_>>) {
        let content = media::content(said);
        if content.is_empty() {
            return;
        }
        if self.separates_answers && self.ends_with_answers() {
            self.messages.push(RigMessage::assistant(PASS));
        }
        self.messages.push(RigMessage::User { content });
    }

    /// Adds a turn; returns rig's ids of its calls.
    fn assistant(&mut self, text: &str, calls: &[ToolCall], provider: Option<&Value>) -> Vec<CallId> {
        let turn = blocks::sent(text, calls, provider);
        if let Some(api) = turn.api {
            self.separates_answers = self.is_mistral || merges_answers(&api);
        }
        if let Some(message) = turn.message {
            if self.messages.is_empty() {
                self.messages.push(RigMessage::user(BEGINNING));
            }
            self.messages.push(message);
        }
        turn.ids
    }

    fn answers(&mut self, calls: &[ToolCall], ids: Vec<CallId>, answers: &[Answer]) {
        let results = calls.iter().zip(ids).map(|(call, id)| {
            let answer = answers.iter().find(|answer| answer.call == call.id);
            ToolResult {
                call: id,
                name: offered::plain_name(&call.name),
                content: answer.map_or_else(
                    || vec![ToolResultContent::text(NO_ANSWER)],
                    |answer| content_with_media(answer, &self.media),
                ),
                is_error: answer.is_none_or(Answer::is_error),
            }
        });
        let results = results.collect();
        self.messages.push(RigMessage::tool_results(results));
    }

    fn ends_with_answers(&self) -> bool {
        use rig_core::message::UserContent;
        matches!(
            self.messages.last(),
            Some(RigMessage::User { content }) if matches!(content.first(), Some(UserContent::ToolResult(_)))
        )
    }
}

/// The content of an answer with its images, and a sentence about the media that the model doesn't take in results.
fn content_with_media(answer: &Answer, rules: &MediaRules) -> Vec<ToolResultContent> {
    let (shown, note) = answer.shown_media(rules);
    let mut parts = vec![content(answer)];
    parts.extend(note.map(ToolResultContent::text));
    parts.extend(shown.into_iter().map(media::in_result));
    parts
}

/// The content of an answer: a string as it is, any other value as JSON.
pub(crate) fn content(answer: &Answer) -> ToolResultContent {
    match answer.to_model_json() {
        Value::String(text) if !text.trim().is_empty() => ToolResultContent::text(text),
        other => ToolResultContent::json(other),
    }
}

/// True for providers and wire formats with all answers in one message of the user.
fn merges_answers(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["anthropic", "minimax", "gemini", "vertex", "bedrock"]
        .iter()
        .any(|known| name.contains(known))
}
