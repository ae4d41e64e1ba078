//! Parts of an entry that a hook may change.

use std::sync::Arc;

use serde_json::Value;

use super::REDACTED;
use crate::{
    context::frames,
    journal::{CallAnswer, Entry},
    task::AsyncTaskResult,
    tool::{InputRequest, ToolCall},
};

/// Entry as the hook returned it, provided that the hook changed only permitted parts.
pub(super) fn graft(entry: Entry, hooked: Entry, nonce: &str) -> Result<Entry, &'static str> {
    let mut grafted = entry.clone();
    match (&mut grafted, &hooked) {
        (
            Entry::UserMessage { text, media, .. },
            Entry::UserMessage {
                text: new,
                media: new_media,
                ..
            },
        ) => {
            text.clone_from(new);
            media.clone_from(new_media);
        }
        (Entry::TurnInterrupted { text, .. }, Entry::TurnInterrupted { text: new, .. })
        | (Entry::Delivered { text, .. }, Entry::Delivered { text: new, .. })
        | (Entry::TurnFailed { error: text, .. }, Entry::TurnFailed { error: new, .. })
        | (Entry::Dropped { reason: text, .. }, Entry::Dropped { reason: new, .. })
        | (Entry::CancelRequested { reason: text, .. }, Entry::CancelRequested { reason: new, .. }) => {
            text.clone_from(new);
        }
        (Entry::Pruned { pruned, .. }, Entry::Pruned { pruned: new, .. }) => pruned.status.clone_from(&new.status),
        (Entry::Accepted { call, .. }, Entry::Accepted { call: new, .. }) => {
            call.arguments = new.arguments.clone();
            call.redacted = new.redacted;
        }
        (
            Entry::TurnEnded { text, end, .. },
            Entry::TurnEnded {
                text: new,
                end: new_end,
                ..
            },
        ) => {
            text.clone_from(new);
            end.provider.clone_from(&new_end.provider);
        }
        (Entry::Settled { result }, Entry::Settled { result: new }) if !Arc::ptr_eq(result, new) => {
            let result = Arc::make_mut(result);
            result.arguments = new.arguments.clone();
            if std::mem::discriminant(&result.outcome) == std::mem::discriminant(&new.outcome) {
                result.outcome = new.outcome.clone();
            }
            result.media.clone_from(&new.media);
            result.preview.clone_from(&new.preview);
            result.redacted = new.redacted;
        }
        (
            Entry::Asked {
                request: Some(request), ..
            },
            Entry::Asked { request: Some(new), .. },
        ) => graft_request(request, new),
        (Entry::Answered { answers, .. }, Entry::Answered { answers: new, .. }) => {
            for (given, new) in answers.iter_mut().zip(new) {
                match (given, new) {
                    (CallAnswer::Report { content, .. }, CallAnswer::Report { content: new, .. }) => {
                        content.clone_from(new);
                    }
                    (CallAnswer::Asking(_, question), CallAnswer::Asking(_, new)) => {
                        graft_request(&mut question.request, &new.request);
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
    if grafted != hooked {
        return Err("the redaction hook changed more than it may; `Redact` lists the permitted changes");
    }
    settle(entry, grafted, nonce)
}

/// Takes over the arguments or the prompt of a question.
fn graft_request(request: &mut InputRequest, new: &InputRequest) {
    match (request, new) {
        (InputRequest::Approval { arguments }, InputRequest::Approval { arguments: new }) => {
            *arguments = new.clone();
        }
        (InputRequest::Input { prompt, .. }, InputRequest::Input { prompt: new, .. }) => prompt.clone_from(new),
        _ => {}
    }
}

/// Completes an entry with the consequences of the hook's changes.
fn settle(entry: Entry, mut grafted: Entry, nonce: &str) -> Result<Entry, &'static str> {
    match (&mut grafted, entry) {
        (Entry::UserMessage { text, .. }, Entry::UserMessage { text: old, .. })
        | (Entry::TurnInterrupted { text, .. }, Entry::TurnInterrupted { text: old, .. })
        | (Entry::TurnFailed { error: text, .. }, Entry::TurnFailed { error: old, .. })
        | (Entry::Dropped { reason: text, .. }, Entry::Dropped { reason: old, .. })
        | (Entry::CancelRequested { reason: text, .. }, Entry::CancelRequested { reason: old, .. }) => {
            keep_text(text, &old);
        }
        (
            Entry::TurnEnded { text, calls, end, .. },
            Entry::TurnEnded {
                text: old,
                end: old_end,
                ..
            },
        ) => {
            keep_text(text, &old);
            keep_message(
                text,
                calls.is_empty(),
                end.provider.is_none() && old_end.provider.is_some(),
            );
        }
        (Entry::Delivered { text, .. }, Entry::Delivered { text: old, .. }) => {
            let is_sound =
                *text == old || tasks_in(text, nonce).is_some_and(|tasks| Some(tasks) == tasks_in(&old, nonce));
            if !is_sound {
                return Err(
                    "the redaction hook broke the frame of a delivery: its lines must stay, and the `task` of each",
                );
            }
        }
        (Entry::Accepted { call, .. }, Entry::Accepted { call: old, .. }) => note_call(call, &old),
        (Entry::Settled { result }, Entry::Settled { result: old }) if !Arc::ptr_eq(result, &old) => {
            *result = noted(result, &old);
        }
        _ => {}
    }
    Ok(grafted)
}

/// Replaces a text that the hook emptied with a placeholder: a hook may not decide whether a message exists.
fn keep_text(text: &mut String, old: &str) {
    if text.is_empty() && !old.is_empty() {
        REDACTED.clone_into(text);
    }
}

/// Does the same for a turn of nothing but the provider's blocks, if those are left out.
pub(super) fn keep_message(text: &mut String, has_no_calls: bool, is_left_out: bool) {
    if text.is_empty() && has_no_calls && is_left_out {
        REDACTED.clone_into(text);
    }
}

/// Marks a call as redacted if its arguments changed.
pub(super) fn note_call(call: &mut ToolCall, old: &ToolCall) {
    call.redacted = old.redacted || call.arguments != old.arguments;
}

/// Record, marked as redacted if its outcome changed. The limit on its display stays the same.
pub(super) fn noted(result: &AsyncTaskResult, old: &AsyncTaskResult) -> Arc<AsyncTaskResult> {
    let mut result = result.clone();
    let is_changed = result.outcome != old.outcome || result.media != old.media;
    result.redacted = old.redacted || is_changed;
    result.preview.clone_from(&old.preview);
    if let Some(preview) = old.preview.as_ref().filter(|_| is_changed) {
        let limit = preview.text.len();
        result = result.with_limit(limit);
    }
    Arc::new(result)
}

/// Tasks in the text of a delivery; `None` if it has no valid frame of the session.
fn tasks_in(text: &str, nonce: &str) -> Option<Vec<String>> {
    let parts = frames::parts(text, nonce)?;
    let lines = parts.lines.lines().map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        Some(line.get("task")?.as_str()?.to_owned())
    });
    let is_marked = lines.clone().count() == 0 || text.matches(['<', '>']).count() != 4;
    if is_marked { None } else { lines.collect() }
}
