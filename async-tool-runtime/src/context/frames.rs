//! Text of a delivery.
//!
//! # Invariants
//!
//! 1. The tag that opens a frame carries the session's nonce, which no tool learns. The tag that closes it doesn't, to save tokens:
//!    between the two there is no other tag, because of 2.
//! 2. Tool text is JSON that also escapes `<`, `>`, `&` and their lookalikes. So it can neither open nor close an element, even if
//!    it guesses the nonce.
//! 3. Answers to calls are JSON in the provider's own blocks. They can't contain a frame of the session, because no tool knows the
//!    nonce. Neither can the model's text, see `agent/guard.rs`.
//! 4. The text before the frame says that it is the output of tools, and the text after it is the library's. Neither has a tag.

use std::{borrow::Cow, sync::Arc, time::Duration};

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::{likeness::is_deceptive, tail::tail};
use crate::{
    clock::Timestamp,
    id::TaskNo,
    task::{AsyncTaskResult, TaskOutcome, repeated_arguments},
    wording::Wording,
};

/// Youngest result whose age is shown, in milliseconds. A model has no use for the age of a result that has just come.
const OLD: u64 = 10_000;

/// Note for a result whose secrets the journal doesn't have.
pub(crate) const REDACTED_NOTE: &str =
    "what stands as [redacted] was kept secret and can't be shown again; if you need it, call the tool again";

/// One result of a delivery. It has the call and its arguments if the call is far back, where the model may no longer see it.
pub(crate) type Row<'a> = (TaskNo, &'a AsyncTaskResult, Option<&'a Value>);

/// Text around the results of a delivery.
pub(crate) struct Around<'a> {
    pub(crate) nonce: &'a str,
    pub(crate) wording: &'a Wording,
    /// Notice of something that happened in the meantime.
    pub(crate) notice: Option<&'a str>,
    /// True if the user said something after the model's last turn.
    pub(crate) with_message: bool,
}

/// Renders all due results as one message.
pub(crate) fn render<'a>(around: &Around<'_>, results: impl Iterator<Item = Row<'a>>, now: Timestamp) -> String {
    let wording = around.wording;
    // Enough for the frame and one or two results without a reallocation.
    let mut text = String::with_capacity(1024);
    text.push_str(&untagged(&wording.delivery));
    if let Some(notice) = around.notice {
        text.push(' ');
        text.push_str(notice);
    }
    let mut ends = Vec::new();
    let results = results.inspect(|(number, result, _)| ends.push((*number, &result.outcome)));
    write_frame(&mut text, around.nonce, results, now);
    let tail = tail(wording, &ends, around.with_message);
    if !tail.is_empty() {
        text.push('\n');
        text.push_str(&untagged(&tail));
    }
    text
}

/// New secret of a session: 64 random bits. Each digit costs tokens in every delivery. More digits would keep nothing safer: the secret
/// can be guessed only in the text of a tool, which has no tags, or of the model, which the guard reads.
///
/// ```
/// use async_tool_runtime::context::new_nonce;
///
/// assert_eq!(new_nonce().len(), 16);
/// assert_ne!(new_nonce(), new_nonce());
/// ```
#[must_use]
pub fn new_nonce() -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    // The digits between these hold the version and the variant.
    [&random[..12], &random[20..24]].concat()
}

/// Text of a message with late results, for a loop of your own. Each result has its call's arguments.
///
/// The nonce is a secret of the conversation ([`new_nonce`]), so that no text can imitate such a message.
///
/// ```
/// use async_tool_runtime::{
///     SessionId, TaskNo, ToolCall, context::{frame_results, new_nonce}, task::{AsyncTaskResult, TaskOutcome, TaskSpec, Timestamp, Timing},
///     wording::Wording,
/// };
/// use serde_json::json;
///
/// # let now = Timestamp::from_millis(0);
/// # let timing = Timing::new(now, Some(now), now);
/// let spec = TaskSpec::new(SessionId::new("s"), ToolCall::new("c1", "add", json!({"a": 2, "b": 3}))).with_number(TaskNo::new(1));
/// let result = AsyncTaskResult::new(&spec, TaskOutcome::Completed(json!(5)), timing, 1);
/// let text = frame_results(&new_nonce(), &[result.into()], &Wording::default());
/// assert!(text.contains(r#"{"task":"t1","tool":"add","call":"c1","arguments":{"a":2,"b":3},"status":"completed","result":5}"#));
/// assert!(text.contains("This is the result of your call t1: do not make that call again."));
/// ```
#[must_use]
pub fn frame_results(nonce: &str, results: &[Arc<AsyncTaskResult>], wording: &Wording) -> String {
    let now = results.iter().map(|result| result.timing.settled).max();
    let rows = results.iter().map(|result| {
        let number = result.number.unwrap_or(TaskNo::new(0));
        (number, &**result, Some(result.arguments.value()))
    });
    let around = Around {
        nonce,
        wording,
        notice: None,
        with_message: false,
    };
    render(&around, rows, now.unwrap_or(Timestamp::from_millis(0)))
}

/// Text without the characters of tags, which only frames have.
fn untagged(text: &str) -> Cow<'_, str> {
    match text.contains(['<', '>', '\n']) {
        true => Cow::Owned(text.replace(['<', '>'], "").replace('\n', " ")),
        false => Cow::Borrowed(text),
    }
}

/// Renders the frame with the results, including the line break before it.
pub(crate) fn frame<'a>(nonce: &str, results: impl Iterator<Item = Row<'a>>, now: Timestamp) -> String {
    let mut text = String::new();
    write_frame(&mut text, nonce, results, now);
    text
}

fn write_frame<'a>(text: &mut String, nonce: &str, results: impl Iterator<Item = Row<'a>>, now: Timestamp) {
    text.extend(["\n<tool_results_", nonce, ">\n"]);
    for (number, result, arguments) in results {
        let arguments = arguments.map(repeated_arguments);
        text.push_str(&line(number, result, arguments.as_deref(), now));
        text.push('\n');
    }
    text.push_str(CLOSE);
}

const CLOSE: &str = "</tool_results>";

/// One result as a line of a frame, with these arguments.
pub(crate) fn line(number: TaskNo, result: &AsyncTaskResult, arguments: Option<&Value>, now: Timestamp) -> String {
    // Serialised without a `Value` in between: delivering is the machine's longest step, and a `Value` would be copied for one
    // read.
    let json = serde_json::to_string(&Shown::new(number, result, arguments, now));
    escape(json.unwrap_or_default())
}

/// Parts of a delivery's text.
pub(crate) struct Parts<'a> {
    pub(crate) head: &'a str,
    /// Lines of the results.
    pub(crate) lines: &'a str,
    /// Text after the frame, with its line break.
    pub(crate) tail: &'a str,
}

/// Splits a delivery; `None` if the text isn't a delivery of the session.
pub(crate) fn parts<'a>(text: &'a str, nonce: &str) -> Option<Parts<'a>> {
    let (head, rest) = text.split_once(&format!("\n<tool_results_{nonce}>\n"))?;
    let (lines, tail) = rest.split_once(CLOSE)?;
    let lines = lines.strip_suffix('\n')?;
    (tail.is_empty() || tail.starts_with('\n')).then_some(Parts { head, lines, tail })
}

/// One result as JSON.
pub(crate) fn describe(number: TaskNo, result: &AsyncTaskResult, now: Timestamp) -> Value {
    serde_json::to_value(Shown::new(number, result, None, now)).unwrap_or_default()
}

/// Result as the model sees it: a field for each of the [`NAMES`], in their order.
struct Shown<'a>([Option<Field<'a>>; NAMES.len()]);

const NAMES: [&str; 9] = [
    "task",
    "tool",
    "call",
    "arguments",
    "status",
    "result",
    "error",
    "note",
    "age_ms",
];

enum Field<'a> {
    Task(TaskNo),
    Text(&'a str),
    Value(Cow<'a, Value>),
    Millis(u64),
}

impl Serialize for Field<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Task(number) => number.serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
            Self::Value(value) => InOrder(value).serialize(serializer),
            Self::Millis(millis) => millis.serialize(serializer),
        }
    }
}

impl<'a> Shown<'a> {
    fn new(number: TaskNo, result: &'a AsyncTaskResult, arguments: Option<&'a Value>, now: Timestamp) -> Self {
        let failed = |status, error| (status, None, Some(Field::Value(Cow::Owned(error))));
        let (status, value, error) = match &result.outcome {
            TaskOutcome::Completed(value) => ("completed", Some(Field::Value(result.shown_value(value))), None),
            TaskOutcome::Failed(error) => failed("failed", result.shown_error(error)),
            TaskOutcome::Cancelled(reason) => failed(
                "cancelled",
                json!({"message": result.shown_text(reason), "note": "what the tool had done by then is not undone"}),
            ),
            TaskOutcome::Unknown(why) => failed(
                "unknown",
                json!({"message": result.shown_text(why), "note": "the effects of the tool may or may not have happened"}),
            ),
        };
        Self([
            Some(Field::Task(number)),
            arguments.map(|_| Field::Text(&result.tool)),
            arguments.map(|_| Field::Text(result.call.as_str())),
            arguments.map(|arguments| Field::Value(Cow::Borrowed(arguments))),
            Some(Field::Text(status)),
            value,
            error,
            result.redacted.then_some(Field::Text(REDACTED_NOTE)),
            Some(whole_millis(now.since(result.timing.settled)))
                .filter(|age| *age >= OLD)
                .map(Field::Millis),
        ])
    }
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = NAMES.iter().zip(&self.0);
        serializer.collect_map(fields.filter_map(|(name, field)| Some((name, field.as_ref()?))))
    }
}

/// Value whose objects are written in the order of their names.
///
/// The order of `serde_json` depends on its features, which any crate of the program can turn on. A session that is replayed in
/// another program must give the same text.
pub(crate) struct InOrder<'a>(pub(crate) &'a Value);

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(fields) if fields.keys().is_sorted() => {
                serializer.collect_map(fields.iter().map(|(name, value)| (name, InOrder(value))))
            }
            Value::Object(fields) => {
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_unstable_by_key(|(name, _)| *name);
                serializer.collect_map(fields.into_iter().map(|(name, value)| (name, InOrder(value))))
            }
            Value::Array(items) => serializer.collect_seq(items.iter().map(InOrder)),
            leaf => leaf.serialize(serializer),
        }
    }
}

pub(crate) fn millis(duration: Duration) -> Value {
    json!(whole_millis(duration))
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Escapes `<`, `>`, `&`, their lookalikes, and characters that hide or reverse their neighbours.
///
/// In JSON text, `<`, `>` and `&` occur only inside strings, so the escaped text means the same. Lookalikes are escaped too, because
/// models read by appearance.
pub(crate) fn escape(json: String) -> String {
    // Nearly all tool text is plain. This branchless check costs almost nothing.
    let is_plain = |plain, letter: &u8| plain & letter.is_ascii() & !matches!(letter, b'<' | b'>' | b'&');
    if json.as_bytes().iter().fold(true, is_plain) {
        return json;
    }
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if matches!(c, '<' | '>' | '&') || (!c.is_ascii() && is_deceptive(c)) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests;
