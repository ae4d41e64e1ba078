//! Tool calls for models without native ones: every answer is one JSON object, with calls or with a reply.

use std::fmt::Write as _;

use async_tool_runtime::{
    Message,
    content::MediaRules,
    context::SaidPart,
    model::{ModelError, ModelRequest},
    schema::Dialect,
};
use async_tool_wire::{is_failure, is_refusal};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Provider,
    assembly::{Assembly, End, Written},
    blocks::Part,
    lower::{Conversation, Said, Turn, answer_text},
    request::Form,
    wire::Wire,
};

/// Longest part of an unreadable answer that the error repeats, in characters.
const SHOWN: usize = 200;

const INSTRUCTION: &str = "\
Answer with one JSON object and nothing else. It is one of:\n\
{\"answer\": {\"reply\": \"what you say to the user\"}}\n\
{\"answer\": {\"calls\": [{\"tool\": \"name of a tool\", \"arguments\": {}}]}}\n\
With calls, you are given their results before you answer again. These are the tools, with the JSON Schema of their arguments:";

/// Writes the conversation as plain text. Roles alternate, because the chat templates of small models require
/// it.
pub(crate) fn lower(request: &ModelRequest) -> Result<Conversation, ModelError> {
    let mut turns: Vec<(bool, String)> = Vec::new();
    let mut say = |is_model: bool, text: String| {
        if text.trim().is_empty() {
            return;
        }
        match turns.last_mut() {
            Some((last, said)) if *last == is_model => {
                said.push_str("\n\n");
                said.push_str(&text);
            }
            _ => turns.push((is_model, text)),
        }
    };
    for message in &request.messages {
        match &**message {
            Message::User { .. } | Message::Delivery { .. } | Message::Note { .. } => {
                for part in message.said(&MediaRules::NONE) {
                    if let SaidPart::Text(text) = part {
                        say(false, text.into_owned());
                    }
                }
            }
            Message::Assistant { text, calls, .. } if calls.is_empty() => {
                let is_said = !text.trim().is_empty();
                let reply = is_said.then(|| json!({"answer": {"reply": text}}).to_string());
                say(true, reply.unwrap_or_default());
            }
            // In this mode a turn has calls or text, so the text beside another model's calls is dropped.
            Message::Assistant { calls, .. } => {
                let calls: Vec<Value> = calls
                    .iter()
                    .map(|call| json!({"tool": call.name, "arguments": call.arguments}))
                    .collect();
                say(true, json!({"answer": {"calls": calls}}).to_string());
            }
            Message::Answers(answers) => {
                let mut text = "The tools answered, in the order of the calls:".to_owned();
                for answer in answers {
                    // Writing to a string can't fail.
                    let _ = write!(text, "\n{}: {}", answer.tool, answer_text(answer));
                    if let (_, Some(note)) = answer.shown_media(&MediaRules::NONE) {
                        let _ = write!(text, "\n{note}");
                    }
                }
                say(false, text);
            }
            _ => {}
        }
    }
    let turns = turns.into_iter().map(|(is_model, text)| {
        if is_model {
            Turn::Assistant(vec![Part::Text(text)])
        } else {
            Turn::User(vec![Said::Text(text)])
        }
    });
    let turns = turns.collect();
    let mut system = request
        .system
        .as_deref()
        .map(|text| format!("{text}\n\n"))
        .unwrap_or_default();
    system.push_str(INSTRUCTION);
    for tool in request.tools.iter() {
        let schema = schema_of(tool, Dialect::Plain)?;
        let _ = write!(system, "\n- {}: {} {schema}", tool.name, tool.description);
    }
    Ok(Conversation {
        system: Some(system),
        turns,
        tools: Vec::new(),
    })
}

/// The form that is asked for.
pub(crate) fn form(provider: Provider, wire: Wire, request: &ModelRequest) -> Result<Form, ModelError> {
    Ok(match wire {
        // Older versions of Ollama take no schema; "some JSON" is all they can be asked for.
        Wire::Ollama => Form::Json,
        // These refuse a schema.
        Wire::Chat if matches!(provider, Provider::DeepSeek | Provider::Moonshot | Provider::Zai) => Form::Json,
        Wire::Bedrock => Form::Text,
        // Anthropic compiles the schema, and refuses what its strict dialect can't say.
        Wire::Anthropic => {
            let strict = schema(request, Dialect::AnthropicStrict);
            strict.map_or(Form::Text, Form::Schema)
        }
        _ => Form::Schema(schema(request, Dialect::Plain)?),
    })
}

/// The schema `anyOf(calls, reply)`, one level down: OpenAI takes no `anyOf` at the root.
fn schema(request: &ModelRequest, dialect: Dialect) -> Result<Value, ModelError> {
    let object = |properties: Value, required: &[&str]| json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    let mut calls = Vec::new();
    for tool in request.tools.iter() {
        let call = json!({"tool": {"type": "string", "enum": [tool.name]}, "arguments": schema_of(tool, dialect)?});
        calls.push(object(call, &["tool", "arguments"]));
    }
    let calls = json!({"calls": {"type": "array", "items": {"anyOf": calls}}});
    let reply = json!({"reply": {"type": "string"}});
    let answer = json!({"anyOf": [object(calls, &["calls"]), object(reply, &["reply"])]});
    Ok(object(json!({"answer": answer}), &["answer"]))
}

fn schema_of(tool: &async_tool_runtime::ToolDefinition, dialect: Dialect) -> Result<Value, ModelError> {
    let schema = tool.for_dialect(dialect).map_err(|error| {
        ModelError::permanent(format!("the tool `{}` can't be sent to the model: {error}", tool.name))
    })?;
    Ok((*schema).clone())
}

#[derive(Deserialize)]
struct Wrapped {
    answer: Answer,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Calls { calls: Vec<Call> },
    Reply { reply: String },
}

#[derive(Deserialize)]
struct Call {
    tool: String,
    #[serde(default)]
    arguments: Value,
}

/// Reads the turn from the model's JSON answer.
///
/// # Errors
///
/// The answer doesn't have the requested form. A retry may help, because small models vary from try to try.
pub(crate) fn read(turn: &mut Assembly, text: &str, end: End) -> Result<(), ModelError> {
    // A stream that was cut must not be reported as a malformed answer.
    let Some(stop) = end.stop.as_deref() else {
        return Err(ModelError::truncated());
    };
    // A refusal is text, whatever form was asked for.
    if is_refusal(stop) || is_failure(stop) {
        turn.text(text);
        return turn.end(end);
    }
    let Some(answer) = parse(text) else {
        let shown: String = text.chars().take(SHOWN).collect();
        return Err(ModelError::transient(format!(
            "the model's answer is neither calls nor a reply in the JSON that was asked for: {shown:?}"
        )));
    };
    match answer {
        Answer::Reply { reply } => turn.text(&reply),
        Answer::Calls { calls } => {
            for call in calls {
                // The assembly makes an id for a call without one.
                let place = turn.open("", &call.tool);
                turn.call(place).arguments = match Written::of(call.arguments) {
                    arguments if arguments.is_empty() => Written::Text("{}".to_owned()),
                    arguments => arguments,
                };
                turn.close(place);
            }
        }
    }
    turn.end(end)
}

/// Parses the answer's JSON object, without the thoughts and Markdown fences that small models add.
fn parse(text: &str) -> Option<Answer> {
    let text = text.rsplit_once("</think>").map_or(text, |(_, rest)| rest);
    let (begin, end) = (text.find('{')?, text.rfind('}')?);
    let object = text.get(begin..=end)?;
    let wrapped: Option<Wrapped> = serde_json::from_str(object).ok();
    wrapped
        .map(|wrapped| wrapped.answer)
        .or_else(|| serde_json::from_str(object).ok())
}
