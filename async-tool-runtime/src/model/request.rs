//! One turn's question.

use std::sync::Arc;

use crate::{context::Message, session::SessionId, tool::ToolDefinition};

/// Request of one turn.
///
/// Tools and system prompt are the same bytes in every turn of a session, and messages are only added, but for the few times when the
/// conversation is pruned; so a provider's prompt cache stays warm.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ModelRequest {
    /// The conversation.
    pub session: SessionId,
    /// The system prompt.
    pub system: Option<Arc<str>>,
    /// The conversation so far. Every call in it has exactly one answer, directly after the message that made it.
    pub messages: Vec<Arc<Message>>,
    /// Tools that the model can call.
    pub tools: Arc<[ToolDefinition]>,
}

impl ModelRequest {
    /// A request without a system prompt.
    #[must_use]
    pub fn new(session: SessionId, messages: Vec<Arc<Message>>, tools: Arc<[ToolDefinition]>) -> Self {
        Self {
            session,
            system: None,
            messages,
            tools,
        }
    }

    /// The same request with a system prompt.
    #[must_use]
    pub fn with_system(mut self, system: Option<Arc<str>>) -> Self {
        self.system = system;
        self
    }

    /// The text of the last user message, if there is one.
    #[must_use]
    pub fn last_user_text(&self) -> Option<&str> {
        self.messages.iter().rev().find_map(|message| match &**message {
            Message::User { text } => Some(text.as_str()),
            Message::Assistant { .. } | Message::Answers(_) | Message::Delivery { .. } | Message::Note { .. } => None,
        })
    }
}
