//! Input of an agent with its own loop, at the begin of a turn.

use std::sync::Arc;

use serde_json::{Value, json};

use super::turn_mark::mark_of;
use crate::{
    clock::Timestamp,
    context::{AnswerContent, Message, frames},
    id::TaskNo,
    model::ModelRequest,
    session::SessionId,
    task::{AsyncTaskResult, TaskAck},
    tool::{CallId, ToolCall, ToolDefinition},
};

/// Input of an [`Agent`](super::Agent) for a turn: everything new since its last completed one.
#[derive(Clone, Debug)]
pub struct TurnInput {
    request: ModelRequest,
    ordinal: u64,
    is_repeated: bool,
    items: Vec<TurnItem>,
}

/// Item of an input.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TurnItem {
    /// The user said something.
    User {
        /// The text.
        text: String,
    },
    /// A call goes on in the background, as a task that has a number now.
    Acknowledged {
        /// The call, as its [receipt](super::CallReceipt) names it.
        call: CallId,
        /// The task.
        ack: TaskAck,
    },
    /// Tasks have ended.
    Results {
        /// Their records, in the order in which they came.
        results: Vec<Arc<AsyncTaskResult>>,
        /// The same as a text for a model: escaped, framed by a tag that can't be forged, and cut where a result is too large.
        text: String,
    },
    /// A call of the `task` tool was answered.
    Report {
        /// The call, as its [receipt](super::CallReceipt) names it.
        call: CallId,
        /// Content of the answer.
        content: Value,
    },
    /// A word of the library's own, such as that a turn was corrected.
    Note {
        /// The text.
        text: String,
    },
    /// The last turn was broken off for a result, which follows. This much of it stands; what was before it comes again.
    Interrupted {
        /// Text of the turn by then, which the user has read.
        text: String,
        /// The calls that were taken and run. They are not to be made again.
        calls: Vec<ToolCall>,
    },
}

impl TurnInput {
    pub(super) fn new(request: ModelRequest, ordinal: u64, is_repeated: bool, nonce: &str) -> Self {
        let last = request.messages.iter().rposition(|message| mark_of(message).is_some());
        let new = last.map_or(0, |last| last + 1);
        let items = request.messages.iter().skip(new);
        Self {
            ordinal,
            is_repeated,
            items: items.flat_map(|message| items_of(message, nonce)).collect(),
            request,
        }
    }

    /// The session.
    #[must_use]
    pub const fn session(&self) -> &SessionId {
        &self.request.session
    }

    /// The number of the turn among the completed ones, from 1. A turn that wasn't completed and comes again has the same.
    #[must_use]
    pub const fn ordinal(&self) -> u64 {
        self.ordinal
    }

    /// True if this agent has begun the turn before, and it was not completed.
    #[must_use]
    pub const fn is_repeated(&self) -> bool {
        self.is_repeated
    }

    /// New items, oldest first.
    #[must_use]
    pub fn items(&self) -> &[TurnItem] {
        &self.items
    }

    /// Messages of the user's, with an empty line between them. Empty if there is none.
    #[must_use]
    pub fn user_text(&self) -> String {
        let texts = self.items.iter().filter_map(|item| match item {
            TurnItem::User { text } => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("\n\n")
    }

    /// The results that have come.
    pub fn results(&self) -> impl Iterator<Item = &Arc<AsyncTaskResult>> {
        self.items.iter().flat_map(|item| match item {
            TurnItem::Results { results, .. } => results.as_slice(),
            _ => &[],
        })
    }

    /// Everything new as one text, for an agent that takes nothing else. Acknowledgements are left out: a receipt says the same.
    ///
    /// Messages of the user's stand as they are, and results in their frames: hand it on whole, as what comes from the user.
    #[must_use]
    pub fn to_text(&self) -> String {
        let texts = self.items.iter().filter_map(TurnItem::to_text);
        texts.collect::<Vec<_>>().join("\n\n")
    }

    /// The whole conversation, with what is new: for an agent without a memory, or to fill one after a restart.
    #[must_use]
    pub fn conversation(&self) -> &[Arc<Message>] {
        &self.request.messages
    }

    /// The system prompt of the session, if it has one.
    #[must_use]
    pub fn system(&self) -> Option<&str> {
        self.request.system.as_deref()
    }

    /// Tools that can be called in the background.
    #[must_use]
    pub fn tools(&self) -> &Arc<[ToolDefinition]> {
        &self.request.tools
    }
}

impl TurnItem {
    fn to_text(&self) -> Option<String> {
        match self {
            Self::User { text } | Self::Results { text, .. } | Self::Note { text } => Some(text.clone()),
            Self::Report { call, content } => Some(json!({"call": call, "answer": content}).to_string()),
            Self::Acknowledged { .. } => None,
            Self::Interrupted { text, calls } => {
                let calls: Vec<_> = calls
                    .iter()
                    .map(|call| json!({"call": call.id, "tool": call.name, "arguments": call.arguments}))
                    .collect();
                let kept = json!({"said": text, "called": calls});
                Some(format!(
                    "Your last turn was broken off. This much of it stands, and is not to be said or called again: {kept}"
                ))
            }
        }
    }
}

fn items_of(message: &Message, nonce: &str) -> Vec<TurnItem> {
    match message {
        Message::User { text } => vec![TurnItem::User { text: text.clone() }],
        Message::Assistant { text, calls, .. } => vec![TurnItem::Interrupted {
            text: text.clone(),
            calls: calls.clone(),
        }],
        Message::Answers(answers) => {
            let mut items = Vec::new();
            let mut results = Vec::new();
            for answer in answers {
                match &answer.content {
                    AnswerContent::Ack(ack) => items.push(TurnItem::Acknowledged {
                        call: answer.call.clone(),
                        ack: ack.clone(),
                    }),
                    AnswerContent::Result(result) | AnswerContent::Collapsed(result) => {
                        results.push(Arc::clone(result))
                    }
                    AnswerContent::Report(content) => items.push(TurnItem::Report {
                        call: answer.call.clone(),
                        content: content.clone(),
                    }),
                }
            }
            if !results.is_empty() {
                let text = framed(&results, nonce);
                items.push(TurnItem::Results { results, text });
            }
            items
        }
        Message::Note { text } => vec![TurnItem::Note { text: text.clone() }],
        Message::Delivery { results, text, .. } => vec![TurnItem::Results {
            results: results.clone(),
            text: text.clone(),
        }],
    }
}

/// Results that came as answers, in the words of a delivery: an agent with its own loop is given both in the same way.
fn framed(results: &[Arc<AsyncTaskResult>], nonce: &str) -> String {
    let now = results.iter().map(|result| result.timing.settled).max();
    let numbered = results
        .iter()
        .map(|result| (result.number.unwrap_or(TaskNo::new(0)), &**result, &*result.arguments));
    frames::render(nonce, numbered, None, now.unwrap_or(Timestamp::from_millis(0)))
}
