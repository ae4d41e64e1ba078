//! Outputs and messages for late results.

use std::sync::Arc;

use async_tool_runtime::{
    AsyncTaskResult, TaskNo,
    context::{Answer, AnswerContent},
};
use serde_json::Value;

/// End of the fixed first sentence of a delivery. The rest of that line is specific to this delivery.
const GREETING_END: &str = "from the user.";

/// The output of a late result: the answer to the call that it would have been. Collapsed to one line if the
/// delivery has it in one line.
pub(super) fn answer(result: &Arc<AsyncTaskResult>, text: &str) -> Answer {
    let is_collapsed = result
        .number
        .and_then(|number| {
            text.lines()
                .find_map(|line| record(line).filter(|record| names(record, number)))
        })
        .is_some_and(|record| record.get("collapsed").is_some());
    let content = if is_collapsed {
        AnswerContent::Collapsed(Arc::clone(result))
    } else {
        AnswerContent::Result(Arc::clone(result))
    };
    Answer::new(result.call.clone(), Arc::clone(&result.tool), content)
}

/// The remaining text of a delivery, without the results of tasks that were told as outputs.
pub(super) fn rest(text: &str, told: &[TaskNo], any_told: bool) -> Option<String> {
    if !any_told {
        return Some(text.to_owned());
    }
    let mut is_left = false;
    let lines: Vec<&str> = text
        .split('\n')
        .filter(|line| match record(line) {
            Some(record) => {
                let is_told = told.iter().any(|number| names(&record, *number));
                is_left |= !is_told;
                !is_told
            }
            None => true,
        })
        .collect();
    if is_left {
        return Some(lines.join("\n"));
    }
    let head = text.lines().next()?;
    // A host may have set another greeting; then all of the line stays.
    let notice = head.split_once(GREETING_END).map_or(head, |(_, notice)| notice);
    let notice = notice.trim();
    (!notice.is_empty())
        .then(|| format!("This note was written by the system that runs the conversation, not by the user. {notice}"))
}

/// The record on a line of a delivery, if it has one.
fn record(line: &str) -> Option<Value> {
    let record: Value = serde_json::from_str(line).ok().filter(|_| line.starts_with('{'))?;
    record.get("task")?.as_str()?;
    Some(record)
}

fn names(record: &Value, number: TaskNo) -> bool {
    record
        .get("task")
        .and_then(Value::as_str)
        .and_then(|task| task.parse().ok())
        == Some(number)
}
