//! Window that keeps a conversation within the model's context.

use std::sync::Arc;

use super::{
    ApproximateTokens, Message, PrunePolicy, Pruned, TokenEstimator,
    collapse::collapse,
    prune::{Request, boundary_before, is_boundary, is_user, note},
    tokens::most_tokens,
};

/// Follows a transcript, and says when and how far to prune it.
///
/// It knows nothing that can't be found out again from the transcript and the marker ([`Pruned`]): a new one that is given both decides
/// and shows the same. It is there so that each message is estimated once, and only when it may matter.
///
/// One window is for one transcript. Given a shorter one, it starts over.
#[derive(Clone, Debug)]
pub struct ContextWindow {
    policy: PrunePolicy,
    estimator: Arc<dyn TokenEstimator>,
    /// The tokens of the messages before each place; one more than there are messages that have been counted.
    sums: Vec<usize>,
    uncounted: Uncounted,
    lead: Lead,
}

/// Messages in place of those that were pruned.
#[derive(Clone, Debug, Default)]
struct Lead {
    pruned: Pruned,
    messages: Vec<Arc<Message>>,
    tokens: usize,
    /// Position where the transcript goes on.
    next: usize,
}

/// The messages behind those that have been counted, of which it is enough to know that they can't be too many.
#[derive(Clone, Copy, Debug, Default)]
struct Uncounted {
    messages: usize,
    most_tokens: usize,
}

impl ContextWindow {
    /// A window that estimates tokens with [`ApproximateTokens`].
    #[must_use]
    pub fn new(policy: PrunePolicy) -> Self {
        Self {
            policy,
            estimator: Arc::new(ApproximateTokens),
            sums: vec![0],
            uncounted: Uncounted::default(),
            lead: Lead::default(),
        }
    }

    /// The same window with another estimator.
    #[must_use]
    pub fn with_estimator(mut self, estimator: Arc<dyn TokenEstimator>) -> Self {
        self.estimator = estimator;
        self.start_over();
        self
    }

    /// Estimator of tokens.
    #[must_use]
    pub fn estimator(&self) -> &dyn TokenEstimator {
        &*self.estimator
    }

    /// The policy.
    #[must_use]
    pub fn policy(&self) -> &PrunePolicy {
        &self.policy
    }

    /// Estimated tokens of a transcript that has been pruned this far.
    pub fn tokens(&mut self, messages: &[Arc<Message>], pruned: &Pruned) -> usize {
        self.lead_to(messages, pruned);
        self.count(messages);
        self.lead.tokens + self.sums[messages.len()] - self.sums[self.lead.next]
    }

    /// View of a transcript that has been pruned this far: the same as [`pruned_view`](super::pruned_view).
    pub fn view(&mut self, messages: &[Arc<Message>], pruned: &Pruned) -> Vec<Arc<Message>> {
        self.lead_to(messages, pruned);
        let rest = &messages[self.lead.next..];
        let mut view = Vec::with_capacity(self.lead.messages.len() + rest.len());
        view.extend_from_slice(&self.lead.messages);
        view.extend_from_slice(rest);
        view
    }

    /// Decides how far to prune a transcript that has been pruned as far as `current`; `None` if it fits as it is, or if nothing is left
    /// that may be pruned. `overhead` is what goes with it: the tokens of the system prompt and of the tools' definitions.
    /// `status` is asked for what runs in the background ([`status_block`](super::status_block)) if there is something to prune.
    ///
    /// While the request is within the budget nothing changes. Else, until it is down to the target,
    ///
    /// 1. results become one line each, the oldest first;
    /// 2. when all of them are, whole turns are left out, the oldest first: what led to the turn, what the model said, its
    ///    calls and their answers.
    ///
    /// The status of the running tasks is written anew with each pruning.
    ///
    /// The last turns ([`PrunePolicy::keep_recent`]) and what the model has not answered stay. So a request can be larger than its
    /// budget: if those are, with the first message and the request that is worked on.
    ///
    /// The answer depends on the arguments alone. It is never behind `current`, and the same question about it is answered with
    /// `None`.
    pub fn plan(
        &mut self,
        messages: &[Arc<Message>],
        current: &Pruned,
        overhead: usize,
        status: impl FnOnce() -> String,
    ) -> Option<Pruned> {
        let (budget, target) = (self.policy.budget, self.policy.target);
        self.plan_within(budget, target, messages, current, overhead, status)
    }

    /// As [`plan`](Self::plan), for a request that is half of what this one is.
    pub(crate) fn halve(
        &mut self,
        messages: &[Arc<Message>],
        current: &Pruned,
        overhead: usize,
        status: impl FnOnce() -> String,
    ) -> Option<Pruned> {
        let half = overhead.saturating_add(self.tokens(messages, current)) / 2;
        self.plan_within(half, half, messages, current, overhead, status)
    }

    fn plan_within(
        &mut self,
        budget: usize,
        target: usize,
        messages: &[Arc<Message>],
        current: &Pruned,
        overhead: usize,
        status: impl FnOnce() -> String,
    ) -> Option<Pruned> {
        if self.surely_fits(budget, messages, current, overhead) {
            return None;
        }
        let now = self.tokens(messages, current);
        if overhead.saturating_add(now) <= budget {
            return None;
        }
        let limit = self.prunable(messages);
        let status = status();
        let target = target.min(budget).saturating_sub(overhead);
        let pruned = if limit > current.dropped {
            self.reach(messages, current, limit, target, status)
        } else {
            // Less may run now than is said.
            Pruned {
                status,
                ..current.clone()
            }
        };
        let then = self.tokens(messages, &pruned);
        let goes_on = pruned.dropped > current.dropped || pruned.collapsed > current.collapsed;
        let is_enough = overhead.saturating_add(then) <= budget;
        // What is left may be shorter than the note that would take its place.
        (then < now && (goes_on || is_enough)).then_some(pruned)
    }

    /// The least that brings a transcript down to `target` tokens, or all that can be done.
    fn reach(
        &self,
        messages: &[Arc<Message>],
        current: &Pruned,
        limit: usize,
        target: usize,
        status: String,
    ) -> Pruned {
        // The longest that it can be: what has been decided must not turn out too large by a digit.
        let count_note = |left_out| self.estimator.count_message(&note(left_out, &status));
        let note = count_note(if current.dropped == 0 { 0 } else { usize::MAX });
        let boundaries = || (current.dropped + 1..=limit).filter(|place| is_boundary(messages, *place));

        // The tokens of the messages from `current.dropped` on, while the results in them collapse one turn after the other.
        let mut shown = self.sums[messages.len()] - self.sums[current.dropped];
        let mut request = Request::before(messages, current.dropped);
        let pinned = self.pinned(messages, &request, current.dropped);
        let mut collapsed = Vec::with_capacity(limit - current.dropped);
        for place in boundaries() {
            for index in current.dropped + collapsed.len()..place {
                let tokens = self.tokens_collapsed(messages, index);
                shown = shown - self.tokens_of(index) + tokens;
                collapsed.push(tokens);
            }
            if place >= current.collapsed && note + pinned + shown <= target {
                return Pruned {
                    collapsed: place,
                    dropped: current.dropped,
                    status,
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
        Pruned {
            collapsed: limit.max(current.collapsed),
            dropped,
            status,
        }
    }

    /// The tokens of the user's messages that stay although they stand before `dropped`.
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
        let collapsed = collapse(&messages[index]);
        if Arc::ptr_eq(&collapsed, &messages[index]) {
            self.tokens_of(index)
        } else {
            self.estimator.count_message(&collapsed)
        }
    }

    /// The end of the last turn that may be pruned.
    fn prunable(&self, messages: &[Arc<Message>]) -> usize {
        let last = messages
            .iter()
            .rposition(|message| matches!(**message, Message::Assistant { .. }));
        let mut place = match last {
            // The model hasn't seen the answers to its last calls yet.
            Some(last) if !is_boundary(messages, last + 1) => boundary_before(messages, last),
            Some(last) => last + 1,
            None => 0,
        };
        for _ in 0..self.policy.keep_recent {
            match place.checked_sub(1) {
                Some(before) => place = boundary_before(messages, before),
                None => break,
            }
        }
        place
    }

    /// True if a request is within the budget although nobody has counted what is new: also with a token for each of its bytes.
    fn surely_fits(&mut self, budget: usize, messages: &[Arc<Message>], pruned: &Pruned, overhead: usize) -> bool {
        if !self.estimator.is_bounded_by_bytes() {
            return false;
        }
        self.lead_to(messages, pruned);
        let counted = self.sums.len() - 1;
        let shown = self.sums[counted] - self.sums[self.lead.next.min(counted)];
        let known = counted + self.uncounted.messages;
        let new = messages[known..].iter().map(|message| most_tokens(message));
        self.uncounted = Uncounted {
            messages: messages.len() - counted,
            most_tokens: self.uncounted.most_tokens + new.sum::<usize>(),
        };
        let most = [self.lead.tokens, shown, self.uncounted.most_tokens];
        most.into_iter().fold(overhead, usize::saturating_add) <= budget
    }

    /// Estimates what is new.
    fn count(&mut self, messages: &[Arc<Message>]) {
        let known = self.sums.len() - 1;
        let mut sum = self.sums[known];
        for message in &messages[known..] {
            sum += self.estimator.count_message(message);
            self.sums.push(sum);
        }
        self.uncounted = Uncounted::default();
    }

    /// Puts together what stands in place of what was pruned.
    fn lead_to(&mut self, messages: &[Arc<Message>], pruned: &Pruned) {
        if messages.len() < self.sums.len() - 1 + self.uncounted.messages {
            self.start_over();
        }
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

    fn start_over(&mut self) {
        self.sums.truncate(1);
        self.uncounted = Uncounted::default();
        self.lead = Lead::default();
    }
}
