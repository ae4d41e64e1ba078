//! Request of one turn.

use std::sync::Arc;

use crate::{context::Message, session::SessionId, tool::ToolDefinition};

/// Request of one turn.
///
/// Tools and system prompt are the same bytes in every turn of a session. Messages are only added, except when the conversation
/// is pruned. So a provider's prompt cache stays warm.
///
/// ```
/// use async_tool_runtime::{Message, SessionId, model::ModelRequest};
/// use std::sync::Arc;
///
/// let message = Message::user("hello");
/// let request = ModelRequest::new(SessionId::new("s"), vec![Arc::new(message)], Arc::new([]))
///     .with_system(Some("Answer in one sentence.".into()));
/// assert_eq!(request.system.as_deref(), Some("Answer in one sentence."));
/// assert_eq!((request.messages.len(), request.tools.len()), (1, 0));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ModelRequest {
    /// Id of the conversation.
    pub session: SessionId,
    /// System prompt.
    pub system: Option<Arc<str>>,
    /// Messages so far. Every call has exactly one answer, directly after the message with the call.
    pub messages: Vec<Arc<Message>>,
    /// Tools that the model can call.
    pub tools: Arc<[ToolDefinition]>,
}

impl ModelRequest {
    /// Creates a request without a system prompt.
    #[must_use]
    pub fn new(session: SessionId, messages: Vec<Arc<Message>>, tools: Arc<[ToolDefinition]>) -> Self {
        Self {
            session,
            system: None,
            messages,
            tools,
        }
    }

    /// Sets the system prompt.
    #[must_use]
    pub fn with_system(mut self, system: Option<Arc<str>>) -> Self {
        self.system = system;
        self
    }

    /// Text of the last user message, if there is one.
    ///
    /// ```
    /// use async_tool_runtime::{Message, SessionId, model::ModelRequest};
    /// use std::sync::Arc;
    ///
    /// let user = |text: &str| Arc::new(Message::user(text));
    /// let request = ModelRequest::new(SessionId::new("s"), vec![user("hello"), user("help")], Arc::new([]));
    /// assert_eq!(request.last_user_text(), Some("help"));
    /// ```
    #[must_use]
    pub fn last_user_text(&self) -> Option<&str> {
        self.messages.iter().rev().find_map(|message| match &**message {
            Message::User { text, .. } => Some(text.as_str()),
            Message::Assistant { .. } | Message::Answers(_) | Message::Delivery { .. } | Message::Note { .. } => None,
        })
    }
}
