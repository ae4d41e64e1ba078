//! Workloads, and the model that plays them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::server::Reply;

/// Conversation that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Workload {
    /// Name; also the name of the model that plays it.
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) sessions: usize,
    /// Times of the user's questions in between.
    pub(crate) questions: &'static [Duration],
}

pub(crate) const ALL: [Workload; 7] = [
    workload("A", "5 calls of 0.2 to 3 s, in one turn", 1, &[]),
    workload(
        "B",
        "as A, with questions at 0.7 s and at 1.4 s",
        1,
        &[Duration::from_millis(700), Duration::from_millis(1_400)],
    ),
    workload("C", "chain of three calls of 0.6 s", 1, &[]),
    workload("C-futures", "as C, in one turn, with futures", 1, &[]),
    workload("D", "50 calls of 0 to 2 s, in one turn", 1, &[]),
    workload("E", "100 sessions as A, at once", 100, &[]),
    workload("F", "as A, by a model that makes one call a turn", 1, &[]),
];

const fn workload(name: &'static str, what: &'static str, sessions: usize, questions: &'static [Duration]) -> Workload {
    Workload {
        name,
        what,
        sessions,
        questions,
    }
}

/// Text of the user's questions in between.
pub(crate) const QUESTION: &str = "In the meantime: how many parts are there?";

/// First message of a session.
pub(crate) fn task(session: usize) -> String {
    format!("Session s{session}: fetch all parts and list their values.")
}

/// Result of a part.
pub(crate) fn value_of(item: &str) -> String {
    format!("value-of-{item}")
}

/// Times of the parts, in milliseconds.
fn parts(model: &str) -> Vec<u64> {
    match model {
        "C" | "C-futures" => vec![600; 3],
        // All times from 0 to 2 s, in an order that is neither theirs nor the reverse.
        "D" => (0..50).map(|part| part * 19 % 50 * 2_000 / 49).collect(),
        _ => vec![200, 500, 1_000, 2_000, 3_000],
    }
}

/// The model of all workloads. It does what models do: makes its calls, answers questions, says one sentence after
/// acknowledgements and after some of the results, and lists all values at the end.
pub(crate) fn script(model: &str, messages: &[Value]) -> Reply {
    let seen = Seen::new(messages);
    let parts = parts(model);
    let items: Vec<String> = (1..=parts.len())
        .map(|part| format!("{}-p{part}", seen.session))
        .collect();
    let (known, fresh) = seen.known(&items);
    let called = seen.calls;
    if seen.is_asked {
        return Reply::text(format!("There are {} parts; the work goes on.", parts.len()));
    }
    let call = |part: usize| ("fetch", json!({"part": items[part], "millis": parts[part]}));
    let step = |part: usize, input: Value| {
        (
            "step",
            json!({"part": items[part], "millis": parts[part], "input": input}),
        )
    };
    let next = match model {
        "C" if called < parts.len() && known == called => {
            let input = called
                .checked_sub(1)
                .map_or("start".to_owned(), |last| value_of(&items[last]));
            vec![step(called, json!(input))]
        }
        "C-futures" if called == 0 => {
            let input = |part: usize| match part {
                0 => json!("start"),
                _ => json!({"$task": format!("t{part}")}),
            };
            (0..parts.len()).map(|part| step(part, input(part))).collect()
        }
        "F" if called < parts.len() => vec![call(called)],
        "C" | "C-futures" | "F" => Vec::new(),
        _ if called == 0 => (0..parts.len()).map(call).collect(),
        _ => Vec::new(),
    };
    if !next.is_empty() {
        return Reply::calls(next);
    }
    if known == items.len() {
        let values = items.iter().take(5).map(|item| value_of(item));
        return Reply::text(format!("All is here: {}.", values.collect::<Vec<_>>().join(", ")));
    }
    Reply::text(if fresh {
        "Some of it is here; the rest is running."
    } else {
        "The work is running."
    })
}

/// The model's view of the conversation.
struct Seen<'a> {
    session: String,
    messages: &'a [Value],
    calls: usize,
    /// True if the user asks something that has no answer yet.
    is_asked: bool,
}

impl<'a> Seen<'a> {
    fn new(messages: &'a [Value]) -> Self {
        let users = || {
            messages
                .iter()
                .filter(|message| message["role"] == "user")
                .filter_map(text)
        };
        let session = users().find_map(|text| {
            let (_, rest) = text.split_once("Session ")?;
            Some(rest.split_once(':')?.0.to_owned())
        });
        let assistant = messages.iter().filter(|message| message["role"] == "assistant");
        let calls = assistant
            .filter_map(|message| message["tool_calls"].as_array())
            .map(Vec::len);
        let last = messages
            .iter()
            .rposition(|message| message["role"] == "assistant")
            .map_or(0, |last| last + 1);
        Self {
            session: session.unwrap_or_default(),
            messages,
            calls: calls.sum(),
            is_asked: messages[last..]
                .iter()
                .filter_map(text)
                .any(|text| text.contains(QUESTION)),
        }
    }

    /// Number of the items whose values are known, and true if a value has come since the model's last message.
    fn known(&self, items: &[String]) -> (usize, bool) {
        let last = self
            .messages
            .iter()
            .rposition(|message| message["role"] == "assistant")
            .unwrap_or(0);
        let told = |messages: &[Value], value: &str| {
            let mut others = messages
                .iter()
                .filter(|message| message["role"] != "assistant")
                .filter_map(text);
            others.any(|text| tells(&text, value))
        };
        let known = items
            .iter()
            .map(|item| value_of(item))
            .filter(|value| told(self.messages, value));
        let (mut count, mut fresh) = (0, false);
        for value in known {
            count += 1;
            fresh |= !told(&self.messages[..last], &value);
        }
        (count, fresh)
    }
}

/// True if a text holds a value, and not only the beginning of a longer one.
pub(crate) fn tells(text: &str, value: &str) -> bool {
    let mut rest = text;
    while let Some(place) = rest.find(value) {
        rest = &rest[place + value.len()..];
        if !rest.starts_with(|next: char| next.is_ascii_digit()) {
            return true;
        }
    }
    false
}

/// Text of a message.
pub(crate) fn text(message: &Value) -> Option<String> {
    match &message["content"] {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => Some(
            parts
                .iter()
                .filter_map(|part| part["text"].as_str())
                .collect::<Vec<_>>()
                .join("\n"),
        ),
        _ => None,
    }
}
