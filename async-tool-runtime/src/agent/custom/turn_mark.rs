//! Number of a custom agent's turn, stored in the transcript.

use serde_json::{Value, json};

use crate::context::Message;

/// Key of the turn number in the provider's part of a message.
const MARK: &str = "agent_turn";

/// Number of the turn that ends with this message; `None` for an interrupted turn.
pub(super) fn mark_of(message: &Message) -> Option<u64> {
    match message {
        Message::Assistant { provider, .. } => provider.as_ref()?.get(MARK)?.as_u64(),
        Message::User { .. } | Message::Answers(_) | Message::Delivery { .. } | Message::Note { .. } => None,
    }
}

/// True if a custom agent made the turn with these blocks. It may say nothing, and is not asked again.
pub(crate) fn is_of_agent(provider: Option<&Value>) -> bool {
    provider.is_some_and(|blocks| blocks.get(MARK).is_some())
}

pub(super) fn mark(ordinal: u64) -> Value {
    json!({MARK: ordinal})
}
