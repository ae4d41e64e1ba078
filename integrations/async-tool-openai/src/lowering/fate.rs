//! What becomes of each call that could not be answered at once.
//!
//! OpenAI's native asynchronous calls have a beginning and an end, and nothing else. This is the rest of their life:
//!
//! - **Late result.** It is the output of the original call, where the conversation has the delivery or the answer of the `task` tool that
//!   handed it over. A cancelled, failed or lost task has such an output too, which says so.
//! - **Cap.** A call that finds [`Rules::max_open`] calls open is answered with its acknowledgement at once.
//! - **TTL.** A call that has been open for longer than [`Rules::ttl`] is answered with its acknowledgement, in the place that it would have had.
//! - **Restart.** Nothing is remembered, so nothing is lost.
//!
//! # What is known of time
//!
//! A call was accepted at the time that is in its task's id (UUID version 7, RFC 9562 section 5.7); a result says when it was accepted and
//! settled. So whether a call had expired before its result was there, and whether an earlier call had expired when a later one was
//! made, never changes from one request to the next. Ids that a host made without a time say nothing: such a call
//! doesn't expire while it is open.
//!
//! What can't be known is which requests were made. A result that settles in the millisecond in which its call expires may have been acknowledged in
//! a request, and be the output of the call in the next. Each of the two is a valid conversation.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use async_tool_runtime::{Message, TaskId, TaskNo, context::AnswerContent, task::Timestamp, tool::Arguments};

use super::{Rules, items, report};

/// What becomes of each acknowledged call.
#[derive(Debug, Default)]
pub(super) struct Fates {
    open: Vec<Open>,
    acknowledged: HashSet<TaskId>,
    late: HashMap<usize, Vec<(String, TaskId)>>,
    handed_over: HashMap<usize, Vec<(String, TaskNo)>>,
    /// The calls of which the model may not have been told the number.
    unnamed: HashMap<TaskNo, Unnamed>,
}

/// A call, as the model knows it.
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
        let mut turn = None;
        for (place, message) in messages.iter().enumerate() {
            match message.as_ref() {
                Message::Assistant { calls, provider, .. } => turn = Some((calls, provider.as_ref())),
                Message::Answers(answers) => {
                    for answer in answers {
                        let AnswerContent::Ack(ack) = &answer.content else {
                            continue;
                        };
                        let may_be_open = rules.native
                            && turn.is_some_and(|(calls, provider)| items::may_be_open(&answer.call, calls, provider));
                        let accepted = accepted(ack.task);
                        if let Some(number) = ack.number.filter(|_| may_be_open) {
                            let call = answer.call.to_string();
                            let arguments = ack.arguments.clone();
                            fates.unnamed.insert(number, Unnamed { call, arguments });
                        }
                        if may_be_open && fates.open_at(accepted, rules.ttl) < rules.max_open {
                            fates.open.push(Open {
                                task: ack.task,
                                number: ack.number,
                                call: answer.call.to_string(),
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
                        let call = turn.and_then(|(calls, _)| calls.iter().find(|call| call.id == answer.call));
                        for (number, elapsed) in report::handed_over(content, call) {
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
                    // Of what came without its record there is only the text.
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

    /// Whether the call of this task is answered with its acknowledgement.
    pub(super) fn is_acknowledged(&self, task: TaskId) -> bool {
        self.acknowledged.contains(&task)
    }

    /// The calls that get their outputs where this delivery stands.
    pub(super) fn late(&self, place: usize) -> &[(String, TaskId)] {
        self.late.get(&place).map_or(&[], Vec::as_slice)
    }

    /// The calls that get their outputs where these answers of the `task` tool stand.
    pub(super) fn handed_over(&self, place: usize) -> &[(String, TaskNo)] {
        self.handed_over.get(&place).map_or(&[], Vec::as_slice)
    }

    /// The call with this number, if it may have been left open.
    pub(super) fn unnamed(&self, number: TaskNo) -> Option<&Unnamed> {
        self.unnamed.get(&number)
    }

    /// How many calls were open at this time. Not how many are: what was answered must stay so.
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

/// When a task was accepted, if its id says so.
fn accepted(task: TaskId) -> Option<Timestamp> {
    let bits = task.as_u128();
    let version = (bits >> 76) & 0xf;
    let millis = u64::try_from(bits >> 80).ok()?;
    (version == 7).then(|| Timestamp::from_millis(millis))
}
