//! Lowering of a conversation to genai's request. Pure: equal conversations give equal bytes.
//!
//! # Invariants
//!
//! 1. Every call has exactly one answer, directly after the turn that made it. The agent guarantees this
//!    already. A conversation that breaks it is repaired, because a provider would refuse it for ever.
//! 2. For providers whose roles must alternate, consecutive messages of one role are merged. Nothing stands
//!    beside the answers to calls: a filler turn of the assistant separates them from the user's next words.
//! 3. No text is empty.
//! 4. Appending to a conversation changes no earlier byte, because prompt caches match prefixes.

use async_tool_runtime::{
    Message, ToolCall, ToolDefinition,
    context::Answer,
    model::{ModelError, ModelRequest},
    schema::Dialect,
};
use genai::{
    ModelIden,
    chat::{CacheControl, ChatMessage, ChatRequest, ContentPart, CustomPart, MessageContent, Tool, ToolResponse},
};
use serde_json::{Value, json};

use crate::{
    Provider,
    blocks::{Blocks, call_part},
};

/// Filler turn of the assistant, for providers that refuse the user's words directly after answers.
const PASS: &str = "(noted)";
/// Filler turn of the user at the start of a cut conversation, for providers that require a user to begin.
const BEGINNING: &str = "(what was said before this is left out)";
/// Answer for a call whose own answer is missing.
const NO_ANSWER: &str =
    r#"{"unknown":"no answer to this call was kept","note":"the effects of the tool may or may not have happened"}"#;

/// Provider and options for which a conversation is lowered.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) provider: Provider,
    pub(crate) iden: ModelIden,
    pub(crate) dialect: Dialect,
    pub(crate) strict: bool,
}

/// Builds the request that genai takes.
///
/// # Errors
///
/// The dialect can't express a tool's schema.
pub(crate) fn lower(target: &Target, request: &ModelRequest) -> Result<ChatRequest, ModelError> {
    let mut turns = Turns {
        target,
        turns: Vec::new(),
    };
    let mut messages = request.messages.iter().peekable();
    while let Some(message) = messages.next() {
        match &**message {
            Message::User { text } | Message::Delivery { text, .. } | Message::Note { text } => turns.user(text),
            Message::Assistant { text, calls, provider } => {
                turns.assistant(text, calls, provider.as_ref());
                if !calls.is_empty() {
                    let answers = messages.next_if(|message| matches!(***message, Message::Answers(_)));
                    match answers.map(|answers| &**answers) {
                        Some(Message::Answers(answers)) => turns.answers(calls, answers),
                        _ => turns.answers(calls, &[]),
                    }
                }
            }
            // No provider accepts answers without a call before them.
            _ => {}
        }
    }
    let mut lowered: Vec<ChatMessage> = turns
        .turns
        .into_iter()
        .flat_map(|turn| turn.into_messages(target))
        .collect();
    let has_calls = lowered.iter().any(|message| !message.content.tool_calls().is_empty());
    let mut tools = tools(target, &request.tools)?;
    if tools.is_empty() && has_calls && target.provider.wants_tools_for_old_calls() {
        tools = stand_ins(&lowered);
    }
    let mut system = request
        .system
        .as_deref()
        .filter(|text| !text.trim().is_empty())
        .map(str::to_owned);
    if target.provider.has_cache_markers() {
        // The order on the wire is tools, system, messages. Each marker caches everything before it.
        if let Some(tool) = tools.last_mut() {
            tool.cache_control = Some(CacheControl::Ephemeral);
        }
        if let Some(message) = lowered.last_mut() {
            message.options = Some(CacheControl::Ephemeral.into());
        }
        if let Some(text) = system.take() {
            // genai marks only system prompts that are messages.
            lowered.insert(0, ChatMessage::system(text).with_options(CacheControl::Ephemeral));
        }
    }
    let mut chat = ChatRequest::new(lowered);
    chat.system = system;
    chat.tools = (!tools.is_empty()).then_some(tools);
    Ok(chat)
}

/// The text of an answer: a string as it is, any other value as JSON. A failure says in its text that it
/// failed, for formats without an error flag.
pub(crate) fn answer_text(answer: &Answer) -> String {
    match answer.to_model_json() {
        Value::String(text) if !text.trim().is_empty() => text,
        other => other.to_string(),
    }
}

struct Turns<'a> {
    target: &'a Target,
    turns: Vec<Turn>,
}

enum Turn {
    User(Vec<String>),
    Assistant(Vec<ContentPart>),
    Answers(Vec<Told>),
}

struct Told {
    call: String,
    tool: String,
    text: String,
    is_error: bool,
}

impl Turns<'_> {
    fn user(&mut self, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        if self.target.provider.takes_turns() {
            match self.turns.last_mut() {
                Some(Turn::User(texts)) => {
                    texts.push(text.to_owned());
                    return;
                }
                Some(Turn::Answers(_)) => {
                    self.turns
                        .push(Turn::Assistant(vec![ContentPart::Text(PASS.to_owned())]));
                }
                Some(Turn::Assistant(_)) | None => {}
            }
        }
        self.turns.push(Turn::User(vec![text.to_owned()]));
    }

    fn assistant(&mut self, text: &str, calls: &[ToolCall], kept: Option<&Value>) {
        let kept = kept.and_then(|kept| Blocks::from_value(self.target.provider, kept));
        let mut parts = match kept {
            Some(blocks) => blocks.into_parts(&self.target.iden, text, calls),
            None => {
                let text = (!text.trim().is_empty()).then(|| ContentPart::Text(text.to_owned()));
                text.into_iter()
                    .chain(calls.iter().map(|call| call_part(call, Vec::new())))
                    .collect()
            }
        };
        for part in &mut parts {
            if let ContentPart::ToolCall(call) = part {
                call.call_id = self.id(&call.call_id);
                call.fn_name = name(&call.fn_name);
            }
        }
        if parts.is_empty() {
            return;
        }
        if self.target.provider.takes_turns() {
            match self.turns.last_mut() {
                None => self.turns.push(Turn::User(vec![BEGINNING.to_owned()])),
                Some(Turn::Assistant(earlier)) => {
                    earlier.append(&mut parts);
                    return;
                }
                Some(Turn::User(_) | Turn::Answers(_)) => {}
            }
        }
        self.turns.push(Turn::Assistant(parts));
    }

    fn answers(&mut self, calls: &[ToolCall], answers: &[Answer]) {
        let told = calls.iter().map(|call| {
            let answer = answers.iter().find(|answer| answer.call == call.id);
            Told {
                call: self.id(call.id.as_str()),
                tool: name(&call.name),
                text: answer.map_or_else(|| NO_ANSWER.to_owned(), answer_text),
                is_error: answer.is_none_or(Answer::is_error),
            }
        });
        let told = told.collect();
        self.turns.push(Turn::Answers(told));
    }

    /// Makes an id that every format accepts. Gemini's stand-ins stay unchanged: genai recognizes their form,
    /// and doesn't send them.
    fn id(&self, id: &str) -> String {
        match self.target.provider {
            Provider::Gemini | Provider::Vertex => id.to_owned(),
            _ => id.replace(|letter: char| !is_plain(letter), "_"),
        }
    }
}

impl Turn {
    fn into_messages(self, target: &Target) -> Vec<ChatMessage> {
        match self {
            Self::User(texts) => {
                let texts: Vec<ContentPart> = texts.into_iter().map(ContentPart::Text).collect();
                vec![ChatMessage::user(MessageContent::from_parts(texts))]
            }
            Self::Assistant(parts) => vec![ChatMessage::assistant(MessageContent::from_parts(parts))],
            Self::Answers(told) => {
                let parts = told.into_iter().map(|told| told.into_part(target));
                if target.provider.wants_single_answers() {
                    parts
                        .map(|part| ChatMessage::tool(MessageContent::from_parts(vec![part])))
                        .collect()
                } else {
                    vec![ChatMessage::tool(MessageContent::from_parts(parts.collect::<Vec<_>>()))]
                }
            }
        }
    }
}

impl Told {
    fn into_part(self, target: &Target) -> ContentPart {
        if self.is_error && target.provider.has_error_flag() {
            // genai's own answers have no error flag; a custom block is sent unchanged.
            return ContentPart::Custom(CustomPart {
                model_iden: Some(target.iden.clone()),
                data: json!({
                    "type": "tool_result",
                    "content": self.text,
                    "tool_use_id": self.call,
                    "is_error": true,
                }),
            });
        }
        ContentPart::ToolResponse(ToolResponse::new(self.call, self.text).with_fn_name(self.tool))
    }
}

fn tools(target: &Target, definitions: &[ToolDefinition]) -> Result<Vec<Tool>, ModelError> {
    let is_strict = matches!(target.dialect, Dialect::OpenAiStrict | Dialect::AnthropicStrict);
    definitions
        .iter()
        .map(|definition| {
            let schema = definition.for_dialect(target.dialect).map_err(|error| {
                ModelError::permanent(format!(
                    "the tool `{}` can't be sent to the model: {error}",
                    definition.name
                ))
            })?;
            let mut tool = Tool::new(definition.name.to_string())
                .with_description(definition.description.to_string())
                .with_schema((*schema).clone());
            // If `strict` is absent, OpenAI's Responses API applies it to schemas that are not written for it.
            if is_strict || !target.provider.has_cache_markers() {
                tool = tool.with_strict(is_strict && target.strict);
            }
            Ok(tool)
        })
        .collect()
}

/// Declares the tools used in the conversation, for a request without tools.
fn stand_ins(messages: &[ChatMessage]) -> Vec<Tool> {
    let mut names: Vec<&str> = messages
        .iter()
        .flat_map(|message| message.content.tool_calls())
        .map(|call| call.fn_name.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .map(|name| {
            Tool::new(name.to_owned())
                .with_description("This tool is no longer there. Don't call it.")
                .with_schema(json!({"type": "object", "properties": {}}))
        })
        .collect()
}

/// Makes a tool name that every format accepts. Models call tools by invented names, and those calls are in the
/// conversation too.
fn name(name: &str) -> String {
    let plain: String = name
        .chars()
        .take(64)
        .map(|letter| if is_plain(letter) { letter } else { '_' })
        .collect();
    if plain.is_empty() { "unknown".to_owned() } else { plain }
}

fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-')
}
