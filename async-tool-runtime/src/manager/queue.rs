//! Slots, and the queue of the tasks that wait for one.
//!
//! Sans-IO: it has no clock and no lock of its own, and is generic over the waiting items. Callers pass the time, in
//! milliseconds.
//!
//! # Order
//!
//! 1. The highest class with a task that can start: resumed tasks first, then by priority.
//! 2. In that class, the session that holds the fewest slots for its weight. So sessions get equal shares, however long
//!    their tasks take.
//! 3. Between equals, the session whose tasks have held slots for the least time, for its weight. With fewer slots than
//!    sessions, time is the thing to share. A session that is new or returns starts with the time of the session served
//!    last, so that no session saves up time.
//! 4. In a session, child tasks, then the oldest task. A child gets no precedence over other sessions, even though its
//!    parent waits for it: one task may wait for a thousand children.
//!
//! A tool with a limit of its own has a lane. While the lane is full, its tasks stay, and tasks behind them pass. Each lane
//! has a second one for blocking calls, which share a limit of their own: an async call only waits, a blocking one has a
//! thread.
//!
//! With slots [beyond the limit](Queue::beyond_the_limit), a waiting session that has no such slot gets one at once. It
//! takes nothing from the other sessions.

mod shown;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{clock::Timestamp, policy::Priority, session::SessionId};

/// Class of a waiting task; higher ones are served first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A task that gave its slot away for a wait and goes on: started work is finished first.
    Resumed,
    /// A child task, whose parent mostly waits for it. Its priority is the highest of its own and its ancestors'. In
    /// its session it precedes new tasks.
    Child(Priority),
    /// Any other task.
    New(Priority),
}

impl Class {
    const COUNT: usize = 4;

    const fn index(self) -> usize {
        match self {
            Self::Resumed => 0,
            Self::Child(priority) | Self::New(priority) => match priority {
                Priority::High => 1,
                Priority::Normal => 2,
                Priority::Low => 3,
            },
        }
    }

    /// Sort key of the task with this number, among the tasks of its class and session.
    const fn order_key(self, number: u64) -> u64 {
        match self {
            Self::Resumed | Self::Child(_) => number,
            Self::New(_) => number | NEW,
        }
    }
}

/// Sorts new tasks behind all possible children.
const NEW: u64 = 1 << 63;

/// Number of a lane of [`Queue::new`].
pub(super) type LaneNo = usize;

/// A taken slot, to be returned with [`Queue::release`].
#[derive(Debug)]
#[must_use = "a slot that isn't given back is lost"]
pub(crate) struct Slot {
    share: usize,
    lane: LaneNo,
    since: Timestamp,
    is_inline: bool,
}

/// Key of a waiting task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    share: usize,
    lane: LaneNo,
    class: usize,
    number: u64,
}

/// Slots, and the items that wait for one.
pub(super) struct Queue<T> {
    slots: usize,
    running: usize,
    waiting: usize,
    /// Tasks that wait for their first slot, for their rate or for their next attempt.
    positions: usize,
    capacity: usize,
    /// Limit of slots and positions together.
    bound: usize,
    session_limit: usize,
    weigh: Option<Weigh>,
    /// Limit of all blocking calls.
    blocking: Limit,
    /// Limits of the tools; the first is that of all tools without one.
    tools: Vec<Limit>,
    /// Lanes of async calls in the order of the tools, then lanes of blocking calls.
    lanes: Vec<Lane>,
    shares: Vec<Share<T>>,
    by_session: HashMap<SessionId, usize>,
    /// Free list of unused shares.
    free: Vec<usize>,
    active: usize,
    /// Used time of the session that was served last.
    floor: u64,
    next_number: u64,
    /// Time since which each item waits, in the order in which they came.
    since: BTreeMap<u64, Timestamp>,
    dispatching: bool,
    /// True if each session may have one slot beyond the general limit.
    goes_beyond: bool,
    /// Sessions that wait and may still get a slot beyond the general limit.
    standing: BTreeSet<usize>,
}

/// Callback that returns the weight of a session.
pub(super) type Weigh = Box<dyn Fn(&SessionId) -> u32 + Send + Sync>;

/// Limit, and the number of slots that it has given.
struct Limit {
    limit: usize,
    running: usize,
}

impl Limit {
    const fn new(limit: usize) -> Self {
        Self { limit, running: 0 }
    }

    const fn is_full(&self) -> bool {
        self.running >= self.limit
    }
}

/// Limit that keeps a task waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeldBy {
    /// Limit of all tasks.
    Manager(usize),
    /// Limit of blocking calls.
    Blocking(usize),
    /// Limit of each session.
    Session(usize),
    /// Limit of one tool.
    Tool(usize),
}

struct Lane {
    tool: usize,
    is_blocking: bool,
    /// For each class, the sessions with a task that waits here and may start.
    ranks: [BTreeSet<Rank>; Class::COUNT],
}

/// Rank of a session; the least is served first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    load: u64,
    used: u64,
    share: usize,
}

/// Share of one session in the slots.
struct Share<T> {
    weight: u64,
    running: usize,
    waiting: usize,
    has_inline: bool,
    /// Milliseconds of slots, divided by the weight.
    used: u64,
    /// Only buckets that have ever held an item.
    buckets: Vec<Bucket<T>>,
}

struct Bucket<T> {
    lane: LaneNo,
    class: usize,
    /// By [sort key](Class::order_key), so that a cancelled task is removed directly, at any position.
    waiting: BTreeMap<u64, T>,
}

/// Scale of the ranks: large enough that a weight of a million still makes a difference.
const SCALE: u64 = 1 << 20;

/// Idle sessions that are remembered, in addition to as many as are active.
const REMEMBERED: usize = 1024;

impl<T> Queue<T> {
    /// `lanes` holds the limits of the tools that have one; lane numbers begin with 1.
    pub(super) fn new(
        slots: usize,
        capacity: usize,
        session_limit: usize,
        weigh: Option<Weigh>,
        lanes: impl IntoIterator<Item = usize>,
    ) -> Self {
        let limits = std::iter::once(usize::MAX).chain(lanes);
        let tools: Vec<Limit> = limits.map(Limit::new).collect();
        let lane = |is_blocking| {
            move |tool| Lane {
                tool,
                is_blocking,
                ranks: Default::default(),
            }
        };
        let lanes = (0..tools.len())
            .map(lane(false))
            .chain((0..tools.len()).map(lane(true)));
        Self {
            slots,
            running: 0,
            waiting: 0,
            positions: 0,
            capacity,
            session_limit,
            weigh,
            bound: usize::MAX,
            blocking: Limit::new(usize::MAX),
            lanes: lanes.collect(),
            tools,
            since: BTreeMap::new(),
            shares: Vec::new(),
            by_session: HashMap::new(),
            free: Vec::new(),
            active: 0,
            floor: 0,
            next_number: 0,
            dispatching: false,
            goes_beyond: false,
            standing: BTreeSet::new(),
        }
    }

    /// Limits the slots and positions together.
    pub(super) const fn bounded(mut self, tasks: usize) -> Self {
        self.bound = tasks;
        self
    }

    /// Limits the slots of blocking calls.
    pub(super) const fn with_blocking_slots(mut self, slots: usize) -> Self {
        self.blocking.limit = slots;
        self
    }

    /// Lane of a tool's blocking calls.
    pub(super) const fn blocking(&self, lane: LaneNo) -> LaneNo {
        lane + self.tools.len()
    }

    /// Lets each session have one slot beyond the general limit.
    pub(super) fn beyond_the_limit(mut self) -> Self {
        self.goes_beyond = true;
        self
    }

    pub(super) fn running(&self) -> usize {
        self.running
    }

    pub(super) fn positions(&self) -> usize {
        self.positions
    }

    /// True if a slot is free for a session that is below its own limit.
    pub(super) fn has_slot(&self, lane: LaneNo) -> bool {
        self.running < self.slots && self.has_lane(lane)
    }

    fn has_lane(&self, lane: LaneNo) -> bool {
        self.is_open(&self.lanes[lane])
    }

    fn is_open(&self, lane: &Lane) -> bool {
        !(self.tools[lane.tool].is_full() || lane.is_blocking && self.blocking.is_full())
    }

    /// True if one more task may wait.
    pub(super) fn has_position(&self) -> bool {
        self.positions < self.capacity && self.has_room()
    }

    /// True if one more task may be open.
    pub(super) const fn has_room(&self) -> bool {
        self.running + self.positions < self.bound
    }

    /// Takes a queue position; false if none is free.
    pub(super) fn take_position(&mut self) -> bool {
        let is_free = self.has_position();
        self.positions += usize::from(is_free);
        is_free
    }

    /// Takes a queue position for a task that was admitted before, even beyond the limit; new tasks are refused until
    /// there is room.
    pub(super) fn take_position_regardless(&mut self) {
        self.positions += 1;
    }

    pub(super) fn leave_position(&mut self) {
        self.positions -= 1;
    }

    /// Takes a slot, if one is free and no waiting task could have it.
    pub(super) fn try_start(&mut self, session: &SessionId, lane: LaneNo, now: Timestamp) -> Option<Slot> {
        let is_free = self.has_slot(lane) && (self.waiting == 0 || self.best().is_none());
        if !is_free {
            return None;
        }
        let share = self.share_of(session);
        (self.shares[share].running < self.session_limit).then(|| self.start(share, lane, now))
    }

    /// Takes a slot beyond the general limit, if the queue has such slots and the session holds none. So each session
    /// waits only for its own task.
    pub(super) fn try_start_inline(&mut self, session: &SessionId, lane: LaneNo, now: Timestamp) -> Option<Slot> {
        if !self.goes_beyond {
            return None;
        }
        let share = self.share_of(session);
        let Share {
            has_inline, running, ..
        } = self.shares[share];
        if has_inline || running >= self.session_limit || !self.has_lane(lane) {
            return None;
        }
        Some(self.start_inline(share, lane, now))
    }

    /// Takes a slot beyond all limits, for a task that goes on in any case.
    pub(super) fn start_regardless(&mut self, session: &SessionId, lane: LaneNo, now: Timestamp) -> Slot {
        let share = self.share_of(session);
        self.start(share, lane, now)
    }

    /// Waits for a slot.
    pub(super) fn wait(&mut self, session: &SessionId, lane: LaneNo, class: Class, what: T, now: Timestamp) -> Ticket {
        let share = self.share_of(session);
        let number = class.order_key(self.next_number);
        self.since.insert(self.next_number, now);
        self.next_number += 1;
        let ticket = Ticket {
            share,
            lane,
            class: class.index(),
            number,
        };
        self.update(share, |share| {
            let bucket = share.bucket(ticket);
            bucket.waiting.insert(number, what);
            share.waiting += 1;
        });
        self.waiting += 1;
        ticket
    }

    /// Removes a waiting item; `None` if it has been served.
    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<T> {
        let removed = self.take(ticket)?;
        self.waiting -= 1;
        Some(removed)
    }

    /// True if a task waits for a slot.
    pub(super) fn is_waited_for(&self) -> bool {
        self.waiting > 0
    }

    /// Number of the tasks that wait for a slot.
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// Time since which the task that came first waits, and the number of its entry.
    pub(super) fn oldest(&self) -> Option<(u64, Timestamp)> {
        self.since.first_key_value().map(|(number, since)| (*number, *since))
    }

    /// Limit that keeps the task with this entry waiting, and the task; `None` if it waits no longer.
    pub(super) fn held_by(&self, number: u64) -> Option<(HeldBy, &T)> {
        self.shares.iter().find_map(|share| {
            share.buckets.iter().find_map(|bucket| {
                let mut keys = [number, number | NEW].into_iter();
                let what = keys.find_map(|key| bucket.waiting.get(&key))?;
                let lane = &self.lanes[bucket.lane];
                let held_by = if share.running >= self.session_limit {
                    HeldBy::Session(self.session_limit)
                } else if self.tools[lane.tool].is_full() {
                    HeldBy::Tool(self.tools[lane.tool].limit)
                } else if lane.is_blocking && self.blocking.is_full() {
                    HeldBy::Blocking(self.blocking.limit)
                } else {
                    HeldBy::Manager(self.slots)
                };
                Some((held_by, what))
            })
        })
    }

    /// Begins to give out slots; false if another thread does so already, or no task waits. A task that is spawned on a
    /// stopped runtime is dropped on the spot, which frees its slot again. Without this mark, that would recurse once
    /// for every waiting task.
    pub(super) fn begin_dispatch(&mut self) -> bool {
        self.waiting > 0 && !std::mem::replace(&mut self.dispatching, true)
    }

    /// Takes the next task that gets a slot; `None` ends the dispatch.
    pub(super) fn dispatch(&mut self, now: Timestamp) -> Option<(T, Slot)> {
        if let Some(ticket) = self.best() {
            let what = self.remove(ticket)?;
            self.floor = self.floor.max(self.shares[ticket.share].used);
            return Some((what, self.start(ticket.share, ticket.lane, now)));
        }
        if let Some(ticket) = self.standing() {
            let what = self.remove(ticket)?;
            return Some((what, self.start_inline(ticket.share, ticket.lane, now)));
        }
        self.dispatching = false;
        None
    }

    /// Gives a slot back.
    pub(super) fn release(&mut self, slot: Slot, now: Timestamp) {
        self.running -= 1;
        let Lane { tool, is_blocking, .. } = self.lanes[slot.lane];
        self.tools[tool].running -= 1;
        self.blocking.running -= usize::from(is_blocking);
        // At least 1, so that sessions with very short tasks take turns.
        let held = u64::try_from(now.since(slot.since).as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        self.update(slot.share, |share| {
            share.running -= 1;
            share.has_inline &= !slot.is_inline;
            share.used = share.used.saturating_add(held.saturating_mul(SCALE) / share.weight);
        });
    }

    /// Finds the waiting task that is served next.
    fn best(&self) -> Option<Ticket> {
        if self.waiting == 0 || self.running >= self.slots {
            return None;
        }
        (0..Class::COUNT).find_map(|class| {
            let ranks = || {
                let open = self.lanes.iter().enumerate();
                let open = open.filter(|(_, lane)| self.is_open(lane));
                open.filter_map(|(number, lane)| Some((*lane.ranks[class].first()?, number)))
            };
            let (rank, _) = ranks().min()?;
            let share = rank.share;
            // Tasks of the same session may wait in other lanes.
            let lanes = ranks().filter(|(other, _)| *other == rank);
            let firsts = lanes.filter_map(|(_, lane)| Some((self.shares[share].first(lane, class)?, lane)));
            let (number, lane) = firsts.min()?;
            Some(Ticket {
                share,
                lane,
                class,
                number,
            })
        })
    }

    /// Finds the first task of a session that can start beyond the general limit.
    fn standing(&self) -> Option<Ticket> {
        self.standing.iter().find_map(|&share| {
            let open = self.shares[share].buckets.iter().filter_map(|bucket| {
                let (&number, _) = bucket.waiting.first_key_value()?;
                self.has_lane(bucket.lane).then_some(Ticket {
                    share,
                    lane: bucket.lane,
                    class: bucket.class,
                    number,
                })
            });
            open.min_by_key(|ticket| (ticket.class, ticket.number))
        })
    }

    fn start_inline(&mut self, share: usize, lane: LaneNo, now: Timestamp) -> Slot {
        self.shares[share].has_inline = true;
        let mut slot = self.start(share, lane, now);
        slot.is_inline = true;
        slot
    }

    fn start(&mut self, share: usize, lane: LaneNo, now: Timestamp) -> Slot {
        self.running += 1;
        let Lane { tool, is_blocking, .. } = self.lanes[lane];
        self.tools[tool].running += 1;
        self.blocking.running += usize::from(is_blocking);
        self.update(share, |share| share.running += 1);
        Slot {
            share,
            lane,
            since: now,
            is_inline: false,
        }
    }

    fn take(&mut self, ticket: Ticket) -> Option<T> {
        let mut taken = None;
        self.update(ticket.share, |share| {
            taken = share.bucket(ticket).waiting.remove(&ticket.number);
            share.waiting -= usize::from(taken.is_some());
        });
        if taken.is_some() {
            self.since.remove(&(ticket.number & !NEW));
        }
        taken
    }

    /// Changes a share and updates its rank.
    fn update(&mut self, index: usize, change: impl FnOnce(&mut Share<T>)) {
        let share = &mut self.shares[index];
        if share.waiting > 0 && share.running < self.session_limit {
            let rank = share.rank(index);
            for bucket in share.buckets.iter().filter(|bucket| !bucket.waiting.is_empty()) {
                self.lanes[bucket.lane].ranks[bucket.class].remove(&rank);
            }
        }
        let was_active = share.is_active();
        change(share);
        if share.waiting > 0 && share.running < self.session_limit {
            let rank = share.rank(index);
            for bucket in share.buckets.iter().filter(|bucket| !bucket.waiting.is_empty()) {
                self.lanes[bucket.lane].ranks[bucket.class].insert(rank);
            }
        }
        if self.goes_beyond {
            if share.waiting > 0 && !share.has_inline && share.running < self.session_limit {
                self.standing.insert(index);
            } else {
                self.standing.remove(&index);
            }
        }
        match (was_active, share.is_active()) {
            (false, true) => self.active += 1,
            (true, false) => self.active -= 1,
            _ => {}
        }
    }

    fn share_of(&mut self, session: &SessionId) -> usize {
        if let Some(&index) = self.by_session.get(session) {
            let share = &mut self.shares[index];
            if !share.is_active() {
                share.used = share.used.max(self.floor);
            }
            return index;
        }
        if self.by_session.len() >= 2 * self.active + REMEMBERED {
            self.forget_idle();
        }
        let share = Share {
            weight: self.weigh.as_ref().map_or(1, |weigh| weight(weigh, session)),
            running: 0,
            waiting: 0,
            has_inline: false,
            used: self.floor,
            buckets: Vec::new(),
        };
        let index = match self.free.pop() {
            Some(index) => {
                self.shares[index] = share;
                index
            }
            None => {
                self.shares.push(share);
                self.shares.len() - 1
            }
        };
        self.by_session.insert(session.clone(), index);
        index
    }

    /// Forgets idle sessions. The next call comes after at least as many new sessions as this one visits, so the cost
    /// per session is constant.
    fn forget_idle(&mut self) {
        let Self {
            by_session,
            shares,
            free,
            ..
        } = self;
        by_session.retain(|_, index| {
            let is_active = shares[*index].is_active();
            if !is_active {
                shares[*index].buckets = Vec::new();
                free.push(*index);
            }
            is_active
        });
    }
}

/// Weight of a session. A callback that panics must not lose a task.
fn weight(weigh: &Weigh, session: &SessionId) -> u64 {
    let weight = catch_unwind(AssertUnwindSafe(|| weigh(session)));
    let weight = weight.unwrap_or_else(|_| {
        tracing::error!(target: "async_tool::task", %session, "`session_weight` panicked; the session has a weight of 1");
        1
    });
    u64::from(weight.max(1))
}

impl<T> Share<T> {
    fn is_active(&self) -> bool {
        self.running + self.waiting > 0
    }

    fn rank(&self, share: usize) -> Rank {
        Rank {
            load: self.running as u64 * SCALE / self.weight,
            used: self.used,
            share,
        }
    }

    /// Sort key of the first waiting task of a bucket.
    fn first(&self, lane: LaneNo, class: usize) -> Option<u64> {
        let mut buckets = self.buckets.iter();
        let bucket = buckets.find(|bucket| (bucket.lane, bucket.class) == (lane, class))?;
        bucket.waiting.first_key_value().map(|(&number, _)| number)
    }

    fn bucket(&mut self, ticket: Ticket) -> &mut Bucket<T> {
        let key = (ticket.lane, ticket.class);
        let found = self
            .buckets
            .iter()
            .position(|bucket| (bucket.lane, bucket.class) == key);
        let index = found.unwrap_or_else(|| {
            self.buckets.push(Bucket {
                lane: ticket.lane,
                class: ticket.class,
                waiting: BTreeMap::new(),
            });
            self.buckets.len() - 1
        });
        &mut self.buckets[index]
    }
}

impl<T> std::fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sessions: Vec<_> = self.by_session.keys().collect();
        f.debug_struct("Queue")
            .field("running", &self.running)
            .field("waiting", &self.waiting)
            .field("sessions", &sessions)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
