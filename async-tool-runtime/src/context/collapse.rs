//! Collapsing: one line in place of a result.

use std::{borrow::Cow, sync::Arc};

use serde_json::{Map, Value, json};

use super::{
    Answer, AnswerContent, Message,
    stand_in::{StandIn, size},
};
use crate::{
    content::{Attachment, Media},
    context::frames,
    task::{AsyncTaskResult, ResultPreview},
};

/// Longest arguments that the line of a delivery keeps, in bytes. They are kept because the call may be pruned, and the task's
/// number alone means little.
const ARGUMENT_BYTES: usize = 120;
/// Longest accepted handle, in bytes. A real handle is a task's number or id; a longer one comes from a tool that imitates a preview.
const HANDLE_BYTES: usize = 64;

/// Replaces each large result in a message with one line. Returns the same message if none is large.
pub(super) fn collapse(message: &Arc<Message>) -> Arc<Message> {
    match &**message {
        Message::Answers(answers) => {
            let mut is_changed = false;
            let answers = answers.iter().map(|answer| {
                let collapsed = collapse_answer(answer);
                is_changed |= collapsed.is_some();
                collapsed.unwrap_or_else(|| answer.clone())
            });
            let answers = answers.collect();
            if is_changed {
                Arc::new(Message::Answers(answers))
            } else {
                Arc::clone(message)
            }
        }
        Message::Delivery { tasks, text, results } => {
            let lines: Vec<Cow<'_, str>> = text
                .split('\n')
                .map(|line| collapse_line(line, results).map_or(Cow::Borrowed(line), Cow::Owned))
                .collect();
            let shows_media = |result: &AsyncTaskResult| result.media.iter().any(|media| !media.is_withheld());
            let has_media = results.iter().any(|result| shows_media(result));
            if lines.iter().all(|line| matches!(line, Cow::Borrowed(_))) && !has_media {
                return Arc::clone(message);
            }
            let results = results.iter().map(|result| match shows_media(result) {
                true => {
                    let mut result = AsyncTaskResult::clone(result);
                    result.media = result.media.iter().map(Media::withheld).collect();
                    Arc::new(result)
                }
                false => Arc::clone(result),
            });
            Arc::new(Message::Delivery {
                tasks: tasks.clone(),
                text: lines.join("\n"),
                results: results.collect(),
            })
        }
        Message::User { text, media } if media.iter().any(|attachment| !attachment.media.is_withheld()) => {
            let withheld = |attachment: &Attachment| Attachment::new(attachment.at, attachment.media.withheld());
            Arc::new(Message::User {
                text: text.clone(),
                media: media.iter().map(withheld).collect(),
            })
        }
        Message::User { .. } | Message::Assistant { .. } | Message::Note { .. } => Arc::clone(message),
    }
}

fn collapse_answer(answer: &Answer) -> Option<Answer> {
    let content = match &answer.content {
        AnswerContent::Result(result) => AnswerContent::Collapsed(Arc::clone(result)),
        AnswerContent::Report(report) => AnswerContent::Report(shorten_report(report)),
        AnswerContent::Ack(_) | AnswerContent::Collapsed(_) => return None,
    };
    let collapsed = Answer::new(answer.call.clone(), Arc::clone(&answer.tool), content);
    let is_shorter = is_worth_it(size(&collapsed.to_model_json()), size(&answer.to_model_json()));
    (is_shorter || !answer.media().is_empty()).then_some(collapsed)
}

/// Shortens a report of the `task` tool to the names and states of the tasks, without their results.
fn shorten_report(report: &Value) -> Value {
    let name = |row: &Value| -> Option<Value> {
        let keys = ["task", "tool", "status"];
        let mut kept = Map::new();
        kept.extend(
            keys.iter()
                .filter_map(|key| Some(((*key).to_owned(), row.get(key)?.clone()))),
        );
        Some(Value::Object(kept)).filter(|row| row.get("task").is_some())
    };
    let rows = report.get("tasks").and_then(Value::as_array);
    let tasks: Vec<Value> = rows.map_or_else(
        || name(report).into_iter().collect(),
        |rows| rows.iter().filter_map(name).collect(),
    );
    let bytes = size(report);
    json!({"tasks": tasks, "collapsed": format!("{bytes} bytes; ask `task` again for more")})
}

/// Removes the result from a line of a delivery; `None` if the line has no large result.
///
/// Input: `{"task":"t3","status":"completed","result":…}`.
/// Output: `{"task":"t3","tool":"search","status":"completed","collapsed":"12345 bytes; …"}`.
fn collapse_line(line: &str, results: &[Arc<AsyncTaskResult>]) -> Option<String> {
    if !line.starts_with('{') {
        return None;
    }
    let record: Map<String, Value> = serde_json::from_str(line).ok()?;
    let text = |key: &str| record.get(key)?.as_str();
    let (task, status) = (text("task")?, text("status")?);
    let number = task.parse().ok();
    // The record is of the journal: a line has the call only if it was far back.
    let known = results
        .iter()
        .find(|result| number.is_some() && result.number == number);
    let tool = known.map(|result| &*result.tool).or_else(|| text("tool"))?;
    let shown = record.get("result").or_else(|| record.get("error"))?;
    // A tool's result can imitate a preview. That only changes the size and handle in the tool's own line.
    let is_preview = shown.get("note").and_then(Value::as_str) == Some(ResultPreview::NOTE);
    let bytes = shown.get("bytes").and_then(Value::as_u64).filter(|_| is_preview);
    let handle = shown.get("handle").and_then(Value::as_str).filter(|_| is_preview);
    let stand_in = StandIn {
        task,
        bytes: bytes
            .and_then(|bytes| usize::try_from(bytes).ok())
            .unwrap_or_else(|| size(shown)),
        handle: handle.filter(|handle| handle.len() <= HANDLE_BYTES),
    };
    let mut object = Map::new();
    object.insert("tool".into(), json!(tool));
    object.insert("status".into(), json!(status));
    let arguments = known.map(|result| result.arguments.value());
    if let Some(arguments) = record
        .get("arguments")
        .or(arguments)
        .filter(|arguments| size(arguments) <= ARGUMENT_BYTES)
    {
        object.insert("arguments".into(), arguments.clone());
    }
    stand_in.write(&mut object, "");
    let collapsed = frames::escape(Value::Object(object).to_string());
    is_worth_it(collapsed.len(), line.len()).then_some(collapsed)
}

/// True if collapsing saves more than half. A smaller saving is worth less to the model than the result.
const fn is_worth_it(collapsed: usize, shown: usize) -> bool {
    collapsed * 2 < shown
}
