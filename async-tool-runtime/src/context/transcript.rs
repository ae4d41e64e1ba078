//! The conversation, independent of any provider.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    id::TaskNo,
    task::{AsyncTaskResult, TaskAck, TaskOutcome},
    tool::{CallId, ToolCall},
};

/// A message of the conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Message {
    /// Message of the user's.
    User {
        /// The text.
        text: String,
    },
    /// One turn of the model's.
    Assistant {
        /// The text; empty if it only made calls, cut short if the turn was broken off.
        text: String,
        /// The calls, in the order in which the model made them.
        calls: Vec<ToolCall>,
        /// The provider's own blocks, to be sent back unchanged. `None` also for a turn that was broken off: they come with its end.
        provider: Option<Value>,
    },
    /// The answers to all calls of the message before.
    Answers(Vec<Answer>),
    /// Results that came after their calls had been acknowledged.
    Delivery {
        /// The tasks whose results these are.
        tasks: Vec<TaskNo>,
        /// Their records, in the same order.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        results: Vec<Arc<AsyncTaskResult>>,
        /// The text as the model reads it, framed and escaped.
        text: String,
    },
    /// A word of the library's own to the model, sent in the user's role: that a turn was corrected, or, in what is shown of a
    /// conversation that was pruned, what was left out.
    Note {
        /// The text. It says that it isn't the user's.
        text: String,
    },
}

/// The one answer to a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Answer {
    /// The call that is answered.
    pub call: CallId,
    /// The name of the tool.
    pub tool: Arc<str>,
    /// Content for the model.
    pub content: AnswerContent,
}

impl Answer {
    /// An answer.
    #[must_use]
    pub fn new(call: CallId, tool: impl Into<Arc<str>>, content: AnswerContent) -> Self {
        Self {
            call,
            tool: tool.into(),
            content,
        }
    }

    /// The answer as the model reads it. A completed call is answered with the bare value, like an ordinary tool's; anything
    /// else is an object that says what it is, as is a value of which the model is shown only the beginning.
    #[must_use]
    pub fn to_model_json(&self) -> Value {
        match &self.content {
            AnswerContent::Ack(ack) => ack.to_model_json(),
            AnswerContent::Report(report) => report.clone(),
            AnswerContent::Collapsed(result) => super::stand_in::stand_in(result),
            AnswerContent::Result(result) => match &result.outcome {
                TaskOutcome::Completed(value) => result.shown_value(value).into_owned(),
                TaskOutcome::Failed(error) => {
                    json!({"error": result.shown_error(error)})
                }
                TaskOutcome::Cancelled(reason) => {
                    json!({"cancelled": result.shown_text(reason), "note": "what the tool had done by then is not undone"})
                }
                TaskOutcome::Unknown(why) => {
                    json!({"unknown": result.shown_text(why), "note": "the effects of the tool may or may not have happened"})
                }
            },
        }
    }

    /// True if the answer is to be flagged as an error, on providers that have a flag for it.
    #[must_use]
    pub fn is_error(&self) -> bool {
        match &self.content {
            AnswerContent::Ack(_) => false,
            AnswerContent::Report(report) => report.get("error").is_some(),
            AnswerContent::Result(result) | AnswerContent::Collapsed(result) => !result.outcome.is_completed(),
        }
    }
}

/// Content of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AnswerContent {
    /// The task goes on in the background.
    Ack(TaskAck),
    /// The task has ended.
    Result(Arc<AsyncTaskResult>),
    /// Report of the `task` tool.
    Report(Value),
    /// The task has ended, and the model is shown in one line that it has seen the result: how it ended, how large the result is, and the
    /// name by which the `task` tool shows it again. Never in a transcript: only in what is shown of one that was pruned.
    Collapsed(Arc<AsyncTaskResult>),
}

/// The conversation so far. Messages are shared, so a copy costs one pointer each. What a turn has seen is never changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transcript {
    messages: Vec<Arc<Message>>,
}

impl Transcript {
    /// The messages, oldest first.
    #[must_use]
    pub fn messages(&self) -> &[Arc<Message>] {
        &self.messages
    }

    /// Puts another message in the place of one that no turn has seen.
    pub(crate) fn replace(&mut self, place: usize, message: Message) {
        if let Some(known) = self.messages.get_mut(place) {
            *known = Arc::new(message);
        }
    }

    pub(crate) fn push_shared(&mut self, message: Arc<Message>) {
        self.messages.push(message);
    }

    pub(crate) fn push(&mut self, message: Message) {
        self.messages.push(Arc::new(message));
    }
}
