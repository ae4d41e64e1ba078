//! Ledgers as bytes.
//!
//! Each result is written once, although both its task's record and the message that delivered it hold it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    Ledger, RunTotals,
    group::TaskGroup,
    ledger::{Life, OpenTurn, TaskRecord},
};
use crate::{
    clock::Timestamp,
    content::{Content, Media},
    context::{Answer, AnswerContent, Message, Pruned, Transcript},
    id::{TaskId, TaskNo},
    journal::{Format, Seq, Snapshot},
    task::{TaskAck, TaskStatus, ToolQuestion, TurnNo},
    tool::CallId,
};

/// Version of the format. A snapshot of another version is ignored, and the entries are folded instead.
///
/// It is raised when the stored form changes, or the fold of the same entries gives another ledger.
const FORMAT: u32 = 4;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredLedger {
    format: u32,
    /// Newest format of the entries that it covers. An earlier program would not see that it can't read them.
    entries: Format,
    opened: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message_trace: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    turn_trace: Option<Arc<str>>,
    nonce: String,
    works_for: Option<TaskId>,
    is_restart_untold: bool,
    transcript: Vec<StoredMessage>,
    pruned: Pruned,
    held_messages: Vec<Content>,
    tasks: BTreeMap<TaskNo, TaskRecord>,
    open_tasks: BTreeSet<TaskNo>,
    inbox: VecDeque<TaskNo>,
    open_turn: Option<OpenTurn>,
    last_turn: TurnNo,
    answered_before: TurnNo,
    interrupter: Option<TaskNo>,
    unseen: Option<(usize, Vec<TaskNo>)>,
    unseen_before: Option<(usize, Vec<TaskNo>)>,
    unanswered: bool,
    pressing: bool,
    groups: Vec<TaskGroup>,
    run: RunTotals,
    ended_empty: bool,
    is_halted: bool,
    repetitions: u32,
    rests_after_acks: bool,
    forged: u32,
    forging: u32,
    is_to_be_corrected: bool,
    draining: Option<Timestamp>,
    last_at: Timestamp,
    life: Life,
}

/// Message with task numbers in place of results.
#[derive(Serialize, Deserialize)]
enum StoredMessage {
    Answers(Vec<StoredAnswer>),
    Delivery { tasks: Vec<TaskNo>, text: String },
    Other(Arc<Message>),
}

#[derive(Serialize, Deserialize)]
struct StoredAnswer {
    call: CallId,
    tool: Arc<str>,
    content: StoredContent,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    media: Vec<Media>,
}

#[derive(Serialize, Deserialize)]
enum StoredContent {
    Ack {
        task: TaskNo,
        status: TaskStatus,
        brief: bool,
        instruction: Option<Arc<str>>,
    },
    Asking(TaskNo, ToolQuestion),
    Result(TaskNo),
    Other(AnswerContent),
}

impl Ledger {
    /// Snapshot of the session after the entry at `seq`, the last one applied. For a journal to keep; `None` if the
    /// ledger can't be encoded.
    ///
    /// ```
    /// use async_tool_runtime::{
    ///     agent::Ledger,
    ///     journal::{MemoryJournal, Seq},
    ///     AsyncAgent, AsyncToolManager, RulePlanner,
    /// };
    /// use std::sync::Arc;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let journal = Arc::new(MemoryJournal::new());
    /// # let manager = AsyncToolManager::builder().build()?;
    /// # let agent = AsyncAgent::builder(RulePlanner::new(), manager).journal(Arc::clone(&journal)).start().await?;
    /// # agent.run_to_completion("status").await?;
    /// let entries = journal.entries(agent.session());
    /// let ledger = Ledger::fold(&entries)?;
    /// let snapshot = ledger.to_snapshot(Seq::new(entries.len() as u64)).expect("the ledger can be encoded");
    /// assert_eq!(Ledger::from_snapshot(&snapshot), Some(ledger));
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn to_snapshot(&self, seq: Seq) -> Option<Snapshot> {
        // All fields by name, so that a new field can't be forgotten. The records hold the numbers.
        let Self {
            format,
            message_trace,
            turn_trace,
            opened,
            nonce,
            works_for,
            is_restart_untold,
            transcript,
            pruned,
            held_messages,
            tasks,
            numbers: _,
            open_tasks,
            inbox,
            open_turn,
            last_turn,
            answered_before,
            interrupter,
            unseen,
            unseen_before,
            unanswered,
            pressing,
            groups,
            run,
            ended_empty,
            is_halted,
            repetitions,
            rests_after_acks,
            forged,
            forging,
            is_to_be_corrected,
            draining,
            last_at,
            life,
        } = self.clone();
        let state = StoredLedger {
            format: FORMAT,
            entries: format,
            message_trace,
            turn_trace,
            opened,
            nonce,
            works_for,
            is_restart_untold,
            transcript: transcript
                .messages()
                .iter()
                .map(|message| self.keep(message))
                .collect::<Option<_>>()?,
            pruned,
            held_messages,
            tasks,
            open_tasks,
            inbox,
            open_turn,
            last_turn,
            answered_before,
            interrupter,
            unseen,
            unseen_before,
            unanswered,
            pressing,
            groups,
            run,
            ended_empty,
            is_halted,
            repetitions,
            rests_after_acks,
            forged,
            forging,
            is_to_be_corrected,
            draining,
            last_at,
            life,
        };
        let state = serde_json::to_vec(&state).ok()?;
        Some(Snapshot::new(seq, state))
    }

    /// Ledger of a snapshot; `None` if it can't be read, or if another version of the library made it. Then the entries must be
    /// folded from the start.
    #[must_use]
    pub fn from_snapshot(snapshot: &Snapshot) -> Option<Self> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let Format { format } = serde_json::from_slice(&snapshot.state).ok()?;
        if format != FORMAT {
            return None;
        }
        let state: StoredLedger = serde_json::from_slice(&snapshot.state).ok()?;
        state.entries.check().ok()?;
        let mut transcript = Transcript::at(snapshot.seq);
        for kept in state.transcript {
            transcript.push_shared(restore(kept, &state.tasks)?);
        }
        Some(Self {
            format: state.entries,
            message_trace: state.message_trace,
            turn_trace: state.turn_trace,
            opened: state.opened,
            nonce: state.nonce,
            works_for: state.works_for,
            is_restart_untold: state.is_restart_untold,
            transcript,
            pruned: state.pruned,
            held_messages: state.held_messages,
            numbers: state
                .tasks
                .iter()
                .map(|(number, record)| (record.task, *number))
                .collect(),
            tasks: state.tasks,
            open_tasks: state.open_tasks,
            inbox: state.inbox,
            open_turn: state.open_turn,
            last_turn: state.last_turn,
            answered_before: state.answered_before,
            interrupter: state.interrupter,
            unseen: state.unseen,
            unseen_before: state.unseen_before,
            unanswered: state.unanswered,
            pressing: state.pressing,
            groups: state.groups,
            run: state.run,
            ended_empty: state.ended_empty,
            is_halted: state.is_halted,
            repetitions: state.repetitions,
            rests_after_acks: state.rests_after_acks,
            forged: state.forged,
            forging: state.forging,
            is_to_be_corrected: state.is_to_be_corrected,
            draining: state.draining,
            last_at: state.last_at,
            life: state.life,
        })
    }

    fn keep(&self, message: &Arc<Message>) -> Option<StoredMessage> {
        Some(match &**message {
            Message::Answers(answers) => {
                let kept = answers.iter().map(|answer| {
                    let mut media = Vec::new();
                    let content = match &answer.content {
                        AnswerContent::Ack(ack) => match &ack.question {
                            None => StoredContent::Ack {
                                task: self.number(ack.task)?,
                                status: ack.status,
                                brief: ack.brief,
                                instruction: ack.instruction.clone(),
                            },
                            Some(question) if ack.instruction.is_none() => {
                                StoredContent::Asking(self.number(ack.task)?, question.clone())
                            }
                            Some(_) => StoredContent::Other(answer.content.clone()),
                        },
                        AnswerContent::Result(result) => StoredContent::Result(self.number(result.task)?),
                        other @ (AnswerContent::Report(_) | AnswerContent::Collapsed(_)) => {
                            media = answer.media().to_vec();
                            StoredContent::Other(other.clone())
                        }
                    };
                    Some(StoredAnswer {
                        call: answer.call.clone(),
                        tool: Arc::clone(&answer.tool),
                        content,
                        media,
                    })
                });
                StoredMessage::Answers(kept.collect::<Option<_>>()?)
            }
            Message::Delivery { tasks, text, .. } => StoredMessage::Delivery {
                tasks: tasks.clone(),
                text: text.clone(),
            },
            Message::User { .. } | Message::Assistant { .. } | Message::Note { .. } => {
                StoredMessage::Other(Arc::clone(message))
            }
        })
    }
}

fn restore(kept: StoredMessage, tasks: &BTreeMap<TaskNo, TaskRecord>) -> Option<Arc<Message>> {
    let result_of = |number: &TaskNo| tasks.get(number)?.result.clone();
    Some(Arc::new(match kept {
        StoredMessage::Other(message) => return Some(message),
        StoredMessage::Delivery { tasks: told, text } => Message::Delivery {
            results: told.iter().map(result_of).collect::<Option<_>>()?,
            tasks: told,
            text,
        },
        StoredMessage::Answers(answers) => {
            let answers = answers.into_iter().map(
                |StoredAnswer {
                     call,
                     tool,
                     content,
                     media,
                 }| {
                    let content = match content {
                        StoredContent::Result(number) => AnswerContent::Result(result_of(&number)?),
                        StoredContent::Ack {
                            task,
                            status,
                            brief,
                            instruction,
                        } => {
                            let ack = ack_of(task, status, tasks)?;
                            AnswerContent::Ack(TaskAck {
                                brief,
                                instruction,
                                ..ack
                            })
                        }
                        StoredContent::Asking(number, question) => {
                            let ack = ack_of(number, TaskStatus::InputRequired, tasks)?;
                            AnswerContent::Ack(ack.with_question(question))
                        }
                        StoredContent::Other(content) => content,
                    };
                    Some(Answer::new(call, tool, content).with_media(media))
                },
            );
            Message::Answers(answers.collect::<Option<_>>()?)
        }
    }))
}

fn ack_of(number: TaskNo, status: TaskStatus, tasks: &BTreeMap<TaskNo, TaskRecord>) -> Option<TaskAck> {
    let record = tasks.get(&number)?;
    let arguments = record.call.arguments.clone();
    let name = Arc::clone(&record.call.name);
    Some(TaskAck::new(record.task, Some(number), name, arguments, status))
}
