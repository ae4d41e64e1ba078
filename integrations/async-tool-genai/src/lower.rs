//! Lowering of a conversation to turns that a format can send. Pure: equal conversations give equal bytes.
//!
//! # Invariants
//!
//! 1. Every call has exactly one answer, directly after the turn that made it. The agent guarantees this
//!    already. A conversation that breaks it is repaired, because a provider would refuse it for ever.
//! 2. For providers whose roles must alternate, consecutive messages of one role are merged. Nothing stands
//!    beside the answers to calls: a filler turn of the assistant separates them from the user's next words. So it
//!    does for Mistral's models, which refuse the user's words there.
//! 3. No text is empty.
//! 4. Appending to a conversation changes no earlier byte, because prompt caches match prefixes.
//! 5. Every name and id is one that the provider accepts, whatever the model wrote.

use async_tool_runtime::{
    Message, ToolCall, ToolDefinition,
    content::{Media, MediaRules},
    context::{Answer, AnswerMedia, SaidPart},
    model::{ModelError, ModelRequest},
    schema::Dialect,
};
use async_tool_wire::short_id;
use serde_json::{Map, Value, json};

use crate::{
    Provider,
    blocks::{Blocks, Part, SentCall, is_plain},
    wire::Wire,
};

/// Filler turn of the assistant, for providers that refuse the user's words directly after answers.
const PASS: &str = "(noted)";
/// Filler turn of the user at the start of a cut conversation, for providers that require a user to begin.
const BEGINNING: &str = "(what was said before this is left out)";
/// Longest id of a call, in characters: the limit of OpenAI's Chat Completions. The others take as much or more.
const LONGEST_ID: usize = 40;
/// Answer for a call whose own answer is missing.
const NO_ANSWER: &str =
    r#"{"unknown":"no answer to this call was kept","note":"the effects of the tool may or may not have happened"}"#;

/// Provider and options for which a conversation is lowered.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) provider: Provider,
    pub(crate) wire: Wire,
    pub(crate) dialect: Dialect,
    pub(crate) strict: bool,
    pub(crate) media: MediaRules,
    /// True if the user's words may not stand directly behind answers to calls.
    pub(crate) separates_answers: bool,
}

/// A conversation as it is sent.
#[derive(Debug)]
pub(crate) struct Conversation {
    pub(crate) system: Option<String>,
    pub(crate) turns: Vec<Turn>,
    pub(crate) tools: Vec<Tool>,
}

/// A turn of one side.
#[derive(Debug)]
pub(crate) enum Turn {
    User(Vec<Said>),
    Assistant(Vec<Part>),
    Answers(Vec<Told>),
}

/// A part of a turn of the user.
#[derive(Debug)]
pub(crate) enum Said {
    Text(String),
    /// An image, sound or file that the model takes.
    Media(Media),
}

/// The answer to a call.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) call: String,
    pub(crate) tool: String,
    pub(crate) text: String,
    /// Images, sounds and files that the model takes in an answer.
    pub(crate) media: Vec<Media>,
    pub(crate) is_error: bool,
}

/// A tool's definition.
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) schema: Value,
    pub(crate) strict: bool,
}

/// Lowers the conversation of a request.
///
/// # Errors
///
/// The dialect can't express a tool's schema.
pub(crate) fn lower(target: &Target, request: &ModelRequest) -> Result<Conversation, ModelError> {
    let mut turns = Turns {
        target,
        tools: &request.tools,
        turns: Vec::new(),
    };
    let mut messages = request.messages.iter().peekable();
    while let Some(message) = messages.next() {
        match &**message {
            Message::User { .. } | Message::Delivery { .. } | Message::Note { .. } => {
                let said = message.said(&target.media);
                turns.user(said.into_iter().filter_map(Said::of).collect());
            }
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
    let turns = turns.turns;
    let mut tools = tools(target, &request.tools)?;
    if tools.is_empty() && target.wire.wants_tools_for_old_calls() {
        tools = stand_ins(&turns);
    }
    let system = request.system.as_deref().filter(|text| !text.trim().is_empty());
    Ok(Conversation {
        system: system.map(str::to_owned),
        turns,
        tools,
    })
}

/// The text of an answer: a string as it is, any other value as JSON. A failure says in its text that it
/// failed, for formats without an error flag.
pub(crate) fn answer_text(answer: &Answer) -> String {
    match answer.to_model_json() {
        Value::String(text) if !text.trim().is_empty() => text,
        other => other.to_string(),
    }
}

impl Said {
    /// The part, unless it is a text of nothing.
    fn of(part: SaidPart<'_>) -> Option<Self> {
        match part {
            SaidPart::Text(text) if text.trim().is_empty() => None,
            SaidPart::Text(text) => Some(Self::Text(text.into_owned())),
            SaidPart::Media(media) => Some(Self::Media(media.clone())),
            _ => None,
        }
    }
}

struct Turns<'a> {
    target: &'a Target,
    tools: &'a [ToolDefinition],
    turns: Vec<Turn>,
}

impl Turns<'_> {
    fn user(&mut self, mut said: Vec<Said>) {
        if said.is_empty() {
            return;
        }
        match self.turns.last_mut() {
            Some(Turn::User(parts)) if self.target.wire.takes_turns() => {
                parts.append(&mut said);
                return;
            }
            Some(Turn::Answers(_)) if self.target.separates_answers => {
                self.turns.push(Turn::Assistant(vec![Part::Text(PASS.to_owned())]));
            }
            _ => {}
        }
        self.turns.push(Turn::User(said));
    }

    fn assistant(&mut self, text: &str, calls: &[ToolCall], kept: Option<&Value>) {
        let kept = kept.and_then(|kept| Blocks::from_value(self.target.provider, kept));
        let mut parts = match kept {
            Some(blocks) => blocks.into_parts(text, calls),
            None => {
                let text = (!text.trim().is_empty()).then(|| Part::Text(text.to_owned()));
                let calls = calls.iter().map(|call| Part::Call(SentCall::of(call)));
                text.into_iter().chain(calls).collect()
            }
        };
        for part in &mut parts {
            if let Part::Call(call) = part {
                call.id = self.id(&call.id);
                call.name = self.name(&call.name);
            }
        }
        if parts.is_empty() {
            return;
        }
        if self.target.wire.takes_turns() {
            match self.turns.last_mut() {
                None => self.turns.push(Turn::User(vec![Said::Text(BEGINNING.to_owned())])),
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
        let mut after = Vec::new();
        let told = calls.iter().map(|call| {
            let answer = answers.iter().find(|answer| answer.call == call.id);
            let AnswerMedia {
                inside,
                after: rest,
                note,
                ..
            } = answer
                .map(|answer| answer.split_media(&self.target.media))
                .unwrap_or_default();
            for (number, media) in rest {
                let head = format!(
                    "Output of `{}` (call {}), media {number}:",
                    call.name,
                    self.id(call.id.as_str())
                );
                after.extend([Said::Text(head), Said::Media(media.clone())]);
            }
            let mut text = answer.map_or_else(|| NO_ANSWER.to_owned(), answer_text);
            text.extend(note.iter().flat_map(|note| ["\n", note]));
            Told {
                call: self.id(call.id.as_str()),
                tool: self.name(&call.name),
                text,
                media: inside.into_iter().cloned().collect(),
                is_error: answer.is_none_or(Answer::is_error),
            }
        });
        let told = told.collect();
        self.turns.push(Turn::Answers(told));
        self.user(after);
    }

    /// Makes an id that the provider accepts. Gemini's stand-ins stay unchanged: they aren't sent.
    fn id(&self, id: &str) -> String {
        match (self.target.wire, self.target.provider) {
            (Wire::Gemini, _) => id.to_owned(),
            (_, Provider::Mistral) => nine_letters(id),
            _ => short_id(&id.replace(|letter: char| !is_plain(letter), "_"), LONGEST_ID).into_owned(),
        }
    }

    /// Makes a tool name that the provider accepts. Models call tools by invented names, and those calls are in
    /// the conversation too.
    fn name(&self, name: &str) -> String {
        if self.tools.iter().any(|tool| &*tool.name == name) {
            return name.to_owned();
        }
        let mut plain: String = name
            .chars()
            .take(64)
            .map(|letter| if is_plain(letter) { letter } else { '_' })
            .collect();
        let begins_well = plain.starts_with(|letter: char| letter.is_ascii_alphabetic());
        if !begins_well && !plain.is_empty() && self.target.wire.wants_a_letter_first() {
            plain.insert_str(0, "x_");
            plain.truncate(64);
        }
        if plain.is_empty() { "unknown".to_owned() } else { plain }
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
            let mut schema = (*schema).clone();
            if target.dialect == Dialect::OpenAiStrict {
                order_required(&mut schema);
            }
            Ok(Tool {
                name: definition.name.to_string(),
                description: definition.description.to_string(),
                schema,
                strict: is_strict && target.strict,
            })
        })
        .collect()
}

/// Lists required properties in the order of the properties, as OpenAI's strict mode writes them.
fn order_required(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(order_required),
        Value::Object(fields) => {
            let place = |name: &Value, fields: &Map<String, Value>| {
                let properties = fields.get("properties")?.as_object()?;
                properties.keys().position(|key| name == key)
            };
            if let Some(Value::Array(mut required)) = fields.remove("required") {
                required.sort_by_key(|name| place(name, fields));
                fields.insert("required".to_owned(), Value::Array(required));
            }
            fields.values_mut().for_each(order_required);
        }
        _ => {}
    }
}

/// Declares the tools used in the conversation, for a request without tools.
fn stand_ins(turns: &[Turn]) -> Vec<Tool> {
    let mut names: Vec<&str> = Vec::new();
    for turn in turns {
        let Turn::Assistant(parts) = turn else { continue };
        names.extend(parts.iter().filter_map(|part| match part {
            Part::Call(call) => Some(call.name.as_str()),
            _ => None,
        }));
    }
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .map(|name| Tool {
            name: name.to_owned(),
            description: "This tool is no longer there. Don't call it.".to_owned(),
            schema: json!({"type": "object", "properties": {}}),
            strict: false,
        })
        .collect()
}

/// Makes an id of nine letters and digits, the only ones that Mistral takes. Equal ids stay equal.
fn nine_letters(id: &str) -> String {
    if id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return id.to_owned();
    }
    // FNV-1a, which is the same in every process.
    let hash = id.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    format!("{hash:016x}")[7..].to_owned()
}
