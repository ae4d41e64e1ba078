//! Rules for every view and every pruning, written independently of the code that prunes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_tool_runtime::{Message, TaskNo, ToolCall, context::AnswerContent};
use serde_json::Value;

type Broken = Result<(), String>;

fn require(holds: bool, rule: impl FnOnce() -> String) -> Broken {
    if holds { Ok(()) } else { Err(rule()) }
}

fn is_users(message: &Message) -> bool {
    matches!(
        message,
        Message::User { .. } | Message::Delivery { .. } | Message::Note { .. }
    )
}

/// The rules of the providers' APIs: a request that breaks one is refused.
pub(super) fn wire(view: &[Arc<Message>]) -> Broken {
    require(view.first().is_some_and(|first| is_users(first)), || {
        "the first message is in the user's role".to_owned()
    })?;
    let mut ids = BTreeSet::new();
    let mut open: Option<&[ToolCall]> = None;
    let mut before: Option<&Message> = None;
    for message in view {
        match (&**message, open.take()) {
            (Message::Answers(answers), Some(calls)) => {
                let answered: Vec<_> = answers.iter().map(|answer| &answer.call).collect();
                let called: Vec<_> = calls.iter().map(|call| &call.id).collect();
                require(answered == called, || format!("{called:?} is answered by {answered:?}"))?;
            }
            (Message::Answers(_), None) => return Err("answers without calls".to_owned()),
            (other, Some(calls)) => return Err(format!("{other:?} stands before the answers to {calls:?}")),
            (Message::Assistant { calls, .. }, None) => {
                let follows = before.is_some_and(|before| !matches!(before, Message::Assistant { .. }));
                require(follows, || "two turns without anything between them".to_owned())?;
                for call in calls {
                    require(ids.insert(&call.id), || format!("{:?} is called twice", call.id))?;
                }
                open = Some(calls).filter(|calls| !calls.is_empty()).map(Vec::as_slice);
            }
            (Message::User { text, .. } | Message::Delivery { text, .. }, None) => {
                require(!text.is_empty(), || "an empty text".to_owned())?;
            }
            (Message::Note { text }, None) => {
                require(!text.is_empty(), || "an empty text".to_owned())?;
                let after_answers = before.is_some_and(|before| matches!(before, Message::Answers(_)));
                require(!after_answers, || "text directly after results".to_owned())?;
            }
            (other, None) => return Err(format!("unknown message: {other:?}")),
        }
        before = Some(message);
    }
    require(open.is_none(), || "calls without answers".to_owned())
}

/// A view shows the transcript in its order, unchanged except for results.
pub(super) fn faithful(messages: &[Arc<Message>], view: &[Arc<Message>]) -> Broken {
    let mut rest = messages.iter();
    for shown in view.iter().filter(|shown| !matches!(***shown, Message::Note { .. })) {
        require(rest.any(|message| is_shown_by(message, shown)), || {
            format!("not in the transcript, or not at this place: {shown:?}")
        })?;
    }
    require(is_user(&messages[0]) == is_user(&view[0]), || {
        "the first message is lost".to_owned()
    })?;
    // The next turn of the model is about these messages.
    let last = messages
        .iter()
        .rposition(|message| matches!(**message, Message::Assistant { .. }));
    let unseen = &messages[last.map_or(0, |last| last + 1)..];
    require(view.ends_with(unseen), || {
        "what the model hasn't seen is pruned".to_owned()
    })
}

fn is_user(message: &Message) -> bool {
    matches!(message, Message::User { .. })
}

fn is_shown_by(message: &Message, shown: &Message) -> bool {
    match (message, shown) {
        (Message::Answers(said), Message::Answers(shown)) => {
            said.len() == shown.len()
                && said.iter().zip(shown).all(|(said, shown)| {
                    let same = said.call == shown.call && said.tool == shown.tool;
                    let told = shown.to_model_json().to_string();
                    same && said.is_error() == shown.is_error()
                        && match (&said.content, &shown.content) {
                            (AnswerContent::Result(result), AnswerContent::Collapsed(collapsed)) => {
                                let handle = result.preview.as_ref().map_or("", |preview| &preview.handle);
                                let number = result.number.unwrap().to_string();
                                result == collapsed
                                    && told.len() < said.to_model_json().to_string().len()
                                    && told.len() < 200
                                    && told.contains(handle)
                                    && told.contains(&format!(r#""task":"{number}""#))
                            }
                            (said, shown) => said == shown,
                        }
                })
        }
        (
            Message::Delivery { tasks, text, .. },
            Message::Delivery {
                tasks: same,
                text: shown,
                ..
            },
        ) => {
            let (said, shown): (Vec<_>, Vec<_>) = (text.split('\n').collect(), shown.split('\n').collect());
            tasks == same
                && said.len() == shown.len()
                && said
                    .iter()
                    .zip(shown)
                    .all(|(said, shown)| is_line_shown_by(said, shown))
        }
        (message, shown) => message == shown,
    }
}

fn is_line_shown_by(said: &str, shown: &str) -> bool {
    if said == shown {
        return true;
    }
    let (Ok(record), Ok(line)) = (
        serde_json::from_str::<Value>(said),
        serde_json::from_str::<Value>(shown),
    ) else {
        return false;
    };
    // Tools of the session imitate previews; only the numbers tell them apart.
    let is_preview = record.pointer("/result/bytes").is_some_and(Value::is_u64);
    let handle = record.pointer("/result/handle").and_then(Value::as_str);
    let has_handle = handle.is_none_or(|handle| !is_preview || shown.contains(handle));
    shown.len() < said.len()
        && shown.len() < 400
        && !shown.contains(['<', '>', '&'])
        && has_handle
        && line.get("collapsed").is_some()
        && ["task", "status"]
            .iter()
            .all(|key| line[key] == record[key] && line[key].is_string())
        && line["tool"].is_string()
}

/// The tasks that the model knows as running.
pub(super) fn running(messages: &[Arc<Message>]) -> BTreeMap<TaskNo, ToolCall> {
    let mut running = BTreeMap::new();
    let mut called: &[ToolCall] = &[];
    for message in messages {
        match &**message {
            Message::Assistant { calls, .. } => called = calls,
            Message::Answers(answers) => {
                for (answer, call) in answers.iter().zip(called) {
                    if let AnswerContent::Ack(ack) = &answer.content {
                        running.insert(ack.number.unwrap(), call.clone());
                    }
                }
            }
            Message::Delivery { tasks, .. } => running.retain(|number, _| !tasks.contains(number)),
            _ => {}
        }
    }
    running
}

/// No running task is forgotten.
pub(super) fn remembers(messages: &[Arc<Message>], view: &[Arc<Message>]) -> Broken {
    let mut open: BTreeSet<TaskNo> = running(messages).into_keys().collect();
    let mut more = 0;
    for message in view {
        match &**message {
            Message::Answers(answers) => {
                for answer in answers {
                    if let AnswerContent::Ack(ack) = &answer.content {
                        open.remove(&ack.number.unwrap());
                    }
                }
            }
            Message::Note { text } => {
                for line in text.lines() {
                    let mut words = line.split(' ');
                    match (words.next(), words.next()) {
                        (Some("and"), Some(count)) | (Some(count), Some("in")) => more = count.parse().unwrap(),
                        (Some(number), Some(_)) => {
                            if let Ok(number) = number.parse::<TaskNo>() {
                                open.remove(&number);
                            }
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    require(open.len() <= more, || format!("{open:?} run, and nothing says so"))
}

/// Until the next pruning, a view only grows at its end.
pub(super) fn grows(before: &[Arc<Message>], after: &[Arc<Message>]) -> Broken {
    require(after.starts_with(before), || "the prompt cache is lost".to_owned())
}

/// Ends of the turns that may be pruned if this many are kept. The model has seen all that comes before them.
pub(super) fn ends(messages: &[Arc<Message>], keep: usize) -> Vec<usize> {
    let last = messages
        .iter()
        .rposition(|message| matches!(**message, Message::Assistant { .. }));
    let seen = |end: &usize| match last {
        None => false,
        // The last turn is followed by a new message, not only by the answers to its calls.
        Some(last) => {
            *end <= last
                || (*end == last + 1 && !matches!(messages.get(*end).map(|next| &**next), Some(Message::Answers(_))))
        }
    };
    let mut ends: Vec<usize> = (1..=messages.len())
        .filter(|end| match &*messages[end - 1] {
            Message::Answers(_) => true,
            Message::Assistant { calls, .. } => calls.is_empty(),
            _ => false,
        })
        .filter(seen)
        .collect();
    ends.truncate(ends.len().saturating_sub(keep));
    ends
}
