//! Events of the entries of a journal.
//!
//! The machine makes them when it records an entry, and a late reader when it reads the entry. So both see the same.

use std::collections::HashMap;

use super::{AgentEvent, AgentEventKind, EventId};
use crate::{
    id::{TaskId, TaskNo},
    journal::{CallAnswer, Entry, Seq},
    task::TurnNo,
};

/// Events of one entry, in order. `numbers` has all tasks that were accepted before the entry, and may have later ones.
pub(super) fn events_of(
    seq: Seq,
    entry: &Entry,
    numbers: &HashMap<TaskId, TaskNo>,
) -> impl Iterator<Item = AgentEvent> {
    let at = entry.at();
    let kinds = kinds_of(entry, numbers).into_iter();
    kinds
        .zip(0..)
        .map(move |(kind, place)| AgentEvent::new(at, kind).with_id(EventId::new(seq, place)))
}

fn kinds_of(entry: &Entry, numbers: &HashMap<TaskId, TaskNo>) -> Vec<AgentEventKind> {
    let kind = match entry {
        Entry::Opened { .. } => AgentEventKind::Opened,
        Entry::Resumed { .. } => AgentEventKind::Resumed,
        Entry::UserMessage { text, media, .. } => AgentEventKind::UserMessage {
            text: text.clone(),
            media: media.clone(),
        },
        Entry::TurnStarted { turn, cause, .. } => AgentEventKind::TurnStarted {
            turn: *turn,
            cause: *cause,
        },
        Entry::Accepted {
            turn,
            task,
            number,
            call,
            repeats,
            ..
        } => AgentEventKind::Called {
            turn: *turn,
            number: *number,
            task: *task,
            call: call.clone(),
            repeats: *repeats,
        },
        Entry::Resubmitted { task, attempt, .. } => AgentEventKind::Resubmitted {
            number: *task,
            attempt: *attempt,
        },
        Entry::Deferred { task, until, .. } => AgentEventKind::Deferred {
            number: *task,
            until: *until,
        },
        Entry::Asked { task, request, .. } => {
            let asking = numbers.iter().find(|(_, number)| *number == task);
            let Some((asking, _)) = asking else { return Vec::new() };
            AgentEventKind::InputRequired {
                number: *task,
                asking: *asking,
                request: request.clone(),
            }
        }
        // Data of the function alone.
        Entry::Checkpointed { .. } => return Vec::new(),
        Entry::TurnEnded {
            turn,
            text,
            end,
            cuts,
            ungrounded,
            ..
        } => {
            let ended = AgentEventKind::TurnEnded {
                turn: *turn,
                text: text.clone(),
                usage: end.usage,
                ungrounded: ungrounded.clone(),
            };
            return corrected(*turn, *cuts).into_iter().chain([ended]).collect();
        }
        Entry::TurnInterrupted {
            turn,
            text,
            cause,
            cuts,
            ..
        } => {
            let interrupted = AgentEventKind::TurnInterrupted {
                turn: *turn,
                text: text.clone(),
                cause: *cause,
            };
            let corrected = corrected(*turn, *cuts).into_iter();
            return corrected.chain([interrupted]).collect();
        }
        Entry::TurnWithdrawn { turn, cause, .. } => AgentEventKind::TurnWithdrawn {
            turn: *turn,
            cause: *cause,
        },
        Entry::TurnFailed { turn, error, .. } => AgentEventKind::TurnFailed {
            turn: *turn,
            error: error.clone(),
        },
        Entry::Halted { .. } => AgentEventKind::Halted,
        Entry::Settled { result } => {
            let Some(number) = numbers.get(&result.task) else {
                return Vec::new();
            };
            AgentEventKind::Settled {
                number: *number,
                result: result.clone(),
            }
        }
        Entry::Answered { answers, .. } => return answers.iter().flat_map(answered).collect(),
        Entry::Replaced { tasks, .. } => {
            let tasks = tasks.iter();
            return tasks
                .map(|number| AgentEventKind::Answered { number: *number })
                .collect();
        }
        Entry::Delivered { tasks, .. } => AgentEventKind::Delivered { tasks: tasks.clone() },
        Entry::Dropped { tasks, reason, .. } => AgentEventKind::Dropped {
            tasks: tasks.clone(),
            reason: reason.clone(),
        },
        Entry::CancelRequested { task, reason, .. } => AgentEventKind::CancelRequested {
            number: *task,
            reason: reason.clone(),
        },
        Entry::DeliverySet { task, policy, .. } => AgentEventKind::DeliverySet {
            number: *task,
            policy: *policy,
        },
        Entry::Grouped { group, tasks, join, .. } => AgentEventKind::Grouped {
            name: group.clone(),
            tasks: tasks.clone(),
            join: *join,
        },
        Entry::Pruned { pruned, .. } => AgentEventKind::Pruned { pruned: pruned.clone() },
        Entry::Draining { until, .. } => AgentEventKind::Draining { until: *until },
        Entry::Detached { tasks, .. } => AgentEventKind::Detached { tasks: tasks.clone() },
        Entry::Closing { .. } => AgentEventKind::Closing,
        Entry::Closed { .. } => AgentEventKind::Closed,
    };
    vec![kind]
}

fn answered(answer: &CallAnswer) -> Vec<AgentEventKind> {
    match answer {
        CallAnswer::Ack(number, _) | CallAnswer::Asking(number, _) => {
            vec![AgentEventKind::Acknowledged { number: *number }]
        }
        CallAnswer::Result(number) => vec![AgentEventKind::Answered { number: *number }],
        CallAnswer::Report { number, tasks, .. } => {
            let delivered = (!tasks.is_empty()).then(|| AgentEventKind::Delivered { tasks: tasks.clone() });
            let answered = AgentEventKind::Answered { number: *number };
            delivered.into_iter().chain([answered]).collect()
        }
    }
}

fn corrected(turn: TurnNo, cuts: u32) -> Option<AgentEventKind> {
    (cuts > 0).then_some(AgentEventKind::Corrected { turn, cuts })
}
