//! Input of a custom agent's turn.

use std::sync::Arc;

use serde_json::{Value, json};

use super::turn_mark::mark_of;
use crate::{
    content::{Attachment, Media, MediaRules, shown},
    context::{AnswerContent, Message, Said, SaidPart, frame_results},
    model::ModelRequest,
    session::SessionId,
    task::{AsyncTaskResult, TaskAck},
    tool::{CallId, ToolCall, ToolDefinition},
    wording::Wording,
};

/// Input of an [`Agent`](super::Agent) for a turn: everything new since its last completed turn.
///
/// ```
/// # use async_tool_runtime::{
/// #     agent::custom::{Agent, TurnContext, TurnInput, TurnReply},
/// #     async_tool, model::ModelError, tools, AsyncAgent, AsyncToolManager,
/// # };
/// # /// Adds two numbers.
/// # #[async_tool(effect = "read")]
/// # fn add(a: i64, b: i64) -> i64 { a + b }
/// # struct Clerk;
/// impl Agent for Clerk {
///     type Error = ModelError;
///
///     async fn turn(&mut self, input: TurnInput, _cx: TurnContext) -> Result<TurnReply, ModelError> {
///         let tools: Vec<_> = input.tools().iter().map(|tool| &*tool.name).collect();
///         Ok(format!("turn {}, {:?}, tools: {}", input.ordinal(), input.to_text(), tools.join(", ")).into())
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// let agent = AsyncAgent::wrap(Clerk, manager).task_tool(false).start().await?;
/// assert_eq!(agent.run_to_completion("hello").await?.text, r#"turn 1, "hello", tools: add"#);
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TurnInput {
    request: ModelRequest,
    ordinal: u64,
    is_repeated: bool,
    items: Vec<TurnItem>,
}

/// Item of an input.
///
/// ```
/// # use async_tool_runtime::{
/// #     agent::custom::{Agent, TurnContext, TurnInput, TurnItem, TurnReply},
/// #     async_tool, model::ModelError, tools, AsyncAgent, AsyncToolManager,
/// # };
/// # use serde_json::json;
/// # /// Adds two numbers.
/// # #[async_tool(effect = "read")]
/// # fn add(a: i64, b: i64) -> i64 { a + b }
/// # struct Clerk;
/// impl Agent for Clerk {
///     type Error = ModelError;
///
///     async fn turn(&mut self, input: TurnInput, cx: TurnContext) -> Result<TurnReply, ModelError> {
///         let mut reply = String::new();
///         for item in input.items() {
///             match item {
///                 TurnItem::User { .. } => drop(cx.call("add", json!({"a": 2, "b": 3}))?),
///                 TurnItem::Acknowledged { ack, .. } => reply += &format!("{} runs", ack.tool),
///                 TurnItem::Results { results, .. } => reply += &format!("{} is done", results[0].tool),
///                 _ => {}
///             }
///         }
///         Ok(reply.into())
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// # let agent = AsyncAgent::wrap(Clerk, manager).start().await?;
/// assert_eq!(agent.run_to_completion("hello").await?.text, "add is done");
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TurnItem {
    /// User message.
    User {
        /// Text of the message.
        text: String,
        /// Images, sounds and files in the text.
        media: Vec<Attachment>,
    },
    /// Acknowledgement of a call: its task goes on in the background, and has a number now.
    Acknowledged {
        /// Id of the call, as in its [receipt](super::CallReceipt).
        call: CallId,
        /// Acknowledgement, with the task's number.
        ack: TaskAck,
    },
    /// Results of tasks that have ended.
    Results {
        /// Records of the tasks, in the order in which they came.
        results: Vec<Arc<AsyncTaskResult>>,
        /// The same as text for a model: escaped, framed by a tag that can't be forged, and truncated if a result is
        /// too large.
        text: String,
    },
    /// Answer to a call of the `task` tool.
    Report {
        /// Id of the call, as in its [receipt](super::CallReceipt).
        call: CallId,
        /// Content of the answer.
        content: Value,
        /// Images, sounds and files of the results in the answer.
        media: Vec<Media>,
    },
    /// Note of the library itself, for example that it corrected a turn.
    Note {
        /// Text of the note.
        text: String,
    },
    /// The last turn was interrupted: by a result or a message, which is in the input, too, or by the host. This part of that turn stands,
    /// and the input of that turn comes again. After a message or the host, a [note](Self::Note) says so.
    Interrupted {
        /// Text of the interrupted turn, which the user has seen.
        text: String,
        /// Calls of the interrupted turn, which have run. Don't make them again.
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

    /// Id of the session.
    #[must_use]
    pub const fn session(&self) -> &SessionId {
        &self.request.session
    }

    /// Number of the turn among the completed turns, from 1. A repeated turn has the same number as before.
    #[must_use]
    pub const fn ordinal(&self) -> u64 {
        self.ordinal
    }

    /// True if this agent began this turn before and did not complete it.
    #[must_use]
    pub const fn is_repeated(&self) -> bool {
        self.is_repeated
    }

    /// New items, oldest first.
    #[must_use]
    pub fn items(&self) -> &[TurnItem] {
        &self.items
    }

    /// User messages, with an empty line between them. Empty if there are none.
    #[must_use]
    pub fn user_text(&self) -> String {
        let texts = self.items.iter().filter_map(|item| match item {
            TurnItem::User { text, .. } => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("\n\n")
    }

    /// New results.
    pub fn results(&self) -> impl Iterator<Item = &Arc<AsyncTaskResult>> {
        self.items.iter().flat_map(|item| match item {
            TurnItem::Results { results, .. } => results.as_slice(),
            _ => &[],
        })
    }

    /// Everything new as one text, for an agent that takes nothing else. It omits acknowledgements, because a receipt
    /// says the same.
    ///
    /// User messages are unchanged, and results are in their frames. Pass the text on whole, as a user message.
    #[must_use]
    pub fn to_text(&self) -> String {
        let texts = self.items.iter().filter_map(TurnItem::to_text);
        texts.collect::<Vec<_>>().join("\n\n")
    }

    /// As [`to_text`](Self::to_text), with the images, sounds and files that the agent takes. A description stands in place of the others.
    ///
    /// Media of results come after the text of the results, each behind a line that names its task.
    ///
    /// ```
    /// # use async_tool_runtime::{
    /// #     agent::custom::{Agent, TurnContext, TurnInput, TurnReply},
    /// #     model::ModelError, AsyncAgent, AsyncToolManager,
    /// # };
    /// use async_tool_runtime::{content::{Content, Media, MediaRule, MediaRules}, context::SaidPart};
    ///
    /// const IMAGES: MediaRules = MediaRules::of(&[MediaRule::new("image/*")]);
    ///
    /// struct Viewer;
    ///
    /// impl Agent for Viewer {
    ///     type Error = ModelError;
    ///
    ///     fn media(&self) -> MediaRules {
    ///         IMAGES
    ///     }
    ///
    ///     async fn turn(&mut self, input: TurnInput, _cx: TurnContext) -> Result<TurnReply, ModelError> {
    ///         let parts = input.said(&IMAGES);
    ///         let images = parts.iter().filter(|part| matches!(part, SaidPart::Media(_))).count();
    ///         Ok(format!("{images} image").into())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().build()?;
    /// # let agent = AsyncAgent::wrap(Viewer, manager).start().await?;
    /// let photo = Content::from("Look: ").with(Media::bytes("image/png", [1]));
    /// assert_eq!(agent.run_to_completion(photo).await?.text, "1 image");
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn said(&self, rules: &MediaRules) -> Vec<SaidPart<'_>> {
        let mut said = Said::default();
        for item in &self.items {
            let text = match item {
                TurnItem::User { .. } => Some(String::new()),
                other => other.to_text(),
            };
            let Some(text) = text else { continue };
            if !said.is_empty() {
                said.text("\n\n");
            }
            match item {
                TurnItem::User { text, media } => said.content(text, media, rules),
                TurnItem::Results { results, .. } => {
                    said.text(&text);
                    said.results(results.iter().map(|result| &**result), rules);
                }
                TurnItem::Report { media, .. } => {
                    said.text(&text);
                    said.all(media, rules);
                }
                _ => said.text(&text),
            }
        }
        said.into_parts()
    }

    /// Whole conversation, with the new messages. For an agent without a memory, or to restore a memory after a
    /// restart.
    #[must_use]
    pub fn conversation(&self) -> &[Arc<Message>] {
        &self.request.messages
    }

    /// System prompt of the session, if it has one.
    #[must_use]
    pub fn system(&self) -> Option<&str> {
        self.request.system.as_deref()
    }

    /// Tools for calls in the background.
    #[must_use]
    pub fn tools(&self) -> &Arc<[ToolDefinition]> {
        &self.request.tools
    }
}

impl TurnItem {
    fn to_text(&self) -> Option<String> {
        match self {
            Self::User { text, media } => Some(shown(text, media)),
            Self::Results { text, .. } | Self::Note { text } => Some(text.clone()),
            Self::Report { call, content, .. } => Some(json!({"call": call, "answer": content}).to_string()),
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
        Message::User { text, media } => vec![TurnItem::User {
            text: text.clone(),
            media: media.clone(),
        }],
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
                        media: answer.media().to_vec(),
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
        Message::Delivery { results, text, .. } => {
            // The agent knows its calls by their ids, and may not have them in view.
            let full = framed(results, nonce);
            let (head, frame) = (text.lines().next(), full.split_once('\n'));
            vec![TurnItem::Results {
                results: results.clone(),
                text: match (head, frame) {
                    (Some(head), Some((_, frame))) if !results.is_empty() => format!("{head}\n{frame}"),
                    _ => text.clone(),
                },
            }]
        }
    }
}

/// Frames results that came as answers like those of a delivery, so that a custom agent gets both in the same form.
fn framed(results: &[Arc<AsyncTaskResult>], nonce: &str) -> String {
    frame_results(nonce, results, &Wording::default())
}
