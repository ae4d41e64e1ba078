//! Samples of every kind of entry, with extreme values in every field.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use crate::{
    clock::Timestamp,
    content::{Attachment, Media},
    context::{Cut, Pruned},
    id::{TaskId, TaskNo},
    journal::{Awaited, CallAnswer, Entry, Format, InterruptCause, JoinPolicy, Withdrawal},
    model::{StopReason, TurnEnd, Usage},
    session::SessionId,
    task::{AsyncTaskResult, TaskOutcome, TaskSpec, TaskStatus, Timing, ToolQuestion, TurnCause, TurnNo},
    tool::{Arguments, DeliveryPolicy, InputRequest, ToolCall, ToolError, ToolErrorKind},
};

const AT: Timestamp = Timestamp::from_millis(1_767_225_600_123);
const NEVER: Timestamp = Timestamp::from_millis(u64::MAX);
const TURN: TurnNo = TurnNo::new(u32::MAX);
const FIRST: TaskNo = TaskNo::new(1);
const LAST: TaskNo = TaskNo::new(u32::MAX);
const TEXT: &str = "a \"text\"\n\0\u{1b}[31m é 🦀 \u{10ffff}";

/// Entries of every kind, with extreme values in every field. They are samples for the tests of a store; they form no session.
///
/// ```
/// use async_tool_runtime::{journal::Entry, testing::sample_entries};
///
/// for entry in sample_entries() {
///     let stored = serde_json::to_string(&entry)?;
///     assert_eq!(serde_json::from_str::<Entry>(&stored)?, entry);
/// }
/// # Ok::<(), serde_json::Error>(())
/// ```
#[must_use]
pub fn sample_entries() -> Vec<Entry> {
    one_of_each()
}

/// Each kind of entry; kinds with optional fields both with and without them.
pub(super) fn one_of_each() -> Vec<Entry> {
    let mut entries = vec![
        Entry::Opened {
            format: Format::CURRENT,
            nonce: TEXT.into(),
            works_for: None,
            at: Timestamp::from_millis(0),
        },
        Entry::Opened {
            format: Format::default(),
            nonce: String::new(),
            works_for: Some(TaskId::from_u128(u128::MAX)),
            at: NEVER,
        },
        Entry::Resumed {
            format: Format::CURRENT,
            by: TEXT.into(),
            at: AT,
        },
        Entry::Deferred {
            task: LAST,
            until: None,
            at: AT,
        },
        Entry::Deferred {
            task: FIRST,
            until: Some(NEVER),
            at: AT,
        },
        Entry::UserMessage {
            text: TEXT.into(),
            media: Vec::new(),
            traceparent: None,
            at: AT,
        },
        Entry::UserMessage {
            text: TEXT.into(),
            media: media().map(|media| Attachment::new(TEXT.len(), media)).to_vec(),
            traceparent: Some(TEXT.into()),
            at: AT,
        },
        Entry::TurnStarted {
            turn: TURN,
            cause: TurnCause::Acknowledgements,
            at: AT,
        },
        accepted(value()),
        // A model may send arguments that aren't JSON.
        call(Arguments::from_text("{\"a\": "), Vec::new(), true),
        call(
            Arguments::from_text(" {\"a\" : 1e2, \"b\":\"\\u00e9\"} "),
            vec![
                Awaited::new("/a/0/~1", FIRST, ""),
                Awaited::new("", LAST, "/items/0/~0"),
            ],
            false,
        ),
        Entry::Resubmitted {
            task: LAST,
            attempt: u32::MAX,
            at: AT,
        },
        Entry::TurnWithdrawn {
            turn: TURN,
            cause: Withdrawal::UserMessage,
            at: AT,
        },
        Entry::TurnFailed {
            turn: TURN,
            error: TEXT.into(),
            at: AT,
        },
        Entry::Answered {
            turn: TURN,
            answers: answers(),
            eager: true,
            instruction: None,
            at: AT,
        },
        Entry::Answered {
            turn: TURN,
            answers: Vec::new(),
            eager: false,
            instruction: Some(TEXT.into()),
            at: AT,
        },
        Entry::Replaced {
            tasks: vec![FIRST, LAST],
            at: AT,
        },
        Entry::Delivered {
            tasks: vec![LAST, FIRST],
            text: TEXT.into(),
            at: AT,
        },
        Entry::Dropped {
            tasks: Vec::new(),
            reason: TEXT.into(),
            at: AT,
        },
        Entry::CancelRequested {
            task: FIRST,
            reason: TEXT.into(),
            at: AT,
        },
        Entry::Pruned {
            pruned: Pruned {
                collapsed: u32::MAX as usize,
                dropped: 1,
                status: TEXT.into(),
                cuts: vec![Cut::new(0, 512), Cut::new(u32::MAX as usize, 0)],
            },
            at: AT,
        },
        Entry::Draining { until: NEVER, at: AT },
        Entry::Detached {
            tasks: vec![FIRST],
            at: AT,
        },
        Entry::Halted { at: AT },
        Entry::Closing { at: AT },
        Entry::Closed { at: NEVER },
    ];
    let [approval, input] = requests();
    entries.extend([None, Some(approval), Some(input)].map(|request| Entry::Asked {
        task: FIRST,
        request,
        at: AT,
    }));
    entries.extend([value(), Value::Null].map(|checkpoint| Entry::Checkpointed {
        task: LAST,
        checkpoint: Arc::new(checkpoint),
        at: AT,
    }));
    entries.extend(turn_ends());
    let causes = [
        InterruptCause::Result { task: LAST },
        InterruptCause::Host,
        InterruptCause::Message,
    ];
    entries.extend(
        [0, 1, u32::MAX]
            .into_iter()
            .zip(causes)
            .map(|(cuts, cause)| Entry::TurnInterrupted {
                turn: TURN,
                text: TEXT.into(),
                calls: vec![FIRST, LAST],
                cause,
                cuts,
                at: AT,
            }),
    );
    entries.extend(outcomes().map(|outcome| Entry::Settled {
        result: Arc::new(result(outcome)),
    }));
    let mut large = result(TaskOutcome::Completed(json!(TEXT.repeat(100)))).with_limit(64);
    large.redacted = true;
    large.media = media().to_vec();
    entries.push(Entry::Settled {
        result: Arc::new(large),
    });
    entries.push(Entry::Settled { result: bare_result() });
    let policies = [
        DeliveryPolicy::WhenIdle,
        DeliveryPolicy::Interrupt,
        DeliveryPolicy::Silent,
    ];
    entries.extend(policies.map(|policy| Entry::DeliverySet {
        task: FIRST,
        policy,
        at: AT,
    }));
    let joins = [
        JoinPolicy::Any,
        JoinPolicy::All,
        JoinPolicy::FirstOk,
        JoinPolicy::Quorum(0),
        JoinPolicy::Quorum(u32::MAX),
    ];
    entries.extend(joins.into_iter().flat_map(|join| {
        [None, Some(NEVER)].map(|until| Entry::Grouped {
            group: TEXT.into(),
            tasks: vec![FIRST, LAST],
            join,
            until,
            at: AT,
        })
    }));
    entries
}

fn turn_ends() -> impl Iterator<Item = Entry> {
    let usage = Usage::new(u64::MAX, u64::MAX - 1, (1 << 53) + 1).with_reasoning(u64::MAX);
    let ends = [
        TurnEnd::default(),
        TurnEnd::new(StopReason::ToolCalls).with_usage(usage),
        TurnEnd::new(StopReason::MaxTokens).with_provider(value()),
        TurnEnd::new(StopReason::Refused).with_provider(json!([])),
    ];
    (0..).zip(ends).map(|(number, end)| Entry::TurnEnded {
        turn: TurnNo::new(number),
        text: TEXT.repeat(number as usize),
        calls: vec![LAST; number as usize],
        end,
        cuts: number,
        ungrounded: vec![TEXT.into(); number as usize],
        asks_again: number == 1,
        at: AT,
    })
}

fn requests() -> [InputRequest; 2] {
    [
        InputRequest::Approval {
            arguments: value().into(),
        },
        InputRequest::Input {
            prompt: TEXT.into(),
            schema: Arc::new(value()),
        },
    ]
}

fn answers() -> Vec<CallAnswer> {
    let statuses = [
        TaskStatus::Queued,
        TaskStatus::Running,
        TaskStatus::InputRequired,
        TaskStatus::Completed,
        TaskStatus::Failed,
        TaskStatus::Cancelled,
    ];
    let mut answers: Vec<_> = statuses.map(|status| CallAnswer::Ack(FIRST, status)).into();
    answers.extend(requests().map(|request| CallAnswer::Asking(FIRST, ToolQuestion::new("tool", request))));
    answers.push(CallAnswer::Result(LAST));
    answers.extend(
        [(value(), vec![FIRST, LAST]), (json!(null), Vec::new())].map(|(content, tasks)| CallAnswer::Report {
            media: tasks.clone(),
            number: FIRST,
            content,
            tasks,
        }),
    );
    answers
}

fn outcomes() -> impl Iterator<Item = TaskOutcome> {
    let kinds = [
        ToolErrorKind::Failed,
        ToolErrorKind::InvalidArguments,
        ToolErrorKind::UnknownTool,
        ToolErrorKind::Timeout,
        ToolErrorKind::Panicked,
        ToolErrorKind::Unavailable,
        ToolErrorKind::Overloaded,
        ToolErrorKind::Duplicate,
        ToolErrorKind::Refused,
        ToolErrorKind::Cancelled,
        ToolErrorKind::Unknown,
        ToolErrorKind::Internal,
    ];
    let errors = kinds.map(|kind| ToolError::new(kind, TEXT));
    let advised = [
        ToolError::failed("").with_model_message(TEXT),
        ToolError::failed(TEXT).with_retry_after(Duration::new(u64::MAX, 999_999_999)),
        ToolError::failed(TEXT).with_retryable(false),
        ToolError::failed(TEXT).with_not_started(),
    ];
    let failed = errors.into_iter().chain(advised).map(TaskOutcome::Failed);
    let completed = [value(), json!(null), json!(true), json!(""), json!([]), json!({})];
    let completed = completed.into_iter().map(TaskOutcome::Completed);
    let others = [TaskOutcome::Cancelled(TEXT.into()), TaskOutcome::Unknown(String::new())];
    completed.chain(failed).chain(others)
}

/// A value with every kind of JSON value.
fn value() -> Value {
    json!({
        "": null,
        TEXT: TEXT,
        "numbers": [0, -1, u64::MAX, i64::MIN, 1.0, -0.0, 0.1, 5e-324, f64::MAX],
        "nested": [[[{"a": {"b": [{"c": [true, false, null, {}, []]}]}}]]],
        "entry": "closed",
        "$serde_json::private::Number": "1",
    })
}

/// A call with these arguments.
pub(super) fn accepted(arguments: Value) -> Entry {
    call(arguments.into(), Vec::new(), false)
}

fn call(arguments: Arguments, awaits: Vec<Awaited>, own: bool) -> Entry {
    Entry::Accepted {
        turn: TURN,
        task: TaskId::from_u128(u128::MAX),
        number: LAST,
        call: ToolCall::new(TEXT, TEXT, arguments),
        awaits,
        own,
        repeats: (!own).then_some(LAST),
        at: AT,
    }
}

/// A task that ended with this value.
pub(super) fn settled(value: Value) -> Entry {
    Entry::Settled {
        result: Arc::new(result(TaskOutcome::Completed(value))),
    }
}

/// Media of every source.
fn media() -> [Media; 4] {
    let bytes: Vec<u8> = (0..=u8::MAX).collect();
    [
        Media::bytes("image/png", bytes).with_name(TEXT),
        Media::url("text/plain; charset=utf-8", "https://example.org/?a=b#é"),
        Media::bytes("", []),
        Media::bytes("audio/wav", [0]).withheld(),
    ]
}

fn result(outcome: TaskOutcome) -> AsyncTaskResult {
    let call = ToolCall::new(TEXT, TEXT, value());
    let spec = TaskSpec::new(SessionId::new(TEXT), call)
        .with_task(TaskId::from_u128(1))
        .with_number(LAST);
    let mut result = AsyncTaskResult::new(&spec, outcome, Timing::new(AT, Some(NEVER), NEVER), u32::MAX);
    result.parent = Some(TaskId::from_u128(2));
    result.traceparent = Some(TEXT.into());
    result
}

/// A record without optional fields.
fn bare_result() -> Arc<AsyncTaskResult> {
    let call = ToolCall::new("", "", Value::Null);
    let spec = TaskSpec::new(SessionId::new(""), call).with_task(TaskId::from_u128(0));
    let timing = Timing::new(Timestamp::from_millis(0), None, Timestamp::from_millis(0));
    let outcome = TaskOutcome::Completed(Value::Null);
    Arc::new(AsyncTaskResult::new(&spec, outcome, timing, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Number of a kind. A new kind doesn't compile without a number, and the test fails without a sample.
    const fn kind(entry: &Entry) -> usize {
        match entry {
            Entry::Opened { .. } => 0,
            Entry::UserMessage { .. } => 1,
            Entry::TurnStarted { .. } => 2,
            Entry::Accepted { .. } => 3,
            Entry::Resubmitted { .. } => 4,
            Entry::TurnEnded { .. } => 5,
            Entry::TurnInterrupted { .. } => 6,
            Entry::TurnFailed { .. } => 7,
            Entry::Settled { .. } => 8,
            Entry::Answered { .. } => 9,
            Entry::Replaced { .. } => 10,
            Entry::Delivered { .. } => 11,
            Entry::Dropped { .. } => 12,
            Entry::CancelRequested { .. } => 13,
            Entry::DeliverySet { .. } => 14,
            Entry::Grouped { .. } => 15,
            Entry::Pruned { .. } => 16,
            Entry::Draining { .. } => 17,
            Entry::Detached { .. } => 18,
            Entry::Closing { .. } => 19,
            Entry::Closed { .. } => 20,
            Entry::Resumed { .. } => 21,
            Entry::Deferred { .. } => 22,
            Entry::Asked { .. } => 23,
            Entry::Checkpointed { .. } => 24,
            Entry::Halted { .. } => 25,
            Entry::TurnWithdrawn { .. } => 26,
        }
    }

    #[test]
    fn there_is_a_sample_of_each_kind_of_entry() {
        let mut kinds: Vec<_> = one_of_each().iter().map(kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds, (0..27).collect::<Vec<_>>());
    }
}
