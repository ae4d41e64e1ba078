//! Finds what happened, given what was written.

use std::{borrow::Cow, sync::Arc};

use super::{
    Divergence, Replayed, SessionReplay,
    moment::{Moment, moments},
};
use crate::{AgentAction, AgentMachine, Entry, Ledger, Seq};

/// How many moments are gone back to. More than one can seem to explain an entry, and what follows shows which it was.
const OPEN: usize = 256;
/// How many times it is gone back without getting further.
const RETURNS: usize = 200;

/// Plays what may have happened, moment by moment, and goes back where it leads to other entries.
pub(super) struct Search<'a> {
    replay: &'a SessionReplay,
    /// As they are.
    written: &'a [Entry],
    /// As the machine writes them, which knows no secrets.
    entries: Cow<'a, [Entry]>,
    furthest: Option<Divergence>,
}

/// The machine after some of the entries.
struct Node {
    machine: AgentMachine,
    place: usize,
    replayed: Replayed,
}

impl<'a> Search<'a> {
    pub(super) fn new(replay: &'a SessionReplay, written: &'a [Entry]) -> Self {
        Self {
            replay,
            written,
            entries: unmarked(written),
            furthest: None,
        }
    }

    pub(super) fn run(mut self) -> Result<Replayed, Divergence> {
        let mut node = Node {
            machine: self.replay.machine(Ledger::new()),
            place: 0,
            replayed: Replayed::default(),
        };
        let mut open: Vec<Vec<Node>> = Vec::new();
        let (mut furthest, mut returns) = (None, 0);
        while node.place < self.entries.len() {
            let mut next = self.next(&node);
            let place = self.furthest.as_ref().map(Divergence::seq);
            if place > furthest {
                (furthest, returns) = (place, 0);
            }
            if next.is_empty() {
                returns += 1;
                while open.last().is_some_and(Vec::is_empty) {
                    open.pop();
                }
                match open.last_mut().and_then(Vec::pop) {
                    Some(other) if returns <= RETURNS => node = other,
                    _ => return Err(self.divergence(node.place)),
                }
                continue;
            }
            // The likeliest is the last.
            if let Some(likeliest) = next.pop() {
                node = likeliest;
            }
            if !next.is_empty() {
                open.push(next);
                if open.len() > OPEN {
                    open.remove(0);
                }
            }
        }
        Ok(Replayed {
            entries: self.entries.len(),
            ..node.replayed
        })
    }

    /// Where one more moment can lead, the likeliest last.
    fn next(&mut self, node: &Node) -> Vec<Node> {
        let mut next = Vec::new();
        for moment in moments(&node.machine, &self.entries, node.place) {
            next.extend(self.play(node, &moment));
        }
        // Where more than one explains the entries, the one that explains more of them is likelier; of those the first.
        let mut known = Vec::with_capacity(next.len());
        next.retain(|node: &Node| {
            // The ledger is that of the entries, so the rest is all that can differ.
            let aside = (node.place, node.machine.aside());
            let is_new = !known.contains(&aside);
            known.push(aside);
            is_new
        });
        next.reverse();
        next.sort_by_key(|node: &Node| node.place);
        next
    }

    fn play(&mut self, node: &Node, moment: &Moment) -> Option<Node> {
        let mut machine = match moment.is_restart {
            // Of what is written, which says what can't be gone on with.
            true => self.replay.machine(Ledger::fold(&self.written[..node.place]).ok()?),
            false => node.machine.clone(),
        };
        moment.prepare(&mut machine);
        let mut place = node.place;
        for (now, input) in moment.inputs() {
            if moment.is_due {
                machine.wake_is_due(*now);
            }
            for action in machine.step(*now, input.clone()) {
                let AgentAction::Append(written) = action else { continue };
                for entry in written {
                    if self.replay.is_guessing {
                        place += self.prunings(place);
                    }
                    let there = self.entries.get(place);
                    let entry = match is_marked(&entry) {
                        true => unmark(&entry),
                        false => entry,
                    };
                    if !there.is_some_and(|there| is_same(there, &entry)) {
                        self.diverges(place, Some(entry));
                        return None;
                    }
                    place += 1;
                }
            }
        }
        if place == node.place {
            return None;
        }
        let played = &self.entries[node.place..place];
        let count = |is_it: fn(&Entry) -> bool| played.iter().filter(|entry| is_it(entry)).count();
        let turns = count(|entry| matches!(entry, Entry::TurnStarted { .. }));
        let cuts = count(
            |entry| matches!(entry, Entry::TurnEnded { cuts, .. } | Entry::TurnInterrupted { cuts, .. } if *cuts > 0),
        );
        let Replayed {
            steps,
            turns: turns_before,
            restarts,
            promotions,
            cuts: cuts_before,
            entries,
        } = node.replayed;
        Some(Node {
            machine,
            place,
            replayed: Replayed {
                entries,
                steps: steps + 1,
                turns: turns_before + turns,
                restarts: restarts + usize::from(moment.is_restart),
                promotions: promotions + moment.promotions(),
                cuts: cuts_before + cuts,
            },
        })
    }

    /// How many of the next entries say how far the conversation is pruned.
    fn prunings(&self, place: usize) -> usize {
        let later = self.entries[place..].iter();
        later.take_while(|entry| matches!(entry, Entry::Pruned { .. })).count()
    }

    fn diverges(&mut self, place: usize, played: Option<Entry>) {
        let seq = Seq::new(place as u64 + 1);
        if self.furthest.as_ref().is_none_or(|known| known.seq() < seq) {
            self.furthest = Some(Divergence::new(seq, self.entries.get(place).cloned(), played));
        }
    }

    fn divergence(mut self, place: usize) -> Divergence {
        // Nothing was found that could lead to this entry at all.
        self.diverges(place, None);
        let furthest = self.furthest.take();
        furthest.unwrap_or_else(|| Divergence::new(Seq::new(place as u64 + 1), None, None))
    }
}

/// To the letter: `==` doesn't see all that is written of an error or of a zero.
fn is_same(there: &Entry, played: &Entry) -> bool {
    there == played && serde_json::to_string(there).ok() == serde_json::to_string(played).ok()
}

/// Whether it says of itself that a secret was taken out of it before it was written.
fn is_marked(entry: &Entry) -> bool {
    match entry {
        Entry::Accepted { call, .. } => call.redacted,
        Entry::Settled { result } => result.redacted,
        _ => false,
    }
}

/// The entry as if what stands in it had been said: the machine that wrote it knew the secret, and went on.
fn unmark(entry: &Entry) -> Entry {
    let mut entry = entry.clone();
    match &mut entry {
        Entry::Accepted { call, .. } => call.redacted = false,
        Entry::Settled { result } => Arc::make_mut(result).redacted = false,
        _ => {}
    }
    entry
}

fn unmarked(entries: &[Entry]) -> Cow<'_, [Entry]> {
    match entries.iter().any(is_marked) {
        true => Cow::Owned(entries.iter().map(unmark).collect()),
        false => Cow::Borrowed(entries),
    }
}
