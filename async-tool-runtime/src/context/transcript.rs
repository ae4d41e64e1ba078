//! Conversation, independent of any provider.

use std::{ops::Deref, slice, sync::Arc, vec};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    content::{Attachment, Content, Media},
    id::TaskNo,
    journal::Seq,
    task::{AsyncTaskResult, TaskAck, TaskOutcome},
    tool::{CallId, ToolCall},
};

/// Message of the conversation.
///
/// ```
/// # use async_tool_runtime::{AsyncAgent, AsyncToolManager, Message, RulePlanner, async_tool, tools};
/// # /// Adds two numbers.
/// # #[async_tool(effect = "read")]
/// # fn add(a: i64, b: i64) -> i64 {
/// #     a + b
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// # let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
/// agent.send("add a=2 b=3").await?;
/// agent.run_until_idle().await?;
/// let lines: Vec<String> = agent
///     .transcript()
///     .await?
///     .iter()
///     .map(|message| match &**message {
///         Message::User { text, .. } => format!("user: {text}"),
///         Message::Assistant { text, calls, .. } => format!("model: {text} ({} calls)", calls.len()),
///         Message::Answers(answers) => format!("{} answers", answers.len()),
///         Message::Delivery { tasks, .. } => format!("{} results", tasks.len()),
///         Message::Note { text } => format!("note: {text}"),
///         _ => String::new(),
///     })
///     .collect();
/// assert_eq!((&*lines[0], &*lines[2]), ("user: add a=2 b=3", "1 answers"));
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Message {
    /// Message of the user.
    User {
        /// The text.
        text: String,
        /// Images, sounds and files in the text; [`parts`](crate::content::parts) gives both in their order.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        media: Vec<Attachment>,
    },
    /// Message of the model: one turn.
    Assistant {
        /// The text; empty for a turn of calls alone, cut short for an interrupted turn.
        text: String,
        /// The calls, in the order in which the model made them.
        calls: Vec<ToolCall>,
        /// The provider's own blocks, which the adapter sends back unchanged. `None` for an interrupted turn, because they arrive at a
        /// turn's end.
        provider: Option<Value>,
    },
    /// Answers to all calls of the message before.
    Answers(Vec<Answer>),
    /// Results that arrived after their calls were acknowledged.
    Delivery {
        /// The tasks of the results.
        tasks: Vec<TaskNo>,
        /// Records of these tasks, in the same order.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        results: Vec<Arc<AsyncTaskResult>>,
        /// The text as the model reads it, framed and escaped.
        text: String,
    },
    /// Message of the library itself, sent in the user's role.
    ///
    /// It tells the model that a turn was corrected or stopped, or, in the view of a pruned conversation, which messages were left out.
    Note {
        /// The text. It says that the user didn't write it.
        text: String,
    },
}

impl Message {
    /// Message of the user.
    ///
    /// ```
    /// use async_tool_runtime::{Message, content::Media};
    ///
    /// let photo = Media::bytes("image/png", [1, 2, 3]);
    /// let Message::User { text, media } = Message::user(photo) else { unreachable!() };
    /// assert_eq!((text.as_str(), media.len()), ("", 1));
    /// ```
    #[must_use]
    pub fn user(content: impl Into<Content>) -> Self {
        let (text, media) = content.into().into_parts();
        Self::User { text, media }
    }
}

/// Answer to one call. Each call has exactly one.
///
/// ```
/// use async_tool_runtime::context::{Answer, AnswerContent};
/// use async_tool_runtime::task::{TaskAck, TaskId, TaskNo, TaskStatus};
/// use serde_json::json;
///
/// let ack = TaskAck::new(TaskId::new(), Some(TaskNo::new(1)), "weather", json!({}).into(), TaskStatus::Running);
/// let answer = Answer::new("call_1".into(), "weather", AnswerContent::Ack(ack));
/// assert_eq!(answer.to_model_json()["status"], "running");
/// assert!(!answer.is_error());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Answer {
    /// Provider's id of the call.
    pub call: CallId,
    /// Name of the tool.
    pub tool: Arc<str>,
    /// Content of the answer.
    pub content: AnswerContent,
    /// Images, sounds and files beside a report. Those of a result are in its record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    media: Vec<Media>,
}

impl Answer {
    /// Creates an answer.
    #[must_use]
    pub fn new(call: CallId, tool: impl Into<Arc<str>>, content: AnswerContent) -> Self {
        Self {
            call,
            tool: tool.into(),
            content,
            media: Vec::new(),
        }
    }

    /// Puts images, sounds and files beside a report of the `task` tool, so that the model sees those of the results in it.
    #[must_use]
    pub fn with_media(mut self, media: Vec<Media>) -> Self {
        self.media = media;
        self
    }

    /// The media beside a report, to change them.
    pub(crate) fn media_mut(&mut self) -> &mut [Media] {
        &mut self.media
    }

    /// The answer as the model reads it.
    ///
    /// The answer to a completed call is the bare value, like that of an ordinary tool. Any other answer, and a value that is shown only
    /// in part, is an object that names its kind.
    ///
    /// ```
    /// use async_tool_runtime::context::{Answer, AnswerContent};
    /// use async_tool_runtime::task::{AsyncTaskResult, TaskOutcome, TaskSpec, Timestamp, Timing};
    /// use async_tool_runtime::{SessionId, ToolCall};
    /// use serde_json::json;
    ///
    /// # let now = Timestamp::from_millis(0);
    /// # let timing = Timing::new(now, Some(now), now);
    /// # let spec = TaskSpec::new(SessionId::new("s"), ToolCall::new("call_1", "add", json!({"a": 2, "b": 3})));
    /// let answer_of = |outcome| {
    ///     let result = AsyncTaskResult::new(&spec, outcome, timing, 1);
    ///     Answer::new("call_1".into(), "add", AnswerContent::Result(result.into())).to_model_json()
    /// };
    /// assert_eq!(answer_of(TaskOutcome::Completed(json!(5))), json!(5));
    /// assert_eq!(answer_of(TaskOutcome::Cancelled("not needed".into()))["cancelled"], "not needed");
    /// ```
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

    /// Images, sounds and files of the answer, in the order of their numbers in it. Those of a report are in the order of its tasks.
    #[must_use]
    pub fn media(&self) -> &[Media] {
        match &self.content {
            AnswerContent::Result(result) => &result.media,
            AnswerContent::Report(_) => &self.media,
            AnswerContent::Ack(_) | AnswerContent::Collapsed(_) => &[],
        }
    }

    /// True if a provider that has a flag for errors should get it with this answer.
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
///
/// ```
/// # use async_tool_runtime::{AsyncAgent, AsyncToolManager, Message, RulePlanner, async_tool, tools};
/// use async_tool_runtime::context::AnswerContent;
/// # /// Adds two numbers.
/// # #[async_tool(effect = "read")]
/// # fn add(a: i64, b: i64) -> i64 {
/// #     a + b
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// # let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
/// # agent.send("add a=2 b=3").await?;
/// # agent.run_until_idle().await?;
/// # let transcript = agent.transcript().await?;
/// # let Message::Answers(answers) = &*transcript[2] else { panic!() };
/// let shown = match &answers[0].content {
///     AnswerContent::Ack(ack) => format!("{} runs", ack.tool),
///     AnswerContent::Result(result) | AnswerContent::Collapsed(result) => format!("{} is {}", result.tool, result.status()),
///     AnswerContent::Report(report) => format!("report: {report}"),
///     _ => String::new(),
/// };
/// assert_eq!(shown, "add is completed");
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AnswerContent {
    /// Acknowledgement: the task runs in the background.
    Ack(TaskAck),
    /// Result of an ended task.
    Result(Arc<AsyncTaskResult>),
    /// Report of the `task` tool.
    Report(Value),
    /// Result that the model has seen before, shown as one line.
    ///
    /// The line has the task's status, the size of the result, and the name by which the `task` tool shows it again. It occurs only in
    /// the view of a pruned conversation, never in a transcript.
    Collapsed(Arc<AsyncTaskResult>),
}

/// Conversation up to an entry of the journal.
///
/// Messages are shared, so a copy costs one pointer each. A message that a turn has seen never changes. As JSON it is
/// `{"seq": 12, "messages": […]}`.
///
/// ```
/// use async_tool_runtime::agent::Ledger;
/// use async_tool_runtime::{Message, journal::{Entry, Format}, task::Timestamp};
///
/// # let at = Timestamp::from_millis(0);
/// let journal = [Entry::Opened { format: Format::CURRENT, nonce: "n".into(), works_for: None, at }, Entry::UserMessage { text: "hello".into(), media: Vec::new(), traceparent: None, at }];
/// let ledger = Ledger::fold(&journal)?;
/// let messages = ledger.transcript().messages();
/// assert_eq!(*messages[0], Message::user("hello"));
/// assert_eq!(ledger.transcript().seq().as_u64(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    seq: Seq,
    messages: Vec<Arc<Message>>,
}

impl Transcript {
    /// Creates an empty transcript up to an entry.
    pub(crate) const fn at(seq: Seq) -> Self {
        Self {
            seq,
            messages: Vec::new(),
        }
    }

    /// Last entry that the transcript covers. [`events_after`](crate::AsyncAgent::events_after) it tells all that follows.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.seq
    }

    /// The same messages, of which only the entries up to this one are sure.
    pub(crate) fn known_at(mut self, seq: Seq) -> Self {
        self.seq = self.seq.min(seq);
        self
    }

    /// Notes that the transcript covers one more entry.
    pub(crate) const fn advance(&mut self) {
        self.seq = self.seq.next();
    }

    /// Messages, oldest first.
    #[must_use]
    pub fn messages(&self) -> &[Arc<Message>] {
        &self.messages
    }

    /// True if the user said something after the model's last turn.
    pub(crate) fn ends_with_user(&self) -> bool {
        let last = self.messages.iter().rev();
        let mut later = last.take_while(|message| !matches!(***message, Message::Assistant { .. }));
        later.any(|message| matches!(**message, Message::User { .. }))
    }

    /// Replaces a message that no turn has seen.
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

/// The messages, oldest first.
impl Deref for Transcript {
    type Target = [Arc<Message>];

    fn deref(&self) -> &[Arc<Message>] {
        &self.messages
    }
}

impl IntoIterator for Transcript {
    type Item = Arc<Message>;
    type IntoIter = vec::IntoIter<Arc<Message>>;

    fn into_iter(self) -> Self::IntoIter {
        self.messages.into_iter()
    }
}

impl<'a> IntoIterator for &'a Transcript {
    type Item = &'a Arc<Message>;
    type IntoIter = slice::Iter<'a, Arc<Message>>;

    fn into_iter(self) -> Self::IntoIter {
        self.messages.iter()
    }
}
