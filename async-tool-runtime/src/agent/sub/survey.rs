//! State of a sub-agent's session, as its journal has it.

use std::sync::Arc;

use crate::{
    agent::{AgentPolicy, Ledger},
    context::Message,
    tool::DeliveryPolicy,
};

/// State of a session in its journal.
pub(in crate::agent) struct Survey {
    pub(in crate::agent) is_closed: bool,
    /// End of the agent's work; `None` if the session has not begun to close.
    pub(in crate::agent) end: Option<End>,
}

/// End of a sub-agent's work.
pub(in crate::agent) enum End {
    /// It finished, with this text.
    Said(String),
    /// It finished with an empty turn.
    Nothing,
    /// It was stopped before it had finished, or its model had failed.
    CutShort,
}

impl End {
    /// End of a session that has this state when it begins to close.
    pub(in crate::agent) fn of(ledger: &Ledger, policy: &AgentPolicy) -> Self {
        let messages = ledger.transcript().messages();
        let is_told = messages.iter().any(|message| matches!(**message, Message::User { .. }));
        let delivery_of = |number, tool: &str| {
            let set = ledger.tasks().get(&number).and_then(|record| record.delivery);
            set.unwrap_or_else(|| policy.delivery_of(tool))
        };
        let mut untold = ledger.inbox();
        let is_done = is_told
            && !ledger.is_unanswered()
            && ledger.open_turn().is_none()
            && ledger.open_tasks().next().is_none()
            && untold.all(|(number, result)| delivery_of(number, &result.tool) == DeliveryPolicy::Silent);
        match is_done {
            false => Self::CutShort,
            true if ledger.has_ended_empty() => Self::Nothing,
            true => Self::Said(last_words(messages)),
        }
    }
}

/// Last text of an agent.
pub(super) fn last_words(messages: &[Arc<Message>]) -> String {
    let texts = messages.iter().rev().filter_map(|message| match &**message {
        Message::Assistant { text, .. } if !text.is_empty() => Some(text.clone()),
        Message::Assistant { .. }
        | Message::User { .. }
        | Message::Answers(_)
        | Message::Delivery { .. }
        | Message::Note { .. } => None,
    });
    texts.into_iter().next().unwrap_or_default()
}
