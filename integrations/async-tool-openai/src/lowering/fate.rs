//! The fate of each acknowledged call: left open, or answered, and at which message.
//!
//! OpenAI's native asynchronous calls have only a beginning and an end. This file adds:
//!
//! - **Late result.** It becomes the output of the original call, at the delivery or the `task` tool's answer that
//!   handed it over. The output of a cancelled, failed or lost task says so.
//! - **Cap.** If [`Rules::max_open`] calls are open, a further call is answered with its acknowledgement at once.
//! - **TTL.** A call open for longer than [`Rules::ttl`] is answered with its acknowledgement, directly after its turn.
//! - **Repeated id.** A late output would not say which of two calls with one `call_id` it is of. So such a call is
//!   answered with its acknowledgement.
//! - **Restart.** Nothing is remembered, so nothing is lost.
//!
//! # Times
//!
//! A task's id (UUID version 7, RFC 9562 section 5.7) holds the time at which its call was accepted; a result holds the
//! times at which the call was accepted and settled. So two facts never change between requests: whether a call expired
//! before its result, and whether it had expired when a later call was made. A host may make ids without a time; a call
//! with such an id doesn't expire while it is open.
//!
//! The conversation doesn't record which requests were made. A result may settle in the millisecond in which its call
//! expires. Then one request may show the acknowledgement, and the next the output of the call. Both are valid
//! conversations.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use async_tool_runtime::{
    Message, TaskId, TaskNo,
    context::AnswerContent,
    task::Timestamp,
    tool::{Arguments, CallId},
};

use super::{Rules, items::Turn, report};

/// Fates of all acknowledged calls of a conversation.
#[derive(Debug, Default)]
pub(super) struct Fates {
    open: Vec<Open>,
    acknowledged: HashSet<TaskId>,
    /// Calls that may have been shown open, each with the index of its turn.
    shown_open: HashSet<(usize, CallId)>,
    late: HashMap<usize, Vec<(String, TaskId)>>,
    handed_over: HashMap<usize, Vec<(String, TaskNo)>>,
    /// Calls whose task number the model may not know.
    unnamed: HashMap<TaskNo, Unnamed>,
}

/// A call as the model sees it.
#[derive(Debug)]
pub(super) struct Unnamed {
    pub(super) call: String,
    pub(super) arguments: Arguments,
}

/// A call without an output.
#[derive(Debug)]
struct Open {
    task: TaskId,
    number: Option<TaskNo>,
    call: String,
    accepted: Option<Timestamp>,
}

impl Fates {
    pub(super) fn of<M: AsRef<Message>>(messages: &[M], rules: &Rules) -> Self {
        let mut fates = Self::default();
        let mut turn = Turn::new("", &[], None);
        let mut turn_place = 0;
        let mut seen = HashSet::new();
        let mut repeated = HashSet::new();
        for (place, message) in messages.iter().enumerate() {
            match message.as_ref() {
                Message::Assistant { text, calls, provider } => {
                    turn = Turn::new(text, calls, provider.as_ref());
                    turn_place = place;
                    for id in turn.sent_ids() {
                        while let Some(open) = fates.take(|open| open.call == id) {
                            fates.acknowledged.insert(open.task);
                        }
                        if !seen.insert(id.clone()) {
                            repeated.insert(id);
                        }
                    }
                }
                Message::Answers(answers) => {
                    for answer in answers {
                        let AnswerContent::Ack(ack) = &answer.content else {
                            continue;
                        };
                        let call = turn.sent_id(&answer.call);
                        // The model must be told of a question, and an open call says nothing.
                        let may_be_open = rules.native
                            && ack.question.is_none()
                            && turn.may_be_open(&answer.call)
                            && !repeated.contains(&call);
                        if may_be_open {
                            fates.shown_open.insert((turn_place, answer.call.clone()));
                        }
                        let accepted = accepted(ack.task);
                        if let Some(number) = ack.number.filter(|_| may_be_open) {
                            let call = call.to_string();
                            let arguments = ack.arguments.clone();
                            fates.unnamed.insert(number, Unnamed { call, arguments });
                        }
                        if may_be_open && fates.open_at(accepted, rules.ttl) < rules.max_open {
                            fates.open.push(Open {
                                task: ack.task,
                                number: ack.number,
                                call: call.into_owned(),
                                accepted,
                            });
                        } else {
                            fates.acknowledged.insert(ack.task);
                        }
                    }
                    for answer in answers {
                        let AnswerContent::Report(content) = &answer.content else {
                            continue;
                        };
                        for (number, elapsed) in report::handed_over(content, turn.call(&answer.call)) {
                            let Some(open) = fates.take(|open| open.number == Some(number)) else {
                                continue;
                            };
                            if elapsed.is_some_and(|elapsed| elapsed > rules.ttl) {
                                fates.acknowledged.insert(open.task);
                            } else {
                                fates.handed_over.entry(place).or_default().push((open.call, number));
                            }
                        }
                    }
                }
                Message::Delivery { tasks, results, .. } => {
                    for result in results {
                        let Some(open) = fates.take(|open| open.task == result.task) else {
                            continue;
                        };
                        if result.timing.elapsed() > rules.ttl {
                            fates.acknowledged.insert(open.task);
                        } else {
                            fates.late.entry(place).or_default().push((open.call, open.task));
                        }
                    }
                    // A result that came without its record exists only as text.
                    for number in tasks {
                        if let Some(open) = fates.take(|open| open.number == Some(*number)) {
                            fates.acknowledged.insert(open.task);
                        }
                    }
                }
                _ => {}
            }
        }
        let expired = fates
            .open
            .iter()
            .filter(|open| is_expired(open.accepted, Some(rules.now), rules.ttl));
        fates.acknowledged.extend(expired.map(|open| open.task));
        fates
    }

    /// True if the call of this task is answered with its acknowledgement.
    pub(super) fn is_acknowledged(&self, task: TaskId) -> bool {
        self.acknowledged.contains(&task)
    }

    /// True if a request may have shown this call of the turn at this index open. The answer is the same in every
    /// request, also when the call has been answered.
    pub(super) fn is_shown_open(&self, turn: usize, call: &str) -> bool {
        self.shown_open.contains(&(turn, CallId::new(call)))
    }

    /// Calls whose outputs stand at the delivery at this index.
    pub(super) fn late(&self, place: usize) -> &[(String, TaskId)] {
        self.late.get(&place).map_or(&[], Vec::as_slice)
    }

    /// Calls whose outputs stand at the `task` tool's answers at this index.
    pub(super) fn handed_over(&self, place: usize) -> &[(String, TaskNo)] {
        self.handed_over.get(&place).map_or(&[], Vec::as_slice)
    }

    /// The call with this number, if it may have been left open.
    pub(super) fn unnamed(&self, number: TaskNo) -> Option<&Unnamed> {
        self.unnamed.get(&number)
    }

    /// Number of calls open at this time, not now: earlier answers must not change.
    fn open_at(&self, at: Option<Timestamp>, ttl: Duration) -> usize {
        self.open
            .iter()
            .filter(|open| !is_expired(open.accepted, at, ttl))
            .count()
    }

    fn take(&mut self, is_it: impl Fn(&Open) -> bool) -> Option<Open> {
        let place = self.open.iter().position(is_it)?;
        Some(self.open.remove(place))
    }
}

fn is_expired(accepted: Option<Timestamp>, at: Option<Timestamp>, ttl: Duration) -> bool {
    accepted.zip(at).is_some_and(|(accepted, at)| at.since(accepted) > ttl)
}

/// Time of acceptance, if the task's id holds one.
fn accepted(task: TaskId) -> Option<Timestamp> {
    let bits = task.as_u128();
    let version = (bits >> 76) & 0xf;
    let millis = u64::try_from(bits >> 80).ok()?;
    (version == 7).then(|| Timestamp::from_millis(millis))
}
