//! Pruning of a conversation.

use std::{ops::Range, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Message, collapse::collapse, cut::cut};

/// Limits of pruning: its budget, its target and the turns that it keeps.
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
    /// Most tokens of a request, including the system prompt and the tools. Default: 100,000.
    ///
    /// The model's context, less the room for its answer. The default leaves a fifth of a context of 128,000.
    pub budget: usize,
    /// Size after a pruning, in tokens. Default: 60 % of the budget.
    ///
    /// Each pruning invalidates the provider's prompt cache. A lower target delays the next pruning.
    pub target: usize,
    /// Number of turns at the end that are never pruned. Default: 4. Unanswered messages always stay.
    pub keep_recent: usize,
}

impl PrunePolicy {
    /// Least size of a bound, in bytes: a preview and its note take some hundred bytes.
    const LEAST: usize = 4 * 1024;

    /// Largest result that the model is shown whole, in bytes of JSON, if neither its tool nor the manager sets a limit: half as many
    /// bytes as the budget has tokens, and at least 4 KiB.
    ///
    /// That is an eighth of the budget for English text, and never more than a half, because no text has more tokens than bytes. With
    /// the default budget: 50,000 bytes.
    ///
    /// ```
    /// use async_tool_runtime::context::PrunePolicy;
    ///
    /// assert_eq!(PrunePolicy::default().result_limit(), 50_000);
    /// assert_eq!(PrunePolicy::new(500).result_limit(), 4_096);
    /// ```
    #[must_use]
    pub const fn result_limit(&self) -> usize {
        let half = self.budget / 2;
        if half < Self::LEAST { Self::LEAST } else { half }
    }

    /// Most bytes of JSON that all results of one request together add, unless a tool has a larger limit of its own: twice the
    /// [`result_limit`](Self::result_limit). The largest results are cut first.
    ///
    /// Very many results exceed it, because of each at least 512 bytes are shown.
    #[must_use]
    pub const fn turn_limit(&self) -> usize {
        self.result_limit().saturating_mul(2)
    }

    /// Creates a policy with this budget in tokens and the default target and turns.
    #[must_use]
    pub const fn new(budget: usize) -> Self {
        Self {
            budget,
            target: (budget / 5).saturating_mul(3),
            keep_recent: 4,
        }
    }

    /// Sets the size after a pruning, in tokens. A target above the budget means the budget.
    #[must_use]
    pub const fn with_target(mut self, target: usize) -> Self {
        self.target = target;
        self
    }

    /// Sets the number of turns at the end that are never pruned.
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

/// Extent of a pruning. Together with the transcript, it determines what the model sees.
///
/// The two numbers are positions in [`Transcript::messages`](super::Transcript::messages). Each is the end of a turn: after the
/// model's message, or after the answers to its calls if it made any.
///
/// ```
/// use async_tool_runtime::{Message, context::{ContextWindow, PrunePolicy, pruned_view}};
/// # use serde_json::json;
/// # use std::sync::Arc;
///
/// # let turn = |text: &str| -> [Message; 2] {
/// #     let reply = json!({"assistant": {"text": "an answer. ".repeat(20), "calls": [], "provider": null}});
/// #     [Message::user(text), serde_json::from_value(reply).unwrap()]
/// # };
/// # let messages: Vec<Arc<Message>> = (0..20).flat_map(|n| turn(&format!("question {n}"))).map(Arc::new).collect();
/// let mut window = ContextWindow::new(PrunePolicy::new(500));
/// let pruned = window.plan(&messages, &Default::default(), 0, String::new).expect("20 turns exceed 500 tokens");
/// assert!(0 < pruned.dropped && pruned.dropped <= pruned.collapsed);
///
/// // Kept with the transcript, it gives the same view in another process.
/// let stored = serde_json::to_string(&pruned)?;
/// assert_eq!(pruned_view(&messages, &serde_json::from_str(&stored)?), window.view(&messages, &pruned));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Pruned {
    /// Position before which each result is shown as one line, and images, sounds and files are described.
    pub collapsed: usize,
    /// Position before which messages are left out, except the user messages on which the rest builds.
    pub dropped: usize,
    /// Status of the background tasks at the time of the pruning. It is never updated, because a change would invalidate the prompt
    /// cache of everything after it.
    pub status: String,
    /// Messages whose large parts are shown only in part, by position.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cuts: Vec<Cut>,
}

/// Message of a transcript whose large parts are shown only in part.
///
/// Results, errors, reports, arguments and texts are parts. Results are kept whole: the `task` tool reads the rest.
///
/// ```
/// use async_tool_runtime::{Message, context::{Cut, Pruned, pruned_view}};
/// use std::sync::Arc;
///
/// let messages = [Arc::new(Message::user("word ".repeat(1_000)))];
/// let mut pruned = Pruned::default();
/// pruned.cuts = vec![Cut::new(0, 600)];
/// let view = pruned_view(&messages, &pruned);
/// assert!(matches!(&*view[0], Message::User { text, .. } if text.ends_with("the whole text has 5000 bytes]")));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Cut {
    /// Position of the message.
    pub message: usize,
    /// Most bytes of JSON that are shown of each part. Zero: results are shown as one line each.
    pub bytes: usize,
}

impl Cut {
    /// Cuts the parts of the message at this position to this many bytes.
    #[must_use]
    pub const fn new(message: usize, bytes: usize) -> Self {
        Self { message, bytes }
    }
}

impl Pruned {
    /// True if nothing has been pruned.
    const fn is_nothing(&self) -> bool {
        self.collapsed == 0 && self.dropped == 0
    }

    /// True if a conversation pruned this far can be pruned to `next`: only to the ends of turns, and never back.
    ///
    /// ```
    /// use async_tool_runtime::{Message, context::Pruned};
    /// use std::sync::Arc;
    ///
    /// let messages = [Arc::new(Message::user("hello"))];
    /// let mut next = Pruned::default();
    /// next.collapsed = 1; // in the middle of a turn: the model has not answered
    /// assert!(!Pruned::default().allows(&next, &messages));
    /// assert!(Pruned::default().allows(&Pruned::default(), &messages));
    /// ```
    #[must_use]
    pub fn allows(&self, next: &Self, messages: &[Arc<Message>]) -> bool {
        self.collapsed <= next.collapsed
            && self.dropped <= next.dropped
            && next.dropped <= next.collapsed
            && is_boundary(messages, next.collapsed)
            && is_boundary(messages, next.dropped)
            && self.allows_cuts(next)
            && next.cuts.last().is_none_or(|last| last.message < messages.len())
    }

    /// True if `next` shows no part larger than this pruning does, except of messages that it leaves out.
    fn allows_cuts(&self, next: &Self) -> bool {
        let goes_on = |cut: &Cut| match next.cut_of(cut.message) {
            Some(bytes) => bytes <= cut.bytes,
            None => cut.message < next.dropped,
        };
        next.cuts.is_sorted_by(|one, other| one.message < other.message) && self.cuts.iter().all(goes_on)
    }

    /// Most bytes that are shown of each part of a message; `None` if it is shown whole.
    pub(super) fn cut_of(&self, message: usize) -> Option<usize> {
        let place = self.cuts.binary_search_by_key(&message, |cut| cut.message);
        Some(self.cuts.get(place.ok()?)?.bytes)
    }

    /// Sets the cut of a message.
    pub(super) fn set_cut(&mut self, message: usize, bytes: usize) {
        match self.cuts.binary_search_by_key(&message, |cut| cut.message) {
            Ok(place) => self.cuts[place].bytes = bytes,
            Err(place) => self.cuts.insert(place, Cut::new(message, bytes)),
        }
    }

    /// Forgets the cuts of messages that are left out, so that the marker stays small. User messages can stay in view.
    pub(super) fn forget_cuts(&mut self, messages: &[Arc<Message>]) {
        let dropped = self.dropped;
        let stays =
            |cut: &Cut| cut.message >= dropped || messages.get(cut.message).is_some_and(|message| is_user(message));
        self.cuts.retain(stays);
    }

    /// Message at a position as the model sees it, before it is collapsed.
    pub(super) fn shown(&self, messages: &[Arc<Message>], index: usize) -> Arc<Message> {
        match self.cut_of(index) {
            Some(bytes) => cut(&messages[index], bytes),
            None => Arc::clone(&messages[index]),
        }
    }

    /// Messages in place of those before [`collapsed`](Self::collapsed), and the position of the first unchanged message.
    ///
    /// A position inside a turn is moved back to the end of the turn before, so that no call is separated from its answer.
    pub(super) fn lead(&self, messages: &[Arc<Message>]) -> (Vec<Arc<Message>>, usize) {
        if self.is_nothing() {
            return (Vec::new(), 0);
        }
        let dropped = boundary_before(messages, self.dropped);
        let collapsed = boundary_before(messages, self.collapsed.max(dropped));
        let mut lead = Vec::new();
        if messages.first().is_some_and(|message| is_user(message)) {
            lead.push(self.shown(messages, 0));
        }
        let first = lead.len();
        let request = Request::before(messages, dropped).kept(messages, dropped);
        let left_out = dropped.saturating_sub(first + request.len());
        lead.push(Arc::new(note(left_out, &self.status)));
        lead.extend(request.map(|index| self.shown(messages, index)));
        let seen = dropped.max(first)..collapsed.max(first);
        lead.extend(seen.map(|index| collapse(&self.shown(messages, index))));
        (lead, collapsed.max(first))
    }
}

/// Returns the view of a conversation that has been pruned this far.
///
/// Messages from [`Pruned::collapsed`] on are unchanged, except for their [cuts](Pruned::cuts). So a view only grows at its end until
/// the next pruning. Before them come
///
/// 1. the first message, if it is the user's, because it usually states the purpose of the conversation;
/// 2. a [`Message::Note`] with the number of messages left out, and the status of the background tasks at that time;
/// 3. the user's current request, if messages between it and its answer are left out;
/// 4. the messages from [`Pruned::dropped`] on, with each result as one line, and descriptions in place of images, sounds and files. A result
///    that is hardly longer stays.
///
/// The note never follows the answers to calls. Models that see text there learn to end their turns early, and some providers refuse
/// it.
///
/// ```
/// use async_tool_runtime::{Message, context::{Pruned, pruned_view}};
/// # use std::sync::Arc;
///
/// # let assistant = |text: &str| serde_json::from_value(serde_json::json!({"assistant": {"text": text, "calls": [], "provider": null}}));
/// # let messages: Vec<Arc<Message>> = [
/// #     Message::user("one"), assistant("first")?, Message::user("two"), assistant("second")?,
/// # ].map(Arc::new).into();
/// let mut pruned = Pruned::default();
/// (pruned.collapsed, pruned.dropped) = (2, 2); // the first turn
/// let view = pruned_view(&messages, &pruned);
/// assert_eq!(view[0], messages[0]); // the user's first message stays
/// assert!(matches!(&*view[1], Message::Note { text } if text.contains("1 message was left out here")));
/// assert_eq!(view[2..], messages[2..]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[must_use]
pub fn pruned_view(messages: &[Arc<Message>], pruned: &Pruned) -> Vec<Arc<Message>> {
    let (mut view, next) = pruned.lead(messages);
    view.extend((next..messages.len()).map(|index| pruned.shown(messages, index)));
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

/// True if a turn ends directly before this position, or if it is the start.
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

/// Last end of a turn up to this position.
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

/// The user's last request: a run of consecutive user messages, without the first message of the conversation, which always stays.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Request {
    start: usize,
    end: usize,
}

impl Request {
    /// Finds the last request before this position.
    pub(super) fn before(messages: &[Arc<Message>], place: usize) -> Self {
        let end = messages[..place].iter().rposition(|message| is_user(message));
        let end = end.map_or(0, |last| last + 1);
        let others = messages[..end].iter().rev();
        let start = end - others.take_while(|message| is_user(message)).count();
        Self { start, end }
    }

    /// Moves past the message at `index`. Input: the last request before `index`. Output: the last one before `index + 1`.
    pub(super) fn pass(&mut self, messages: &[Arc<Message>], index: usize) {
        if is_user(&messages[index]) {
            if self.end != index {
                self.start = index;
            }
            self.end = index + 1;
        }
    }

    /// Range of messages that stay if those before `dropped` are left out: all of the request, if the message at `dropped` is part of
    /// its answer; otherwise none.
    pub(super) fn kept(&self, messages: &[Arc<Message>], dropped: usize) -> Range<usize> {
        let goes_on = messages.get(dropped).is_some_and(|message| !is_user(message));
        if goes_on {
            self.start.max(1)..self.end.max(1)
        } else {
            0..0
        }
    }
}
