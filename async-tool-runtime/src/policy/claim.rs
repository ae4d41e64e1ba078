//! Claims on resources: one readers-writer lock per resource, granted in order of submission.
//!
//! A task joins the queues of all its locks in one step, so a claim waits only for earlier claims, and never in a circle.
//! If tasks took their locks one by one, a later call could pass an earlier one that still waits for its first lock.
//!
//! A task keeps its locks while it waits for its descendants. So each held lock contains a nested lock for the descendants of its holder.
//! The holder's queue position stays until the descendants have left the nested lock. The table refuses a claim that would wait, directly
//! or through other claims, for an ancestor of its task.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::SetOnce;

use crate::id::TaskId;

/// Name of something that calls read and write.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Resource {
    pub(crate) kind: Arc<str>,
    pub(crate) value: Arc<str>,
}

/// Access to a resource; `Write` includes `Read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    Read,
    Write,
}

/// Resources that one task claims, each with its access.
pub(crate) type Wants = BTreeMap<Resource, Mode>;

/// Reason of a refused claim.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The task would write a resource that an ancestor holds for reading only.
    OnlyRead(Resource),
    /// The task would wait for a task that waits for one of its ancestors. Each of these tasks waits for the next one, and the last for
    /// the first.
    Circle(Vec<TaskId>),
}

/// Locks of all resources, over all tools and sessions of a manager.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conflicts(Arc<Mutex<Table>>);

impl Conflicts {
    /// Number of tasks that wait for a resource.
    pub(crate) fn waiting(&self) -> usize {
        self.table().claims.values().filter(|entry| entry.blocked > 0).count()
    }

    /// Tasks whose claims wait for a claim of this task.
    pub(crate) fn behind(&self, task: TaskId) -> Vec<TaskId> {
        self.table().behind(task)
    }

    /// Claims all resources of a task. `above` holds its ancestors, the nearest first.
    pub(crate) fn claim(&self, task: TaskId, above: Vec<TaskId>, wants: Wants) -> Result<Claim, Refusal> {
        let (id, granted) = self.table().enter(task, above, wants)?;
        let held = Arc::new(Held(self.clone(), id));
        Ok(Claim { held, granted })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Positions of a task in the queues of its locks.
pub(crate) struct Claim {
    pub(crate) held: Arc<Held>,
    pub(crate) granted: Granted,
}

/// Set once the claim holds all its locks.
type Granted = Arc<SetOnce<()>>;

/// Guard of a claim; dropping it releases the locks. The call shares it with the thread of a blocking function, which may still write
/// after its task has ended.
pub(crate) struct Held(Conflicts, ClaimId);

impl Held {
    /// Tasks that the claim waits for.
    pub(crate) fn waits_for(&self) -> Vec<TaskId> {
        self.0.table().waits_for(self.1)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let granted = self.0.table().leave(self.1);
        // After the mutex is released, because wakers run foreign code.
        for granted in granted {
            let _set_once = granted.set(());
        }
    }
}

type ClaimId = u64;

#[derive(Debug, Default)]
struct Table {
    last: ClaimId,
    claims: BTreeMap<ClaimId, Entry>,
    queues: BTreeMap<Lock, VecDeque<(ClaimId, Mode)>>,
}

#[derive(Debug)]
struct Entry {
    task: TaskId,
    above: Vec<TaskId>,
    locks: Vec<(Lock, Mode)>,
    /// Number of locks that the claim still waits for.
    blocked: usize,
    granted: Granted,
}

/// Lock of a resource, or nested lock for the descendants of its holder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Lock {
    resource: Resource,
    /// Claims of ancestors that hold the resource, the outermost first.
    path: Vec<ClaimId>,
}

impl Lock {
    fn below(&self, holder: ClaimId) -> Self {
        let path = self.path.iter().copied().chain([holder]).collect();
        let resource = self.resource.clone();
        Self { resource, path }
    }
}

impl Table {
    fn enter(&mut self, task: TaskId, above: Vec<TaskId>, wants: Wants) -> Result<(ClaimId, Granted), Refusal> {
        let mut locks = Vec::with_capacity(wants.len());
        for (resource, mode) in wants {
            let lock = match self.nearest(&above, &resource) {
                Some((_, (_, Mode::Read))) if mode == Mode::Write => return Err(Refusal::OnlyRead(resource)),
                Some((holder, (lock, _))) => lock.below(holder),
                None => Lock {
                    resource,
                    path: Vec::new(),
                },
            };
            locks.push((lock, mode));
        }
        self.last += 1;
        let (id, granted) = (self.last, Granted::default());
        let mut blocked = 0;
        for (lock, mode) in &locks {
            let queue = self.queues.entry(lock.clone()).or_default();
            queue.push_back((id, *mode));
            blocked += usize::from(holders(queue) < queue.len());
        }
        let entry = Entry {
            task,
            above,
            locks,
            blocked,
            granted: Arc::clone(&granted),
        };
        self.claims.insert(id, entry);
        if blocked == 0 {
            let _set_once = granted.set(());
        } else if let Some(circle) = self.circle(id) {
            // No claim waits behind the newest one, so none is granted.
            let _none = self.leave(id);
            return Err(Refusal::Circle(circle));
        }
        Ok((id, granted))
    }

    /// Claim of the nearest ancestor that holds the resource.
    fn nearest(&self, above: &[TaskId], resource: &Resource) -> Option<(ClaimId, &(Lock, Mode))> {
        above.iter().find_map(|task| {
            let mut entries = self.claims.iter();
            let (id, entry) = entries.find(|(_, entry)| entry.task == *task && entry.blocked == 0)?;
            let lock = entry.locks.iter().find(|(lock, _)| lock.resource == *resource)?;
            Some((*id, lock))
        })
    }

    /// Ends a claim, granted or not; returns the claims that this grants.
    fn leave(&mut self, id: ClaimId) -> Vec<Granted> {
        let locks = self.claims.remove(&id).map(|entry| entry.locks);
        let mut granted = Vec::new();
        for (lock, _) in locks.into_iter().flatten() {
            self.release(id, lock, &mut granted);
        }
        granted
    }

    /// Removes an ended claim from a queue once its nested lock is unused, and then each ended ancestor that stayed for it.
    fn release(&mut self, mut id: ClaimId, mut lock: Lock, granted: &mut Vec<Granted>) {
        while !self.claims.contains_key(&id)
            && !self.queues.contains_key(&lock.below(id))
            && let Some(queue) = self.queues.get_mut(&lock)
            && let Some(at) = queue.iter().position(|(claim, _)| *claim == id)
        {
            let before = holders(queue);
            queue.remove(at);
            for (next, _) in queue.range(before - usize::from(at < before)..holders(queue)) {
                if let Some(entry) = self.claims.get_mut(next) {
                    entry.blocked -= 1;
                    granted.extend((entry.blocked == 0).then(|| Arc::clone(&entry.granted)));
                }
            }
            if !queue.is_empty() {
                return;
            }
            self.queues.remove(&lock);
            let Some(holder) = lock.path.pop() else { return };
            id = holder;
        }
    }

    /// Circle that a claim would close by waiting, directly or through other claims, for an ancestor of its task. Only the newest claim can
    /// close a circle, because no claim waits for later ones.
    fn circle(&self, id: ClaimId) -> Option<Vec<TaskId>> {
        let above = self.claims.get(&id).map_or(&[][..], |entry| &entry.above);
        if !self.claims.values().any(|entry| above.contains(&entry.task)) {
            return None;
        }
        // Claims on the way, each with the position of the claim that waits for it.
        let mut line = vec![(id, 0)];
        let (mut seen, mut at) = (BTreeSet::new(), 0);
        while let Some((next, _)) = line.get(at).copied() {
            let task = self.claims.get(&next).map(|entry| entry.task);
            let mut found = self.blockers(next);
            if at > 0 {
                if task.is_some_and(|task| above.contains(&task)) {
                    return Some(self.tasks_of(&line, at));
                }
                // `next` ends, or leaves its lock, only after the claims of its descendants.
                let is_below = |entry: &Entry| {
                    task.is_some_and(|task| entry.above.contains(&task))
                        || entry.locks.iter().any(|(lock, _)| lock.path.contains(&next))
                };
                let below = self.claims.iter().filter(|(_, entry)| is_below(entry));
                found.extend(below.map(|(id, _)| *id));
            }
            line.extend(found.into_iter().filter(|id| seen.insert(*id)).map(|id| (id, at)));
            at += 1;
        }
        None
    }

    /// Tasks of the claims that lead to a position of `line`: the last one first, then the others in order.
    fn tasks_of(&self, line: &[(ClaimId, usize)], mut at: usize) -> Vec<TaskId> {
        let mut claims = Vec::new();
        while let Some((id, before)) = line.get(at) {
            claims.push(*id);
            if at == 0 {
                break;
            }
            at = *before;
        }
        claims[1..].reverse();
        let mut tasks: Vec<TaskId> = claims.iter().filter_map(|id| Some(self.claims.get(id)?.task)).collect();
        tasks.dedup();
        tasks
    }

    /// Tasks that a claim waits for directly. A claim that has ended stands for the tasks that still use its nested lock.
    fn waits_for(&self, id: ClaimId) -> Vec<TaskId> {
        let (open, ended): (Vec<_>, Vec<_>) = self
            .blockers(id)
            .into_iter()
            .partition(|id| self.claims.contains_key(id));
        let is_below = |entry: &Entry| {
            let mut locks = entry.locks.iter();
            locks.any(|(lock, _)| ended.iter().any(|id| lock.path.contains(id)))
        };
        let holders = open.iter().filter_map(|id| self.claims.get(id));
        let below = self.claims.values().filter(|entry| is_below(entry));
        holders.chain(below).map(|entry| entry.task).collect()
    }

    /// Tasks whose claims wait for a claim of this task.
    fn behind(&self, task: TaskId) -> Vec<TaskId> {
        let mut behind = BTreeSet::new();
        let claims = self.claims.iter().filter(|(_, entry)| entry.task == task);
        for (id, (lock, _)) in claims.flat_map(|(id, entry)| entry.locks.iter().map(move |lock| (*id, lock))) {
            let (mut id, mut lock) = (id, lock.clone());
            loop {
                let mut queue = self
                    .queues
                    .get(&lock)
                    .into_iter()
                    .flatten()
                    .skip_while(|(claim, _)| *claim != id);
                if let Some((_, mode)) = queue.next() {
                    behind.extend(
                        queue
                            .filter(|(_, other)| *other.max(mode) == Mode::Write)
                            .map(|(id, _)| *id),
                    );
                }
                // An ended claim keeps its position for its descendants.
                match lock.path.pop() {
                    Some(holder) if !self.claims.contains_key(&holder) => id = holder,
                    _ => break,
                }
            }
        }
        let tasks = behind.iter().filter_map(|id| Some(self.claims.get(id)?.task));
        tasks.filter(|other| *other != task).collect()
    }

    /// Claims that a claim waits for directly.
    fn blockers(&self, id: ClaimId) -> Vec<ClaimId> {
        let mut found = Vec::new();
        for (lock, mode) in self.claims.get(&id).into_iter().flat_map(|entry| &entry.locks) {
            let queue = self.queues.get(lock).into_iter().flatten();
            let before = queue.take_while(|(claim, _)| *claim != id);
            found.extend(
                before
                    .filter(|(_, other)| *other.max(mode) == Mode::Write)
                    .map(|(claim, _)| *claim),
            );
        }
        found
    }
}

/// Number of claims that hold a lock: the first writer, or all readers before it.
fn holders(queue: &VecDeque<(ClaimId, Mode)>) -> usize {
    let readers = queue.iter().take_while(|(_, mode)| *mode == Mode::Read).count();
    readers.max(1).min(queue.len())
}

#[cfg(test)]
mod tests;
