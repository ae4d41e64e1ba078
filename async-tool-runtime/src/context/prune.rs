//! Pruning of a conversation.

use std::{ops::Range, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Message, collapse::collapse};

/// Policy of pruning: its budget, and its extent.
///
/// ```
/// use async_tool_runtime::context::PrunePolicy;
///
/// let policy = PrunePolicy::new(60_000);
/// assert_eq!((policy.target, policy.keep_recent), (36_000, 4));
/// let policy = policy.with_target(45_000).with_keep_recent(2);
/// # assert_eq!((policy.budget, policy.target, policy.keep_recent), (60_000, 45_000, 2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrunePolicy {
    /// Budget of a request in tokens, with the system prompt and the tools: the model's context, less the room for what it is to
    /// say. Default: 100,000, which leaves a fifth of a context of 128,000.
    pub budget: usize,
    /// Size after a pruning, in tokens. Default: 60 % of the budget.
    ///
    /// Every pruning costs the provider's prompt cache. The further it goes, the longer the next one is off.
    pub target: usize,
    /// Turns at the end that stay as they are. Default: 4. Unanswered messages always stay.
    pub keep_recent: usize,
}

impl PrunePolicy {
    /// The defaults, for a budget in tokens.
    #[must_use]
    pub const fn new(budget: usize) -> Self {
        Self {
            budget,
            target: (budget / 5).saturating_mul(3),
            keep_recent: 4,
        }
    }

    /// The same policy, which prunes down to `target` tokens; to the budget if that is less.
    #[must_use]
    pub const fn with_target(mut self, target: usize) -> Self {
        self.target = target;
        self
    }

    /// The same policy, which leaves the last `turns` turns as they are.
    #[must_use]
    pub const fn with_keep_recent(mut self, turns: usize) -> Self {
        self.keep_recent = turns;
        self
    }
}

impl Default for PrunePolicy {
    fn default() -> Self {
        Self::new(100_000)
    }
}

/// Extent to which a conversation has been pruned. With the transcript, it is enough to show the model the same again.
///
/// The two numbers are places in [`Transcript::messages`](super::Transcript::messages), each the end of a turn: the model's message, with
/// the answers to its calls if it made any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Pruned {
    /// The results in the messages before this one are shown as one line each.
    pub collapsed: usize,
    /// The messages before this one are left out, but for those of the user that the rest builds on.
    pub dropped: usize,
    /// Status of the background tasks when it was pruned. It stays as it was written: a text that changed would cost the prompt cache of all
    /// that stands behind it.
    pub status: String,
}

impl Pruned {
    /// True if nothing has been pruned.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.collapsed == 0 && self.dropped == 0
    }

    /// True if a conversation that is pruned this far can be pruned as far as `next`: to the ends of turns, and never back.
    #[must_use]
    pub fn allows(&self, next: &Self, messages: &[Arc<Message>]) -> bool {
        self.collapsed <= next.collapsed
            && self.dropped <= next.dropped
            && next.dropped <= next.collapsed
            && is_boundary(messages, next.collapsed)
            && is_boundary(messages, next.dropped)
    }

    /// Messages in place of those before [`collapsed`](Self::collapsed), and the position where the others go on.
    ///
    /// A marker that isn't one of this transcript's is taken for the nearest one before it, so that no call is parted from its answer.
    pub(super) fn lead(&self, messages: &[Arc<Message>]) -> (Vec<Arc<Message>>, usize) {
        if self.is_nothing() {
            return (Vec::new(), 0);
        }
        let dropped = boundary_before(messages, self.dropped);
        let collapsed = boundary_before(messages, self.collapsed.max(dropped));
        let mut lead = Vec::new();
        let first = messages.first().filter(|message| is_user(message));
        lead.extend(first.cloned());
        let first = lead.len();
        let request = Request::before(messages, dropped).kept(messages, dropped);
        let left_out = dropped.saturating_sub(first + request.len());
        lead.push(Arc::new(note(left_out, &self.status)));
        lead.extend(request.map(|index| Arc::clone(&messages[index])));
        lead.extend(messages[dropped.max(first)..collapsed.max(first)].iter().map(collapse));
        (lead, collapsed.max(first))
    }
}

/// View of a conversation that has been pruned this far.
///
/// The messages of the transcript from [`Pruned::collapsed`] on are shown as they are, so that until the next pruning a view only grows
/// at its end. Before them stand
///
/// 1. the first message, if it is the user's: what the conversation is for;
/// 2. a [`Message::Note`]: how many messages are left out, and what ran when they were;
/// 3. where messages are left out in the middle of what a user asked for: that request;
/// 4. the messages from [`Pruned::dropped`] on, the results in them as one line each. A result that is hardly longer than
///    that stays.
///
/// The note never stands behind the answers to calls. Models that see text there learn to end their turns, and some providers refuse
/// it.
#[must_use]
pub fn pruned_view(messages: &[Arc<Message>], pruned: &Pruned) -> Vec<Arc<Message>> {
    let (mut view, next) = pruned.lead(messages);
    view.extend_from_slice(&messages[next..]);
    view
}

pub(super) fn note(left_out: usize, status: &str) -> Message {
    let mut text = "This note was written by the system that runs the conversation, not by the user.".to_owned();
    if left_out > 0 {
        let what = if left_out == 1 {
            "1 message was"
        } else {
            "messages were"
        };
        let count = if left_out == 1 {
            String::new()
        } else {
            format!("{left_out} ")
        };
        text.push_str(&format!(
            " To keep the conversation short, {count}{what} left out here."
        ));
    }
    text.push_str(" Older results are shown as one line each; the tool `task` shows them again.");
    if !status.is_empty() {
        text.push('\n');
        text.push_str(status);
    }
    Message::Note { text }
}

/// True if a turn ends before this place, or nothing stands before it.
pub(super) fn is_boundary(messages: &[Arc<Message>], place: usize) -> bool {
    match place.checked_sub(1) {
        None => true,
        Some(last) => messages.get(last).is_some_and(|message| match &**message {
            Message::Answers(_) => true,
            Message::Assistant { calls, .. } => calls.is_empty(),
            Message::User { .. } | Message::Delivery { .. } | Message::Note { .. } => false,
        }),
    }
}

/// The last end of a turn up to this place.
pub(super) fn boundary_before(messages: &[Arc<Message>], place: usize) -> usize {
    let place = place.min(messages.len());
    (0..=place)
        .rev()
        .find(|place| is_boundary(messages, *place))
        .unwrap_or_default()
}

pub(super) fn is_user(message: &Message) -> bool {
    matches!(message, Message::User { .. })
}

/// The messages in which the user said last what is wanted, one after the other. Not the first message, which stays anyway.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Request {
    start: usize,
    end: usize,
}

impl Request {
    /// The last one before this place.
    pub(super) fn before(messages: &[Arc<Message>], place: usize) -> Self {
        let end = messages[..place].iter().rposition(|message| is_user(message));
        let end = end.map_or(0, |last| last + 1);
        let others = messages[..end].iter().rev();
        let start = end - others.take_while(|message| is_user(message)).count();
        Self { start, end }
    }

    /// The last one before the place behind `index`, if this is the last one before `index`.
    pub(super) fn pass(&mut self, messages: &[Arc<Message>], index: usize) {
        if is_user(&messages[index]) {
            if self.end != index {
                self.start = index;
            }
            self.end = index + 1;
        }
    }

    /// Part of it that stays if the messages before `dropped` are left out: all, if the message there goes on with it.
    pub(super) fn kept(&self, messages: &[Arc<Message>], dropped: usize) -> Range<usize> {
        let goes_on = messages.get(dropped).is_some_and(|message| !is_user(message));
        if goes_on {
            self.start.max(1)..self.end.max(1)
        } else {
            0..0
        }
    }
}
