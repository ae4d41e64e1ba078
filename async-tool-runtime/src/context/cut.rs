//! Cutting: the beginnings of large parts in place of the whole.
//!
//! A part is a result, an error, the arguments of a call, a provider's blocks, or a text. Pruning leaves alone what the model hasn't
//! answered; a cut is for the messages that pruning leaves alone.

use std::{borrow::Cow, sync::Arc};

use serde_json::{Map, Value, json};

use super::{Answer, AnswerContent, Message, collapse::collapse, frames, stand_in::size};
use crate::{
    clock::Timestamp,
    content::{Attachment, Media},
    task::{AsyncTaskResult, ResultPreview, TaskOutcome, cut_arguments},
    tool::{Arguments, ToolCall},
};

/// Sizes of the parts of a message, in bytes of JSON as the model sees them.
pub(super) fn parts(message: &Message) -> Vec<usize> {
    match message {
        Message::User { text, media } => {
            let media = media.iter().map(|attachment| weight(&attachment.media));
            media.chain([text.len()]).collect()
        }
        Message::Assistant { text, calls, provider } => {
            let calls = calls.iter().map(|call| size(&call.arguments));
            calls.chain([text.len(), provider.as_ref().map_or(0, size)]).collect()
        }
        Message::Answers(answers) => {
            let media = answers.iter().flat_map(Answer::media).map(weight);
            answers.iter().map(size_of).chain(media).collect()
        }
        Message::Delivery { text, results, .. } => {
            let media = results.iter().flat_map(|result| &result.media).map(weight);
            let lines = text.split('\n').filter(|line| is_record(line)).map(str::len);
            lines.chain(media).collect()
        }
        Message::Note { .. } => Vec::new(),
    }
}

/// Bytes of text that take as many tokens as the media.
fn weight(media: &Media) -> usize {
    match media.is_withheld() {
        // A description can't get shorter.
        true => 0,
        false => media.tokens().saturating_mul(4),
    }
}

fn size_of(answer: &Answer) -> usize {
    match &answer.content {
        AnswerContent::Result(result) => match (&result.outcome, &result.preview) {
            (TaskOutcome::Completed(value), None) => size(value),
            _ => size(&answer.to_model_json()),
        },
        AnswerContent::Report(report) => size(report),
        // One line can't get shorter.
        AnswerContent::Ack(_) | AnswerContent::Collapsed(_) => 0,
    }
}

/// Shows at most `bytes` bytes of each part of a message, and results as one line if `bytes` is zero. Returns the same message if
/// nothing gets shorter.
pub(super) fn cut(message: &Arc<Message>, bytes: usize) -> Arc<Message> {
    let collapsed;
    let message = match bytes {
        0 => {
            collapsed = collapse(message);
            &collapsed
        }
        _ => message,
    };
    let cut = match &**message {
        Message::User { text, media } => {
            let shorter = cut_text(text, bytes);
            let is_large = |attachment: &Attachment| weight(&attachment.media) > bytes;
            (shorter.is_some() || media.iter().any(is_large)).then(|| Message::User {
                text: shorter.unwrap_or_else(|| text.clone()),
                media: media
                    .iter()
                    .map(|attachment| match is_large(attachment) {
                        true => Attachment::new(attachment.at, attachment.media.withheld()),
                        false => attachment.clone(),
                    })
                    .collect(),
            })
        }
        Message::Assistant { text, calls, provider } => cut_turn(text, calls, provider.as_ref(), bytes),
        Message::Answers(answers) => cut_answers(answers, bytes),
        Message::Delivery { tasks, text, results } => {
            let cut = cut_delivery(text, results, bytes);
            cut.map(|(text, results)| Message::Delivery {
                tasks: tasks.clone(),
                text,
                results,
            })
        }
        Message::Note { .. } => None,
    };
    cut.map_or_else(|| Arc::clone(message), Arc::new)
}

/// Cuts a text. The mark says that it was not the writer who broke off.
fn cut_text(text: &str, bytes: usize) -> Option<String> {
    let mark = format!(
        "… [cut off here, because it was too long for you; the whole text has {} bytes]",
        text.len()
    );
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (end + mark.len() < text.len()).then(|| format!("{}{mark}", &text[..end]))
}

fn cut_turn(text: &str, calls: &[ToolCall], provider: Option<&Value>, bytes: usize) -> Option<Message> {
    let worth = bytes.saturating_add(ResultPreview::AROUND);
    let mut is_changed = false;
    let calls: Vec<ToolCall> = calls
        .iter()
        .map(|call| {
            let mut call = call.clone();
            let is_large = size(&call.arguments) > worth;
            if let Some(cut) = is_large.then(|| cut_arguments(&call.arguments, bytes)).flatten() {
                call.arguments = Arguments::from(cut);
                is_changed = true;
            }
            call
        })
        .collect();
    let shorter = cut_text(text, bytes);
    is_changed |= shorter.is_some();
    // The provider's blocks hold the same arguments and text again. Without the blocks, an adapter sends the text and the calls.
    let is_empty = text.is_empty() && calls.is_empty();
    let kept = provider.filter(|blocks| is_empty || (!is_changed && size(blocks) <= worth));
    (is_changed || kept.is_some() != provider.is_some()).then(|| Message::Assistant {
        text: shorter.unwrap_or_else(|| text.to_owned()),
        provider: kept.cloned(),
        calls,
    })
}

/// Withholds the large media beside a report.
fn cut_media(answer: &Answer, bytes: usize) -> Option<Vec<Media>> {
    let is_large = |media: &Media| weight(media) > bytes;
    let is_report = matches!(answer.content, AnswerContent::Report(_));
    if !is_report || !answer.media().iter().any(is_large) {
        return None;
    }
    let cut = answer.media().iter().map(|media| match is_large(media) {
        true => media.withheld(),
        false => media.clone(),
    });
    Some(cut.collect())
}

fn cut_answers(answers: &[Answer], bytes: usize) -> Option<Message> {
    let mut is_changed = false;
    let answers = answers
        .iter()
        .map(|answer| {
            let content = match &answer.content {
                AnswerContent::Result(result) => {
                    cut_result(result, bytes).map(|cut| AnswerContent::Result(Arc::new(cut)))
                }
                AnswerContent::Report(report) => cut_report(report, bytes).map(AnswerContent::Report),
                AnswerContent::Ack(_) | AnswerContent::Collapsed(_) => None,
            };
            let media = cut_media(answer, bytes);
            is_changed |= content.is_some() || media.is_some();
            let mut cut = answer.clone();
            if let Some(content) = content {
                cut.content = content;
            }
            match media {
                Some(media) => cut.with_media(media),
                None => cut,
            }
        })
        .collect();
    is_changed.then_some(Message::Answers(answers))
}

/// Cuts the value of a result, and withholds its large media.
fn cut_result(result: &AsyncTaskResult, bytes: usize) -> Option<AsyncTaskResult> {
    let cut = result.cut(bytes);
    let is_large = |media: &Media| weight(media) > bytes;
    if !result.media.iter().any(is_large) {
        return cut;
    }
    let mut cut = cut.unwrap_or_else(|| result.clone());
    for media in &mut cut.media {
        if is_large(media) {
            *media = media.withheld();
        }
    }
    Some(cut)
}

/// Cuts a report of the `task` tool, so that the model still sees where the rest is.
fn cut_report(report: &Value, bytes: usize) -> Option<Value> {
    let whole = size(report);
    if whole <= bytes.saturating_add(ResultPreview::AROUND) {
        return None;
    }
    let mut cut = report.clone();
    if let (Some(Value::String(text)), Some(offset)) =
        (report.get("text"), report.get("offset").and_then(Value::as_u64))
    {
        // A piece of a result: a smaller piece, and the place of the next one.
        let piece = ResultPreview::of_text(text, bytes, String::new)?.text;
        cut["next_offset"] = json!(offset + piece.chars().count() as u64);
        cut["text"] = Value::String(piece);
    } else if let Some(Value::Array(rows)) = cut.get_mut("tasks") {
        let room = bytes / rows.len().max(1);
        for row in rows {
            cut_row(row, room);
        }
    } else {
        let ResultPreview { text, .. } = ResultPreview::of_value(report, bytes, String::new)?;
        cut = json!({
            "preview": text,
            "bytes": whole,
            "note": "this is only the beginning of the answer, which is too large to be shown; ask for less at once",
        });
    }
    (size(&cut) < whole).then_some(cut)
}

/// Cuts the result in a row of a report.
fn cut_row(row: &mut Value, room: usize) {
    let handle = row.get("task").and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(result) = row.get_mut("result")
        && size(result) > room.saturating_add(ResultPreview::AROUND)
    {
        let is_preview = result.get("note").is_some_and(|note| note == ResultPreview::NOTE);
        match result.get_mut("preview") {
            Some(Value::String(text)) if is_preview => {
                if let Some(shorter) = ResultPreview::of_text(text, room, String::new) {
                    *text = shorter.text;
                }
            }
            _ => {
                if let Some(preview) = ResultPreview::of_value(result, room, || handle) {
                    *result = preview.to_model_json();
                }
            }
        }
    }
    if let Some(Value::String(message)) = row.pointer_mut("/error/message")
        && let Some(cut) = cut_text(message, room)
    {
        *message = cut;
    }
}

fn cut_delivery(
    text: &str,
    results: &[Arc<AsyncTaskResult>],
    bytes: usize,
) -> Option<(String, Vec<Arc<AsyncTaskResult>>)> {
    let is_large = |result: &Arc<AsyncTaskResult>| result.media.iter().any(|media| weight(media) > bytes);
    let has_large_media = results.iter().any(is_large);
    let mut cut = results.to_vec();
    for result in &mut cut {
        if is_large(result)
            && let Some(shorter) = cut_result(result, bytes)
        {
            // The line of the result is cut below, if that makes it shorter.
            let preview = result.preview.clone();
            *result = Arc::new(AsyncTaskResult { preview, ..shorter });
        }
    }
    let mut places = cut.iter_mut();
    let lines: Vec<Cow<'_, str>> = text
        .split('\n')
        .map(|line| {
            let result = if is_record(line) { places.next() } else { None };
            let shorter = result.and_then(|result| {
                let shorter = result.cut(bytes)?;
                let line = cut_line(line, &shorter)?;
                *result = Arc::new(shorter);
                Some(line)
            });
            shorter.map_or(Cow::Borrowed(line), Cow::Owned)
        })
        .collect();
    let is_changed = lines.iter().any(|line| matches!(line, Cow::Owned(_)));
    (is_changed || has_large_media).then(|| (lines.join("\n"), cut))
}

/// Line of a delivery, written anew with the preview of its result.
fn cut_line(line: &str, result: &AsyncTaskResult) -> Option<String> {
    let record: Map<String, Value> = serde_json::from_str(line).ok()?;
    let task = record.get("task")?.as_str()?.parse().ok()?;
    let age = record.get("age_ms").and_then(Value::as_u64).unwrap_or_default();
    let shown_at = Timestamp::from_millis(result.timing.settled.as_millis().saturating_add(age));
    let shorter = frames::line(task, result, record.get("arguments"), shown_at);
    (shorter.len() < line.len()).then_some(shorter)
}

fn is_record(line: &str) -> bool {
    line.starts_with('{')
}

/// Largest size of which each part may be shown, so that all parts together take at most `target` bytes. Small parts stay whole, so
/// the largest are cut first.
pub(super) fn level(mut sizes: Vec<usize>, target: usize) -> usize {
    sizes.sort_unstable();
    let mut left = target;
    let mut more = sizes.len();
    for part in &sizes {
        let share = left / more.max(1);
        if *part > share {
            return share;
        }
        left -= part;
        more -= 1;
    }
    sizes.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_parts_give_way_first() {
        for (sizes, target, expected) in [
            (vec![], 10, 0),
            (vec![5, 7], 12, 7),
            (vec![100], 40, 40),
            (vec![10, 100, 200], 130, 60),
            (vec![10, 20, 1_000], 100, 70),
            (vec![50, 50, 50], 30, 10),
            (vec![50, 50], 0, 0),
        ] {
            assert_eq!(level(sizes.clone(), target), expected, "{sizes:?} in {target}");
            let shown: usize = sizes.iter().map(|size| expected.min(*size)).sum();
            assert!(shown <= target, "{sizes:?} in {target}");
        }
    }

    #[test]
    fn a_cut_text_says_so_and_is_shorter() {
        let text = "é".repeat(500);
        let cut = cut_text(&text, 301).unwrap();
        assert!(cut.starts_with(&"é".repeat(150)) && cut.len() < text.len());
        assert!(cut.ends_with("the whole text has 1000 bytes]"), "{cut}");
        assert_eq!(cut_text("short", 2), None);
    }
}
