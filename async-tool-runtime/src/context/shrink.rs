//! Smaller views of a conversation that adds too much at once, or that the model refuses as too long.

use std::sync::Arc;

use super::{
    ContextWindow, Message, PrunePolicy, Pruned,
    cut::{level, parts},
    prune::{Request, is_user},
};

/// Least bytes that are shown of a part before results become one line each.
const LEAST: usize = 512;
/// Least bytes of a part as long as there are other ways to shrink.
const ROUGH: usize = 4 * 1024;

/// Ways to shrink a view, in the order in which they are tried.
#[derive(Clone, Copy)]
enum Step {
    /// Large parts are cut, the largest first.
    CutRoughly,
    /// The older half of the conversation is pruned.
    Prune,
    /// All parts are cut, in the end to one line for each result.
    Cut,
    /// The last turns are pruned too.
    PruneRecent,
    /// Older messages of the user are cut, but never the last one.
    CutWords,
}

impl Step {
    const ALL: [Self; 5] = [
        Self::CutRoughly,
        Self::Prune,
        Self::Cut,
        Self::PruneRecent,
        Self::CutWords,
    ];
}

impl ContextWindow {
    /// Cuts the results that the model has not seen, the largest first, so that together they take about `limit` bytes. `None` if they
    /// are within it.
    pub(crate) fn bound(&mut self, messages: &[Arc<Message>], current: &Pruned, limit: usize) -> Option<Pruned> {
        let places = unseen(messages);
        let is_result = |_, message: &Message| matches!(message, Message::Answers(_) | Message::Delivery { .. });
        let cut = CutTo {
            target: |_| limit,
            least: LEAST,
            otherwise: LEAST,
        };
        self.cut_to(messages, current, places, is_result, cut)
    }

    /// Next smaller view after the model refused the current one as too long; `None` if nothing can be shown shorter.
    ///
    /// It also cuts what the model has not answered yet. Each view is smaller than the one before, by an eighth or more as long as that
    /// is possible. So a session ends up with a view that the model takes, unless the user's last message alone is too long.
    pub(crate) fn shrink(
        &mut self,
        messages: &[Arc<Message>],
        current: &Pruned,
        overhead: usize,
        status: &dyn Fn() -> String,
    ) -> Option<Pruned> {
        let before = self.tokens(messages, current);
        let enough = before - before / 8;
        let mut next = current.clone();
        for step in Step::ALL {
            if let Some(smaller) = self.step(step, messages, &next, overhead, status) {
                next = smaller;
            }
            if self.tokens(messages, &next) < enough {
                break;
            }
        }
        (self.tokens(messages, &next) < before).then_some(next)
    }

    fn step(
        &mut self,
        step: Step,
        messages: &[Arc<Message>],
        current: &Pruned,
        overhead: usize,
        status: &dyn Fn() -> String,
    ) -> Option<Pruned> {
        let half = overhead.saturating_add(self.tokens(messages, current)) / 2;
        let policy = PrunePolicy::new(half).with_target(half);
        let keep_recent = self.policy().keep_recent;
        let places = self.lead.next..messages.len();
        let is_no_user = |_, message: &Message| !is_user(message);
        let cut = |least, otherwise| CutTo {
            target: |sum| sum / 2,
            least,
            otherwise,
        };
        match step {
            Step::CutRoughly => self.cut_to(messages, current, places, is_no_user, cut(ROUGH, ROUGH)),
            Step::Prune => {
                let policy = policy.with_keep_recent(keep_recent);
                self.plan_within(policy, messages, current, overhead, status)
            }
            Step::Cut => self.cut_to(messages, current, places, is_no_user, cut(LEAST, 0)),
            Step::PruneRecent => {
                let policy = policy.with_keep_recent(0);
                self.plan_within(policy, messages, current, overhead, status)
            }
            Step::CutWords => {
                let last = messages.iter().rposition(|message| is_user(message));
                let request = Request::before(messages, current.dropped).kept(messages, current.dropped);
                let is_older = |index, message: &Message| {
                    let is_in_view = index == 0 || index >= current.dropped || request.contains(&index);
                    is_user(message) && is_in_view && Some(index) != last
                };
                self.cut_to(messages, current, 0..messages.len(), is_older, cut(LEAST, LEAST))
            }
        }
    }

    /// Cuts the parts of the chosen messages down to a level that is the same for all of them.
    fn cut_to(
        &mut self,
        messages: &[Arc<Message>],
        current: &Pruned,
        places: std::ops::Range<usize>,
        is_chosen: impl Fn(usize, &Message) -> bool,
        cut: CutTo<impl Fn(usize) -> usize>,
    ) -> Option<Pruned> {
        self.lead_to(messages, current);
        let mut sizes = Vec::new();
        let mut largest = Vec::new();
        for index in places {
            if current.cut_of(index) == Some(0) || !is_chosen(index, &messages[index]) {
                continue;
            }
            let parts = parts(self.shown(messages, index));
            largest.extend(parts.iter().max().map(|size| (index, *size)));
            sizes.extend(parts);
        }
        let sum: usize = sizes.iter().sum();
        let target = (cut.target)(sum);
        if sum <= target {
            return None;
        }
        let bytes = match level(sizes, target) {
            bytes if bytes < cut.least => cut.otherwise,
            bytes => bytes,
        };
        let mut next = current.clone();
        for (index, size) in largest {
            if size > bytes && current.cut_of(index).is_none_or(|known| bytes < known) {
                next.set_cut(index, bytes);
            }
        }
        (next != *current).then_some(next)
    }
}

/// Level of a cut.
struct CutTo<F> {
    /// Size of all parts together after the cut, from their size before.
    target: F,
    /// Least level.
    least: usize,
    /// Level in place of a lower one.
    otherwise: usize,
}

/// Positions of the messages that came after the model's last turn.
pub(crate) fn unseen(messages: &[Arc<Message>]) -> std::ops::Range<usize> {
    let last = messages
        .iter()
        .rposition(|message| matches!(**message, Message::Assistant { .. }));
    last.map_or(0, |last| last + 1)..messages.len()
}
