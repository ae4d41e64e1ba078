//! Entry that answers the calls of a turn.

use std::sync::Arc;

use super::{FoldError, Ledger, TaskRecord, Told, error::require};
use crate::{
    agent::task_tool,
    clock::Timestamp,
    context::{Answer, AnswerContent, Message},
    id::TaskNo,
    journal::{CallAnswer, Entry},
    policy::is_same,
    task::{TaskAck, TaskStatus, TurnNo},
    tool::ToolCall,
};

impl Ledger {
    pub(super) fn apply_answers(
        &mut self,
        entry: &Entry,
        turn: TurnNo,
        answers: &[CallAnswer],
        eager: bool,
        instruction: Option<&Arc<str>>,
        at: Timestamp,
    ) -> Result<(), FoldError> {
        let open = self.open_turn.as_ref().filter(|open| open.turn == turn && open.ended);
        let open = open.ok_or_else(|| FoldError::new(entry, "the turn doesn't wait for answers"))?;
        let answered: Vec<TaskNo> = answers.iter().map(CallAnswer::number).collect();
        require(
            entry,
            answered == open.calls,
            "every call of a turn gets exactly one answer",
        )?;

        let mut message = Vec::with_capacity(answers.len());
        let mut reported = Vec::new();
        for given in answers {
            let record = self.record_mut(given.number(), entry)?;
            let is_report = matches!(given, CallAnswer::Report { .. });
            require(
                entry,
                record.is_task() != is_report,
                "a report answers a call that is no task, and nothing else does",
            )?;
            let mut shown = Vec::new();
            let content = match given {
                CallAnswer::Ack(number, _) | CallAnswer::Asking(number, _) => {
                    require(
                        entry,
                        record.result.is_none(),
                        "a settled call is answered with its result",
                    )?;
                    let arguments = record.call.arguments.clone();
                    let name = Arc::clone(&record.call.name);
                    let ack = |status| TaskAck::new(record.task, Some(*number), name, arguments, status);
                    AnswerContent::Ack(match given {
                        CallAnswer::Ack(_, status) => ack(*status),
                        CallAnswer::Asking(_, question) => {
                            ack(TaskStatus::InputRequired).with_question(question.clone())
                        }
                        CallAnswer::Result(_) | CallAnswer::Report { .. } => unreachable!("matched above"),
                    })
                }
                CallAnswer::Result(_) => {
                    let result = record.result.clone();
                    AnswerContent::Result(result.ok_or_else(|| FoldError::new(entry, "the task is not settled"))?)
                }
                CallAnswer::Report {
                    content, tasks, media, ..
                } => {
                    reported.extend_from_slice(tasks);
                    for number in media {
                        let result = self.record_mut(*number, entry)?.result.as_ref();
                        let result =
                            result.ok_or_else(|| FoldError::new(entry, "a report shows media of ended tasks only"))?;
                        shown.extend_from_slice(&result.media);
                    }
                    AnswerContent::Report(content.clone())
                }
            };
            let record = self.record_mut(given.number(), entry)?;
            let answer = Answer::new(record.call.id.clone(), Arc::clone(&record.call.name), content);
            message.push(answer.with_media(shown));
        }
        for answer in &mut message {
            if let AnswerContent::Ack(ack) = &mut answer.content {
                ack.instruction = instruction.cloned();
            }
        }
        shorten(&mut message);
        for (place, number) in reported.iter().enumerate() {
            let waits = self.inbox.contains(number) && !reported[..place].contains(number);
            require(entry, waits, "only results in the inbox are handed over, and once")?;
        }
        let mut acknowledged = Vec::new();
        for given in answers {
            let record = self.record_mut(given.number(), entry)?;
            record.answered = Some(at);
            if let CallAnswer::Report { content, .. } = given {
                record.refusal = content.get("error").filter(|_| record.own).map(ToString::to_string);
            }
            record.told = match given {
                CallAnswer::Ack(number, _) | CallAnswer::Asking(number, _) => {
                    acknowledged.push(*number);
                    Told::Ack
                }
                CallAnswer::Result(_) | CallAnswer::Report { .. } => Told::Result,
            };
        }
        for number in &reported {
            self.record_mut(*number, entry)?.told = Told::Result;
        }
        self.inbox.retain(|number| !reported.contains(number));
        // The answer to a call that repeats an open task is another acknowledgement.
        let is_ack = |given: &CallAnswer| match given {
            CallAnswer::Ack(..) | CallAnswer::Asking(..) => true,
            CallAnswer::Result(_) => false,
            CallAnswer::Report { tasks, .. } => tasks.is_empty() && self.waits_again(given.number()),
        };
        let has_result = !answers.iter().all(is_ack);
        let is_report = |given: &CallAnswer| matches!(given, CallAnswer::Report { .. });
        let has_report = answers.iter().any(|given| is_report(given) && !is_ack(given));
        let repeats_all = answers.iter().all(|given| self.repeats(given.number()));
        if !repeats_all {
            self.repetitions = 0;
        } else if reported.is_empty()
            && (has_result || eager)
            && !answers.iter().any(|given| self.asks_of_open(given.number()))
        {
            self.repetitions += 1;
        }
        self.unseen = Some((self.transcript.messages().len(), acknowledged));
        self.transcript.push(Message::Answers(message));
        // After an interrupted turn, the messages that it had to answer are still unanswered.
        self.unanswered |= eager || has_result;
        self.pressing |= eager || has_report;
        self.close_turn();
        Ok(())
    }
}

impl Ledger {
    /// True if a call of an ended turn repeats another call, or asks the `task` tool what an equal call of the turn before has asked.
    fn repeats(&self, number: TaskNo) -> bool {
        let record = self.tasks.get(&number);
        record.is_some_and(|record| record.repeats.is_some() || self.asks_again(record))
    }

    /// True if a call of an ended turn repeats another call, and a result that is still to come will have news.
    pub(crate) fn waits_again(&self, number: TaskNo) -> bool {
        let Some(record) = self.tasks.get(&number) else {
            return false;
        };
        match record.repeats {
            // For another message of the user, the first repetition is an answer.
            Some(of) => {
                let is_of_run = |(number, earlier): (TaskNo, &TaskRecord)| {
                    number == of || (earlier.turn < record.turn && earlier.repeats == Some(of))
                };
                self.is_open(of) && self.calls_of_run().any(is_of_run)
            }
            None => self.asks_again(record) && !self.open_tasks.is_empty(),
        }
    }

    /// True for a call that is the first of its run to repeat a task which is still open: the user may have asked how it is going.
    fn asks_of_open(&self, number: TaskNo) -> bool {
        let of = self.tasks.get(&number).and_then(|record| record.repeats);
        of.is_some_and(|of| self.is_open(of)) && !self.waits_again(number)
    }

    /// True for a call that only looks at tasks, as an equal call of the turn right before.
    fn asks_again(&self, record: &TaskRecord) -> bool {
        if !record.own || !task_tool::only_looks(&record.call) {
            return false;
        }
        let Some([before, answers, _]) = self.transcript.messages().last_chunk() else {
            return false;
        };
        let (Message::Assistant { calls, .. }, Message::Answers(_)) = (&**before, &**answers) else {
            return false;
        };
        let is_equal =
            |call: &ToolCall| call.name == record.call.name && is_same(&call.arguments, &record.call.arguments);
        calls.iter().any(is_equal)
    }
}

/// Makes all acknowledgements of a turn brief but the last: the model reads the instruction once, and at the end.
pub(super) fn shorten(answers: &mut [Answer]) {
    let mut is_last = true;
    for answer in answers.iter_mut().rev() {
        if let AnswerContent::Ack(ack) = &mut answer.content
            && ack.question.is_none()
        {
            ack.brief = !is_last;
            is_last = false;
        }
    }
}
