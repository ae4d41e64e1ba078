//! Number of a whole agent's turn, as it is kept in the transcript.

use serde_json::{Value, json};

use crate::context::Message;

/// The name under which a turn's number stands in the provider's part of its message.
const MARK: &str = "agent_turn";

/// The number of the turn that a message is the end of. One that was broken off has none.
pub(super) fn mark_of(message: &Message) -> Option<u64> {
    match message {
        Message::Assistant { provider, .. } => provider.as_ref()?.get(MARK)?.as_u64(),
        Message::User { .. } | Message::Answers(_) | Message::Delivery { .. } | Message::Note { .. } => None,
    }
}

pub(super) fn mark(ordinal: u64) -> Value {
    json!({MARK: ordinal})
}
