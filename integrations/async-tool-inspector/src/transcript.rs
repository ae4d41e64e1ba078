//! Conversation as the model saw it, turn by turn.

use std::{collections::BTreeMap, sync::Arc};

use async_tool_runtime::{
    Journal, Message, SessionId,
    agent::Ledger,
    content::Media,
    context::{Answer, AnswerContent, ApproximateTokens, Pruned, TokenEstimator as _, pruned_view},
    journal::{Entry, Seq},
    model::Usage,
    tool::ToolDefinition,
};
use serde_json::{Map, Value, json};

use crate::watch::next;

/// Error of a turn that the session doesn't have.
pub(crate) const NO_TURN: &str = "there is no such turn";
/// Messages in one answer.
const MESSAGES: usize = 500;
/// Bytes of JSON in one answer, more or less.
const BYTES: usize = 1_024 * 1_024;
/// Longest text of a part, in characters; the task has the whole result.
const PART: usize = 64 * 1_024;

/// Part of the request that comes before the messages.
#[derive(Default)]
pub(crate) struct Head {
    pub(crate) system: Option<String>,
    pub(crate) tools: Vec<ToolDefinition>,
}

/// The view that a turn was given, or that the next turn would be given, from the message `after` on.
pub(crate) async fn transcript(
    journal: &dyn Journal,
    session: &SessionId,
    turn: Option<u32>,
    after: usize,
    head: &Head,
) -> Result<Value, String> {
    let mut fold = Fold::default();
    let mut entries = journal.read(session, Seq::START);
    while let Some(entry) = next(&mut entries).await {
        let (seq, entry) = entry.map_err(|error| error.to_string())?;
        if matches!((&entry, turn), (Entry::TurnStarted { turn, .. }, Some(wanted)) if turn.as_u32() == wanted) {
            fold.asked = Some((fold.ledger.transcript().len(), fold.ledger.pruned().clone()));
        }
        if let Err(error) = fold.apply(&entry) {
            return Err(format!("entry {} breaks a promise: {error}", seq.as_u64()));
        }
    }
    drop(entries);
    if turn.is_some() && fold.asked.is_none() {
        return Err(NO_TURN.to_owned());
    }
    Ok(fold.show(session, turn, after, head))
}

/// Fold of a session, with the turn of each message.
#[derive(Default)]
struct Fold {
    ledger: Ledger,
    /// Turn of each message: the one that made it, or the first one that saw it.
    turns: Vec<Option<u32>>,
    /// Tokens of each message.
    tokens: Vec<usize>,
    /// Cost of each turn, as the provider said, and the estimate of its messages.
    costs: BTreeMap<u32, (Option<Usage>, usize)>,
    /// Length and pruning at the turn that was asked for.
    asked: Option<(usize, Pruned)>,
}

impl Fold {
    fn apply(&mut self, entry: &Entry) -> Result<(), String> {
        if let Entry::TurnStarted { turn, .. } = entry {
            let turn = turn.as_u32();
            for known in &mut self.turns {
                known.get_or_insert(turn);
            }
            let pruned = self.ledger.pruned();
            let estimated = match *pruned == Pruned::default() {
                true => self.tokens.iter().sum(),
                false => {
                    let view = pruned_view(self.ledger.transcript(), pruned);
                    view.iter()
                        .map(|message| ApproximateTokens.count_message(message))
                        .sum()
                }
            };
            self.costs.insert(turn, (None, estimated));
        }
        self.ledger.apply(entry).map_err(|error| error.to_string())?;
        match entry {
            Entry::TurnEnded { turn, end, .. } => {
                self.costs.entry(turn.as_u32()).or_default().0 = Some(end.usage);
            }
            Entry::Replaced { .. } => {
                // An acknowledgement that no turn has seen became a result.
                let messages = self.ledger.transcript();
                for (tokens, message) in self.tokens.iter_mut().zip(messages).rev().take(4) {
                    *tokens = ApproximateTokens.count_message(message);
                }
            }
            _ => {}
        }
        let made_by = match entry {
            Entry::TurnEnded { turn, .. } | Entry::TurnInterrupted { turn, .. } | Entry::Answered { turn, .. } => {
                Some(turn.as_u32())
            }
            _ => None,
        };
        for message in &self.ledger.transcript()[self.turns.len()..] {
            let is_models = matches!(**message, Message::Assistant { .. } | Message::Answers(_));
            self.turns.push(made_by.filter(|_| is_models));
            self.tokens.push(ApproximateTokens.count_message(message));
        }
        Ok(())
    }

    fn show(&self, session: &SessionId, turn: Option<u32>, after: usize, head: &Head) -> Value {
        let all = self.ledger.transcript().messages();
        let (length, pruned) = match &self.asked {
            Some((length, pruned)) => (*length, pruned.clone()),
            None => (all.len(), self.ledger.pruned().clone()),
        };
        let messages = &all[..length.min(all.len())];
        let rows = rows(messages, &pruned);
        let mut sums: BTreeMap<&str, usize> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.mark != "dropped") {
            *sums.entry(sum_of(&row.message)).or_default() += row.tokens;
        }
        let (mut shown, mut bytes, mut next) = (Vec::new(), 0, None);
        for (place, row) in rows.iter().enumerate().skip(after) {
            if shown.len() >= MESSAGES || bytes >= BYTES {
                next = Some(place);
                break;
            }
            let turn = row.index.and_then(|index| self.turns.get(index).copied().flatten());
            let json = row.to_json(turn);
            bytes += json.to_string().len();
            shown.push(json);
        }
        let system = head
            .system
            .as_ref()
            .map(|text| (text, ApproximateTokens.count_text(text)));
        let tools: Vec<(usize, Value)> = head
            .tools
            .iter()
            .map(|tool| {
                let tokens = ApproximateTokens.count_text(&tool.name)
                    + ApproximateTokens.count_text(&tool.description)
                    + ApproximateTokens.count_text(&tool.input_schema.to_string());
                (
                    tokens,
                    json!({"name": tool.name, "description": tool.description, "tokens": tokens}),
                )
            })
            .collect();
        let system_tokens = system.map_or(0, |(_, tokens)| tokens);
        let tool_tokens: usize = tools.iter().map(|(tokens, _)| tokens).sum();
        let mut tokens = Map::new();
        for kind in ["user", "assistant", "answers", "deliveries", "notes"] {
            tokens.insert(kind.to_owned(), json!(sums.get(kind).copied().unwrap_or(0)));
        }
        tokens.insert("system".to_owned(), json!(system_tokens));
        tokens.insert("tools".to_owned(), json!(tool_tokens));
        let all = system_tokens + tool_tokens + sums.values().sum::<usize>();
        tokens.insert("all".to_owned(), json!(all));
        let turns = self.costs.iter().map(|(turn, (usage, estimated))| {
            json!({"turn": turn, "tokens": usage, "estimated": estimated + system_tokens + tool_tokens})
        });
        let pruned = (pruned != Pruned::default()).then(|| {
            let cuts: Vec<Value> = pruned
                .cuts
                .iter()
                .map(|cut| json!({"message": cut.message, "bytes": cut.bytes}))
                .collect();
            json!({"dropped": pruned.dropped, "collapsed": pruned.collapsed, "cuts": cuts})
        });
        json!({
            "session": session,
            "turn": turn,
            "turns": turns.collect::<Vec<_>>(),
            "messages": shown,
            "next": next,
            "system": system.map(|(text, tokens)| json!({"text": text, "tokens": tokens})),
            "tools": tools.into_iter().map(|(_, tool)| tool).collect::<Vec<_>>(),
            "tokens": tokens,
            "pruned": pruned,
        })
    }
}

/// Message of the view, or one that was left out of it.
struct Row {
    index: Option<usize>,
    message: Arc<Message>,
    mark: &'static str,
    tokens: usize,
}

/// Messages in their order: those that the model saw, and in their places those that were left out.
fn rows(messages: &[Arc<Message>], pruned: &Pruned) -> Vec<Row> {
    let row = |index: Option<usize>, message: &Arc<Message>, mark| Row {
        index,
        message: Arc::clone(message),
        mark,
        tokens: ApproximateTokens.count_message(message),
    };
    if *pruned == Pruned::default() {
        let whole = messages.iter().enumerate();
        return whole
            .map(|(index, message)| row(Some(index), message, "whole"))
            .collect();
    }
    // The view has the messages that stay, in their order, and one note in place of the others. So each message of the view is found by what
    // it was made of.
    let view = pruned_view(messages, pruned);
    let mut rows = Vec::with_capacity(messages.len() + 1);
    let mut seen = view.iter().peekable();
    for (index, message) in messages.iter().enumerate() {
        while let Some(note) = seen.next_if(|shown| is_lead(shown, message)) {
            rows.push(row(None, note, "lead"));
        }
        // A message that stays whole is the same one; one that was cut is a copy.
        let is_later = |shown: &Arc<Message>| messages[index + 1..].iter().any(|later| Arc::ptr_eq(shown, later));
        match seen.next_if(|shown| Arc::ptr_eq(shown, message) || is_made_of(shown, message) && !is_later(shown)) {
            Some(shown) => {
                let mark = match Arc::ptr_eq(shown, message) || **shown == **message {
                    true => "whole",
                    false if index < pruned.collapsed => "collapsed",
                    false => "cut",
                };
                rows.push(row(Some(index), shown, mark));
            }
            None => rows.push(row(Some(index), message, "dropped")),
        }
    }
    rows.extend(seen.map(|shown| row(None, shown, "lead")));
    rows
}

/// True for the note in place of messages that were left out, which is not itself a message of the conversation.
fn is_lead(shown: &Message, message: &Message) -> bool {
    matches!(shown, Message::Note { .. }) && shown != message
}

/// True if a message of the view can be this message, whole, cut or collapsed.
fn is_made_of(shown: &Message, message: &Message) -> bool {
    match (shown, message) {
        (Message::User { .. }, Message::User { .. }) => same_start(shown, message),
        (
            Message::Assistant {
                calls: one, text: a, ..
            },
            Message::Assistant {
                calls: other, text: b, ..
            },
        ) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| one.id == other.id)
                && starts_like(a, b)
        }
        (Message::Answers(one), Message::Answers(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.call == other.call)
        }
        (Message::Delivery { tasks: one, .. }, Message::Delivery { tasks: other, .. }) => one == other,
        (Message::Note { text: one }, Message::Note { text: other }) => one == other,
        _ => false,
    }
}

fn same_start(one: &Message, other: &Message) -> bool {
    match (one, other) {
        (Message::User { text: one, .. }, Message::User { text: other, .. }) => starts_like(one, other),
        _ => false,
    }
}

/// True if one text may be a cut form of the other: both begin with the same few characters.
fn starts_like(one: &str, other: &str) -> bool {
    const COMPARED: usize = 64;
    let pairs = one.chars().take(COMPARED).zip(other.chars());
    pairs.into_iter().all(|(one, other)| one == other)
}

/// Name under which the tokens of a message are summed up.
fn sum_of(message: &Message) -> &'static str {
    match message {
        Message::User { .. } => "user",
        Message::Assistant { .. } => "assistant",
        Message::Answers(_) => "answers",
        Message::Delivery { .. } => "deliveries",
        _ => "notes",
    }
}

impl Row {
    fn to_json(&self, turn: Option<u32>) -> Value {
        let (kind, parts) = match &*self.message {
            Message::User { text, media } => {
                let mut parts = vec![part("text", text)];
                parts.extend(media.iter().map(|attachment| media_part(&attachment.media)));
                ("user", parts)
            }
            Message::Assistant { text, calls, .. } => {
                let mut parts = Vec::new();
                if !text.is_empty() || calls.is_empty() {
                    parts.push(part("text", text));
                }
                parts.extend(calls.iter().map(|call| {
                    let mut part = part("call", &call.arguments.to_string());
                    part["call"] = json!(call.id);
                    part["tool"] = json!(call.name);
                    part
                }));
                ("assistant", parts)
            }
            Message::Answers(answers) => ("answers", answers.iter().map(answer_part).collect()),
            Message::Delivery { tasks, results, text } => {
                let mut frame = part("frame", text);
                frame["tasks"] = json!(tasks);
                let media = results.iter().flat_map(|result| &result.media).map(media_part);
                ("delivery", std::iter::once(frame).chain(media).collect())
            }
            Message::Note { text } => ("note", vec![part("note", text)]),
            _ => ("note", Vec::new()),
        };
        json!({
            "index": self.index,
            "kind": kind,
            "turn": turn,
            "tokens": self.tokens,
            "mark": self.mark,
            "parts": parts,
        })
    }
}

fn part(kind: &str, text: &str) -> Value {
    let (shown, is_cut) = crate::book::cut(text, PART);
    let mut part = json!({"kind": kind, "text": shown, "tokens": ApproximateTokens.count_text(text)});
    if is_cut {
        part["cut"] = json!(true);
    }
    part
}

fn media_part(media: &Media) -> Value {
    json!({"kind": "media", "text": format!("{media:?}"), "tokens": media.tokens()})
}

fn answer_part(answer: &Answer) -> Value {
    let (kind, task) = match &answer.content {
        AnswerContent::Ack(ack) => ("ack", ack.number),
        AnswerContent::Result(result) => ("result", result.number),
        AnswerContent::Collapsed(result) => ("collapsed", result.number),
        _ => ("report", None),
    };
    let text = match answer.to_model_json() {
        Value::String(text) => text,
        value => value.to_string(),
    };
    let mut part = part(kind, &text);
    part["call"] = json!(answer.call);
    part["tool"] = json!(answer.tool);
    if let Some(task) = task {
        part["task"] = json!(task);
    }
    if answer.is_error() {
        part["error"] = json!(true);
    }
    part
}
