//! Who may use which resource, and who waits for it.
//!
//! A claim is all that a task wants, taken in one step: it has a place in the line of each of its resources at once, and is granted when
//! nobody before it in any of them is in its way. So claims wait only for earlier ones, and never in a circle.
//!
//! What breaks that order are tasks below others: the one above keeps what it has while it waits for the one below. The latter's
//! place is therefore right behind those of its family, before all who wait for the one above, and no ancestor is in its way. A
//! circle through several families is found when the claim that would close it comes, and that claim is refused.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use tokio::sync::SetOnce;

use crate::TaskId;

/// The name of what calls read and write.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Resource {
    pub(super) kind: Arc<str>,
    pub(super) value: Arc<str>,
}

/// What is done with a resource. The greater one includes the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    Read,
    Write,
}

impl Mode {
    fn conflicts_with(self, other: Self) -> bool {
        self == Self::Write || other == Self::Write
    }
}

/// What a task wants: each resource once.
pub(super) type Wants = BTreeMap<Resource, Mode>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ClaimId(u64);

/// Set when a claim is granted.
pub(super) type Granted = Arc<SetOnce<()>>;

/// Why there is no claim.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A task above reads what this one would write.
    OnlyRead(Resource),
    /// It would wait for somebody who waits for a task above it.
    Circle,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    last: u64,
    claims: HashMap<ClaimId, Claim>,
    by_task: HashMap<TaskId, ClaimId>,
    lines: HashMap<Resource, Line>,
    waiting: usize,
}

#[derive(Debug)]
struct Claim {
    task: TaskId,
    /// The tasks above, the nearest first.
    above: Vec<TaskId>,
    wants: Wants,
    /// In how many lines somebody is in its way.
    blocked: usize,
    granted: Granted,
}

/// Those who use a resource or wait for it, in their order.
#[derive(Debug, Default)]
struct Line {
    places: VecDeque<Place>,
    writers: usize,
    /// How many have their place behind a task above them.
    covered: usize,
}

#[derive(Debug)]
struct Place {
    claim: ClaimId,
    mode: Mode,
    /// Whether nobody before it is in its way.
    is_clear: bool,
    is_covered: bool,
}

impl Table {
    /// Claims all that a task wants. `above` are the tasks above it, the nearest first.
    pub(super) fn enter(
        &mut self,
        task: TaskId,
        above: Vec<TaskId>,
        wants: Wants,
    ) -> Result<(ClaimId, Granted), Refusal> {
        let mut covers = Vec::with_capacity(wants.len());
        for (resource, mode) in &wants {
            let cover = self.cover(&above, resource);
            if let Some((_, Mode::Read)) = cover
                && *mode == Mode::Write
            {
                return Err(Refusal::OnlyRead(resource.clone()));
            }
            covers.push(cover.map(|(claim, _)| claim));
        }
        self.last += 1;
        let id = ClaimId(self.last);
        let granted = Granted::default();
        let claim = Claim {
            task,
            above,
            wants: wants.clone(),
            blocked: 0,
            granted: Arc::clone(&granted),
        };
        self.claims.insert(id, claim);
        self.by_task.insert(task, id);
        let mut blocked = 0;
        for ((resource, mode), cover) in wants.into_iter().zip(covers) {
            blocked += usize::from(!self.line_up(id, resource, mode, cover));
        }
        if blocked == 0 {
            let _nobody_else_sets_it = granted.set(());
            return Ok((id, granted));
        }
        self.waiting += 1;
        if let Some(claim) = self.claims.get_mut(&id) {
            claim.blocked = blocked;
        }
        if self.closes_circle(id) {
            // Whoever it would have been in the way of waits for the one above anyway.
            let _nobody = self.leave(id);
            return Err(Refusal::Circle);
        }
        Ok((id, granted))
    }

    /// Ends a claim, granted or not; gives those that are granted by it.
    pub(super) fn leave(&mut self, id: ClaimId) -> Vec<Granted> {
        let Some(claim) = self.claims.remove(&id) else {
            return Vec::new();
        };
        if self.by_task.get(&claim.task) == Some(&id) {
            self.by_task.remove(&claim.task);
        }
        self.waiting -= usize::from(claim.blocked > 0);
        let mut granted = Vec::new();
        for resource in claim.wants.keys() {
            let Some(line) = self.lines.get_mut(resource) else {
                continue;
            };
            let cleared = line.leave(id, &self.claims);
            if line.places.is_empty() {
                self.lines.remove(resource);
            }
            for id in cleared {
                let Some(claim) = self.claims.get_mut(&id) else {
                    continue;
                };
                claim.blocked -= 1;
                if claim.blocked == 0 {
                    self.waiting -= 1;
                    granted.push(Arc::clone(&claim.granted));
                }
            }
        }
        granted
    }

    /// How many claims wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    #[cfg(test)]
    pub(super) fn is_granted(&self, id: ClaimId) -> bool {
        self.claims.get(&id).is_some_and(|claim| claim.blocked == 0)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.claims.is_empty() && self.by_task.is_empty() && self.lines.is_empty() && self.waiting == 0
    }

    /// The claim of the nearest task above that has the resource.
    fn cover(&self, above: &[TaskId], resource: &Resource) -> Option<(ClaimId, Mode)> {
        above.iter().find_map(|task| {
            let id = *self.by_task.get(task)?;
            let claim = self.claims.get(&id).filter(|claim| claim.blocked == 0)?;
            Some((id, *claim.wants.get(resource)?))
        })
    }

    /// Gives a claim its place in a line; says whether nobody is in its way there.
    fn line_up(&mut self, id: ClaimId, resource: Resource, mode: Mode, cover: Option<ClaimId>) -> bool {
        let line = self.lines.entry(resource).or_default();
        let at = match cover {
            Some(cover) => line.end_of_family(cover, &self.claims),
            None => line.places.len(),
        };
        line.writers += usize::from(mode == Mode::Write);
        line.covered += usize::from(cover.is_some());
        line.places.insert(
            at,
            Place {
                claim: id,
                mode,
                is_clear: false,
                is_covered: cover.is_some(),
            },
        );
        let is_clear = if line.covered > 0 {
            line.in_the_way(at, &self.claims).next().is_none()
        } else {
            match mode {
                Mode::Read => line.writers == 0,
                Mode::Write => at == 0,
            }
        };
        line.places[at].is_clear = is_clear;
        is_clear
    }

    /// Whether a claim that has just come waits for somebody who waits, in the end, for a task above it: those keep what they have until
    /// the claim is granted. Only the last to come can close a circle, because nobody waits for more than when it came.
    fn closes_circle(&self, id: ClaimId) -> bool {
        let Some(claim) = self.claims.get(&id) else {
            return false;
        };
        if !claim.above.iter().any(|task| self.by_task.contains_key(task)) {
            return false;
        }
        let mut seen = HashSet::new();
        let mut open = self.waits_for(id);
        while let Some(next) = open.pop() {
            let Some(holder) = self.claims.get(&next).filter(|_| seen.insert(next)) else {
                continue;
            };
            if next == id || claim.above.contains(&holder.task) {
                return true;
            }
            if holder.blocked > 0 {
                open.extend(self.waits_for(next));
            }
            let below = self
                .claims
                .iter()
                .filter(|(_, claim)| claim.above.contains(&holder.task));
            open.extend(below.filter(|(_, claim)| claim.blocked > 0).map(|(id, _)| *id));
        }
        false
    }

    fn waits_for(&self, id: ClaimId) -> Vec<ClaimId> {
        let wants = self.claims.get(&id).into_iter().flat_map(|claim| claim.wants.keys());
        let lines = wants.filter_map(|resource| self.lines.get(resource));
        let mut found = Vec::new();
        for line in lines {
            let at = line
                .places
                .iter()
                .position(|place| place.claim == id && !place.is_clear);
            if let Some(at) = at {
                found.extend(line.in_the_way(at, &self.claims));
            }
        }
        found
    }
}

impl Line {
    /// Where the places end of a claim and of those below its task.
    fn end_of_family(&self, cover: ClaimId, claims: &HashMap<ClaimId, Claim>) -> usize {
        let Some(first) = self.places.iter().position(|place| place.claim == cover) else {
            return self.places.len();
        };
        let head = claims.get(&cover).map(|claim| claim.task);
        let is_below = |place: &&Place| {
            let claim = claims.get(&place.claim);
            head.is_some_and(|head| claim.is_some_and(|claim| claim.above.contains(&head)))
        };
        first + 1 + self.places.range(first + 1..).take_while(is_below).count()
    }

    /// Those before a place that conflict with it and are no ancestors.
    fn in_the_way<'a>(&'a self, at: usize, claims: &'a HashMap<ClaimId, Claim>) -> impl Iterator<Item = ClaimId> + 'a {
        let place = &self.places[at];
        let above = claims.get(&place.claim).map_or(&[][..], |claim| &claim.above);
        self.places.range(..at).filter_map(move |other| {
            let is_above = || {
                claims
                    .get(&other.claim)
                    .is_some_and(|claim| above.contains(&claim.task))
            };
            (other.mode.conflicts_with(place.mode) && !is_above()).then_some(other.claim)
        })
    }

    /// Takes a claim out; gives those in whose way nobody is any more.
    fn leave(&mut self, id: ClaimId, claims: &HashMap<ClaimId, Claim>) -> Vec<ClaimId> {
        let Some(at) = self.places.iter().position(|place| place.claim == id) else {
            return Vec::new();
        };
        let Some(gone) = self.places.remove(at) else {
            return Vec::new();
        };
        self.writers -= usize::from(gone.mode == Mode::Write);
        self.covered -= usize::from(gone.is_covered);
        let mut cleared = Vec::new();
        if self.covered > 0 || gone.is_covered {
            for at in 0..self.places.len() {
                if !self.places[at].is_clear && self.in_the_way(at, claims).next().is_none() {
                    self.places[at].is_clear = true;
                    cleared.push(self.places[at].claim);
                }
            }
            return cleared;
        }
        // Without families: the first, or all readers up to the first writer. A reader that goes lets nobody in but a writer.
        let readers = self.places.iter().take_while(|place| place.mode == Mode::Read);
        let first = match self.places.front() {
            Some(front) if front.mode == Mode::Write => 1,
            Some(_) if gone.mode == Mode::Write => readers.count(),
            _ => 0,
        };
        for place in self.places.range_mut(..first).filter(|place| !place.is_clear) {
            place.is_clear = true;
            cleared.push(place.claim);
        }
        cleared
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
