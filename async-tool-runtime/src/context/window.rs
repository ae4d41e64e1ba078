//! Window that keeps a conversation within the model's context.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    ApproximateTokens, Cut, Message, PrunePolicy, Pruned, TokenEstimator,
    collapse::collapse,
    cut::cut,
    prune::{Request, boundary_before, is_boundary, is_user, note},
    tokens::most_tokens,
};

/// Window over a transcript: decides when and how far to prune it.
///
/// It is a cache, so that each message is estimated at most once, and only if its size may matter. Its answers depend only on the
/// transcript and the marker ([`Pruned`]): a new window with the same two gives the same answers.
///
/// Use one window for each transcript. For a shorter transcript than before, it starts over.
///
/// ```
/// use async_tool_runtime::{Message, context::{ContextWindow, PrunePolicy, Pruned}};
/// # use std::sync::Arc;
///
/// # let reply = serde_json::json!({"assistant": {"text": "an answer. ".repeat(20), "calls": [], "provider": null}});
/// # let reply: Message = serde_json::from_value(reply)?;
/// # let turn = |n: usize| [Message::user(format!("question {n}")), reply.clone()];
/// # let messages: Vec<Arc<Message>> = (0..20).flat_map(turn).map(Arc::new).collect();
/// # let (mut pruned, prompt_and_tools) = (Pruned::default(), 100);
/// let mut window = ContextWindow::new(PrunePolicy::new(1_000));
/// // Before each turn of an own loop:
/// if let Some(next) = window.plan(&messages, &pruned, prompt_and_tools, || "no task runs".into()) {
///     pruned = next;
/// }
/// assert!(window.tokens(&messages, &pruned) + prompt_and_tools <= 1_000);
/// let request = window.view(&messages, &pruned);
/// assert!(request.len() < messages.len());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ContextWindow {
    policy: PrunePolicy,
    estimator: Arc<dyn TokenEstimator>,
    /// Tokens of all messages before each position; one element more than there are counted messages.
    sums: Vec<usize>,
    uncounted: Uncounted,
    pub(super) lead: Lead,
    /// Cuts that the sums include.
    cuts: Vec<Cut>,
    /// Cut messages, by position.
    cut: BTreeMap<usize, Arc<Message>>,
}

/// Messages in place of the pruned ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Lead {
    pruned: Pruned,
    messages: Vec<Arc<Message>>,
    tokens: usize,
    /// Position of the first unchanged message of the transcript.
    pub(super) next: usize,
}

/// Messages after the counted ones. An upper bound of their tokens is enough as long as it fits in the budget.
#[derive(Clone, Copy, Debug, Default)]
struct Uncounted {
    messages: usize,
    most_tokens: usize,
}

impl ContextWindow {
    /// Creates a window that estimates tokens with [`ApproximateTokens`].
    #[must_use]
    pub fn new(policy: PrunePolicy) -> Self {
        Self {
            policy,
            estimator: Arc::new(ApproximateTokens),
            sums: vec![0],
            uncounted: Uncounted::default(),
            lead: Lead::default(),
            cuts: Vec::new(),
            cut: BTreeMap::new(),
        }
    }

    /// Sets the estimator of tokens, and starts over.
    ///
    /// ```
    /// use async_tool_runtime::{Message, context::{ContextWindow, PrunePolicy, Pruned, TokenEstimator}};
    /// use std::sync::Arc;
    ///
    /// #[derive(Debug)]
    /// struct Words;
    ///
    /// impl TokenEstimator for Words {
    ///     fn count_text(&self, text: &str) -> usize {
    ///         text.split_whitespace().count()
    ///     }
    /// }
    ///
    /// let mut window = ContextWindow::new(PrunePolicy::default()).with_estimator(Arc::new(Words));
    /// assert_eq!(window.estimator().count_text("to be or not to be"), 6);
    /// # let messages = [Arc::new(Message::user("to be or not to be"))];
    /// # assert_eq!(window.tokens(&messages, &Pruned::default()), 6 + 4);
    /// ```
    #[must_use]
    pub fn with_estimator(mut self, estimator: Arc<dyn TokenEstimator>) -> Self {
        self.estimator = estimator;
        self.start_over();
        self
    }

    /// The estimator of tokens.
    #[must_use]
    pub fn estimator(&self) -> &dyn TokenEstimator {
        &*self.estimator
    }

    /// The policy of pruning.
    #[must_use]
    pub fn policy(&self) -> &PrunePolicy {
        &self.policy
    }

    /// Estimates the tokens of a transcript that has been pruned this far.
    ///
    /// ```
    /// use async_tool_runtime::{Message, context::{ContextWindow, PrunePolicy, Pruned}};
    /// use std::sync::Arc;
    ///
    /// let messages = [Arc::new(Message::user("the weather in Paris"))];
    /// let mut window = ContextWindow::new(PrunePolicy::default());
    /// assert_eq!(window.tokens(&messages, &Pruned::default()), 8); // 4 of the text, 4 of the message
    /// ```
    pub fn tokens(&mut self, messages: &[Arc<Message>], pruned: &Pruned) -> usize {
        self.lead_to(messages, pruned);
        self.count(messages);
        self.lead.tokens + self.sums[messages.len()] - self.sums[self.lead.next]
    }

    /// Returns the view of a transcript that has been pruned this far; the same as [`pruned_view`](super::pruned_view).
    pub fn view(&mut self, messages: &[Arc<Message>], pruned: &Pruned) -> Vec<Arc<Message>> {
        self.lead_to(messages, pruned);
        let rest = self.lead.next..messages.len();
        let mut view = Vec::with_capacity(self.lead.messages.len() + rest.len());
        view.extend_from_slice(&self.lead.messages);
        view.extend(rest.map(|index| Arc::clone(self.shown(messages, index))));
        view
    }

    /// Decides how far to prune a transcript that has been pruned as far as `current`.
    ///
    /// Returns `None` if the request fits in the budget, or if nothing more may be pruned.
    ///
    /// - `overhead`: the tokens of the system prompt and of the tools' definitions.
    /// - `status`: describes the running tasks ([`status_block`](super::status_block)); called only if there is something to prune. Each
    ///   pruning writes it anew.
    ///
    /// # Order
    ///
    /// If the request exceeds the budget, these steps are repeated until it is down to the target:
    ///
    /// 1. Results become one line each, and images, sounds and files are described, the oldest first.
    /// 2. When all of them are, whole turns are left out, the oldest first. A turn is left out with the messages before it, its text,
    ///    its calls and their answers.
    ///
    /// The last turns ([`PrunePolicy::keep_recent`]), unanswered messages, the first message and the current request of the user always
    /// stay. If these alone exceed the budget, so does the request.
    ///
    /// The answer depends only on the arguments. It is never behind `current`, and planning again from it returns `None`.
    ///
    /// ```
    /// use async_tool_runtime::{Message, context::{ContextWindow, PrunePolicy, Pruned}};
    /// use std::sync::Arc;
    ///
    /// let messages = [Arc::new(Message::user("hello"))];
    /// let mut window = ContextWindow::new(PrunePolicy::new(60_000));
    /// let plan = window.plan(&messages, &Pruned::default(), 2_000, || unreachable!("nothing to prune"));
    /// assert_eq!(plan, None); // it fits
    /// ```
    pub fn plan(
        &mut self,
        messages: &[Arc<Message>],
        current: &Pruned,
        overhead: usize,
        status: impl FnOnce() -> String,
    ) -> Option<Pruned> {
        self.plan_within(self.policy, messages, current, overhead, status)
    }

    /// As [`plan`](Self::plan), with another policy.
    pub(super) fn plan_within(
        &mut self,
        policy: PrunePolicy,
        messages: &[Arc<Message>],
        current: &Pruned,
        overhead: usize,
        status: impl FnOnce() -> String,
    ) -> Option<Pruned> {
        let PrunePolicy { budget, target, .. } = policy;
        if self.surely_fits(budget, messages, current, overhead) {
            return None;
        }
        let now = self.tokens(messages, current);
        if overhead.saturating_add(now) <= budget {
            return None;
        }
        let limit = prunable(messages, policy.keep_recent);
        let status = status();
        let target = target.min(budget).saturating_sub(overhead);
        let pruned = if limit > current.dropped {
            self.reach(messages, current, limit, target, status)
        } else {
            // Only the status may get shorter, because fewer tasks may run now.
            Pruned {
                status,
                ..current.clone()
            }
        };
        let then = self.tokens(messages, &pruned);
        let goes_on = pruned.dropped > current.dropped || pruned.collapsed > current.collapsed;
        let is_enough = overhead.saturating_add(then) <= budget;
        // Pruning can add tokens: the note may be longer than the messages that it replaces.
        (then < now && (goes_on || is_enough)).then_some(pruned)
    }

    /// Finds the smallest pruning that brings a transcript down to `target` tokens, or else the largest possible one.
    fn reach(
        &self,
        messages: &[Arc<Message>],
        current: &Pruned,
        limit: usize,
        target: usize,
        status: String,
    ) -> Pruned {
        // Counted with the longest possible number, so that the final note is never a digit longer than planned.
        let count_note = |left_out| self.estimator.count_message(&note(left_out, &status));
        let note = count_note(if current.dropped == 0 { 0 } else { usize::MAX });
        let boundaries = || (current.dropped + 1..=limit).filter(|place| is_boundary(messages, *place));

        // Tokens of the messages from `current.dropped` on, while their results collapse turn by turn.
        let mut shown = self.sums[messages.len()] - self.sums[current.dropped];
        let mut request = Request::before(messages, current.dropped);
        let pinned = self.pinned(messages, &request, current.dropped);
        let mut collapsed = Vec::with_capacity(limit - current.dropped);
        for place in boundaries() {
            for index in current.dropped + collapsed.len()..place {
                // The first message stays as it is; see `Pruned::lead`.
                let tokens = match index == 0 && is_user(&messages[0]) {
                    true => self.tokens_of(0),
                    false => self.tokens_collapsed(messages, index),
                };
                shown = shown - self.tokens_of(index) + tokens;
                collapsed.push(tokens);
            }
            if place >= current.collapsed && note + pinned + shown <= target {
                return Pruned {
                    collapsed: place,
                    status,
                    ..current.clone()
                };
            }
        }

        let note = count_note(usize::MAX);
        let mut collapsed = collapsed.into_iter();
        let mut dropped = current.dropped;
        for place in boundaries() {
            for (index, tokens) in (dropped..place).zip(collapsed.by_ref()) {
                shown -= tokens;
                request.pass(messages, index);
            }
            dropped = place;
            if note + self.pinned(messages, &request, place) + shown <= target {
                break;
            }
        }
        let mut pruned = Pruned {
            collapsed: limit.max(current.collapsed),
            dropped,
            status,
            cuts: current.cuts.clone(),
        };
        pruned.forget_cuts(messages);
        pruned
    }

    /// Tokens of the user messages before `dropped` that stay.
    fn pinned(&self, messages: &[Arc<Message>], request: &Request, dropped: usize) -> usize {
        if dropped == 0 {
            return 0;
        }
        let first = messages.first().is_some_and(|message| is_user(message));
        let kept = request.kept(messages, dropped);
        usize::from(first) * self.tokens_of(0) + kept.map(|index| self.tokens_of(index)).sum::<usize>()
    }

    fn tokens_of(&self, index: usize) -> usize {
        self.sums[index + 1] - self.sums[index]
    }

    fn tokens_collapsed(&self, messages: &[Arc<Message>], index: usize) -> usize {
        let shown = self.shown(messages, index);
        let collapsed = collapse(shown);
        if Arc::ptr_eq(&collapsed, shown) {
            self.tokens_of(index)
        } else {
            self.estimator.count_message(&collapsed)
        }
    }

    /// True if a request fits in the budget even with one token for each byte of its uncounted messages.
    fn surely_fits(&mut self, budget: usize, messages: &[Arc<Message>], pruned: &Pruned, overhead: usize) -> bool {
        if !self.estimator.is_bounded_by_bytes() {
            return false;
        }
        self.lead_to(messages, pruned);
        let counted = self.sums.len() - 1;
        let shown = self.sums[counted] - self.sums[self.lead.next.min(counted)];
        let known = counted + self.uncounted.messages;
        let new = (known..messages.len()).map(|index| most_tokens(self.shown(messages, index)));
        let new = new.sum::<usize>();
        self.uncounted = Uncounted {
            messages: messages.len() - counted,
            most_tokens: self.uncounted.most_tokens + new,
        };
        let most = [self.lead.tokens, shown, self.uncounted.most_tokens];
        most.into_iter().fold(overhead, usize::saturating_add) <= budget
    }

    /// Estimates the uncounted messages.
    fn count(&mut self, messages: &[Arc<Message>]) {
        let known = self.sums.len() - 1;
        let mut sum = self.sums[known];
        for index in known..messages.len() {
            sum += self.estimator.count_message(self.shown(messages, index));
            self.sums.push(sum);
        }
        self.uncounted = Uncounted::default();
    }

    /// Updates the messages in place of the pruned ones, and the cut messages.
    pub(super) fn lead_to(&mut self, messages: &[Arc<Message>], pruned: &Pruned) {
        if messages.len() < self.sums.len() - 1 + self.uncounted.messages {
            self.start_over();
        }
        self.follow(messages, &pruned.cuts);
        if self.lead.pruned != *pruned {
            let (lead, next) = pruned.lead(messages);
            self.lead = Lead {
                pruned: pruned.clone(),
                tokens: lead.iter().map(|message| self.estimator.count_message(message)).sum(),
                messages: lead,
                next,
            };
        }
    }

    /// Message at a position as the model sees it, before it is collapsed. For the cuts of the last call of
    /// [`lead_to`](Self::lead_to).
    pub(super) fn shown<'a>(&'a self, messages: &'a [Arc<Message>], index: usize) -> &'a Arc<Message> {
        self.cut.get(&index).unwrap_or(&messages[index])
    }

    /// Cuts messages, and forgets the sums from the first change on.
    fn follow(&mut self, messages: &[Arc<Message>], cuts: &[Cut]) {
        let same = self
            .cuts
            .iter()
            .zip(cuts)
            .take_while(|(one, other)| one == other)
            .count();
        let changed = [self.cuts.get(same), cuts.get(same)];
        let Some(first) = changed.into_iter().flatten().map(|cut| cut.message).min() else {
            return;
        };
        self.sums.truncate(first + 1);
        self.uncounted = Uncounted::default();
        self.cut.retain(|index, _| *index < first);
        for Cut { message, bytes } in &cuts[same..] {
            if let Some(whole) = messages.get(*message) {
                self.cut.insert(*message, cut(whole, *bytes));
            }
        }
        self.cuts.truncate(same);
        self.cuts.extend_from_slice(&cuts[same..]);
    }

    fn start_over(&mut self) {
        self.sums.truncate(1);
        self.uncounted = Uncounted::default();
        self.lead = Lead::default();
        self.cuts.clear();
        self.cut.clear();
    }
}

/// End of the last turn that may be pruned, if this many turns at the end stay.
fn prunable(messages: &[Arc<Message>], keep_recent: usize) -> usize {
    let last = messages
        .iter()
        .rposition(|message| matches!(**message, Message::Assistant { .. }));
    let mut place = match last {
        // The model hasn't seen the answers to its last calls yet.
        Some(last) if !is_boundary(messages, last + 1) => boundary_before(messages, last),
        Some(last) => last + 1,
        None => 0,
    };
    for _ in 0..keep_recent {
        match place.checked_sub(1) {
            Some(before) => place = boundary_before(messages, before),
            None => break,
        }
    }
    place
}
