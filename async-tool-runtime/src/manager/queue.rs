//! Who gets a slot, and who waits.
//!
//! Sans-IO: no clock and no lock of its own, and it doesn't know what waits in it. Time comes in with the calls, in
//! milliseconds.
//!
//! # Who is next
//!
//! 1. The highest [`Class`] of which somebody can start.
//! 2. In it, the session that holds the fewest slots for its weight. So sessions get equal shares, however long their tasks take.
//! 3. Between equals, the session whose tasks have held slots for the least time, for its weight: where there are fewer slots
//!    than sessions, time is what is shared. A session that comes new, or comes back, starts with the time of the last one served,
//!    so that nobody saves up for a rush.
//! 4. In a session, the task that came first.
//!
//! A tool with a limit of its own has a lane: when that is full, its tasks stay and nobody behind them waits.
//!
//! Where sessions may have a slot [beyond the limit](Queue::beyond_the_limit), one that waits and has none of that kind gets it, whoever
//! else waits: it holds up nobody.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{Priority, SessionId, Timestamp};

/// What is waited for: who is to be served before whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A task that gave its slot away for a while and goes on: what has begun is finished first.
    Resumed,
    /// A task that another task waits for: it lets two go on.
    Child,
    /// Everything else.
    New(Priority),
}

impl Class {
    const COUNT: usize = 5;

    const fn index(self) -> usize {
        match self {
            Self::Resumed => 0,
            Self::Child => 1,
            Self::New(Priority::High) => 2,
            Self::New(Priority::Normal) => 3,
            Self::New(Priority::Low) => 4,
        }
    }
}

/// A lane of [`Queue::new`]; 0 is the lane without a limit.
pub(super) type LaneNo = usize;

/// A slot that somebody holds, to be given back with [`Queue::release`].
#[derive(Debug)]
#[must_use = "a slot that isn't given back is lost"]
pub(crate) struct Slot {
    share: usize,
    lane: LaneNo,
    since: Timestamp,
    is_inline: bool,
}

/// Where something waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    share: usize,
    lane: LaneNo,
    class: usize,
    number: u64,
}

/// Slots, and what waits for one.
pub(super) struct Queue<T> {
    slots: usize,
    running: usize,
    waiting: usize,
    /// How many tasks wait for their first slot, for their rate or for their next attempt.
    places: usize,
    capacity: usize,
    session_limit: usize,
    weigh: Option<Weigh>,
    lanes: Vec<Lane>,
    shares: Vec<Share<T>>,
    by_session: HashMap<SessionId, usize>,
    /// The session that was looked up last.
    last: Option<(SessionId, usize)>,
    /// Shares that nobody has.
    free: Vec<usize>,
    active: usize,
    /// The time that the session served last had used.
    floor: u64,
    next_number: u64,
    dispatching: bool,
    /// Whether each session may have one slot beyond the general limit.
    goes_beyond: bool,
    /// The sessions that wait and have no slot beyond the general limit, where they may have one.
    standing: BTreeSet<usize>,
}

/// The weight of a session.
pub(super) type Weigh = Box<dyn Fn(&SessionId) -> u32 + Send + Sync>;

struct Lane {
    limit: usize,
    running: usize,
    /// The sessions of which something waits here and may start, for each class.
    ranks: [BTreeSet<Rank>; Class::COUNT],
}

/// The order of sessions: the least first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    load: u64,
    used: u64,
    share: usize,
}

/// What one session has of the slots.
struct Share<T> {
    weight: u64,
    running: usize,
    waiting: usize,
    has_inline: bool,
    /// Milliseconds of slots, divided by the weight.
    used: u64,
    /// Only those that have had something in them.
    buckets: Vec<Bucket<T>>,
}

struct Bucket<T> {
    lane: LaneNo,
    class: usize,
    /// By number, so that what is cancelled is taken out at once, wherever it stands.
    waiting: BTreeMap<u64, T>,
}

/// Weights divide numbers of this order, so that a weight of a million still makes a difference.
const SCALE: u64 = 1 << 20;

/// How many sessions of which nothing runs or waits are remembered, beyond as many as are active.
const REMEMBERED: usize = 1024;

impl<T> Queue<T> {
    /// `lanes` are the limits of the tools that have one; their numbers begin with 1.
    pub(super) fn new(
        slots: usize,
        capacity: usize,
        session_limit: usize,
        weigh: Option<Weigh>,
        lanes: impl IntoIterator<Item = usize>,
    ) -> Self {
        let limits = std::iter::once(usize::MAX).chain(lanes);
        Self {
            slots,
            running: 0,
            waiting: 0,
            places: 0,
            capacity,
            session_limit,
            weigh,
            lanes: limits
                .map(|limit| Lane {
                    limit,
                    running: 0,
                    ranks: Default::default(),
                })
                .collect(),
            shares: Vec::new(),
            by_session: HashMap::new(),
            last: None,
            free: Vec::new(),
            active: 0,
            floor: 0,
            next_number: 0,
            dispatching: false,
            goes_beyond: false,
            standing: BTreeSet::new(),
        }
    }

    /// Lets each session have one slot beyond the general limit.
    pub(super) fn beyond_the_limit(mut self) -> Self {
        self.goes_beyond = true;
        self
    }

    pub(super) fn running(&self) -> usize {
        self.running
    }

    pub(super) fn places(&self) -> usize {
        self.places
    }

    /// Whether there is a slot for somebody whom the limit of sessions doesn't hold back.
    pub(super) fn has_slot(&self, lane: LaneNo) -> bool {
        self.running < self.slots && self.lanes[lane].running < self.lanes[lane].limit
    }

    /// Whether there is room for one more that waits.
    pub(super) fn has_place(&self) -> bool {
        self.places < self.capacity
    }

    /// Takes a place among those that have had no slot yet; false if there is none.
    pub(super) fn take_place(&mut self) -> bool {
        let is_free = self.has_place();
        self.places += usize::from(is_free);
        is_free
    }

    /// Takes a place for one who was let in before, whether there is one or not: newcomers wait until there is.
    pub(super) fn take_place_regardless(&mut self) {
        self.places += 1;
    }

    pub(super) fn leave_place(&mut self) {
        self.places -= 1;
    }

    /// A slot at once, if one is free for this and nobody who may start waits.
    pub(super) fn try_start(&mut self, session: &SessionId, lane: LaneNo, now: Timestamp) -> Option<Slot> {
        let is_free = self.has_slot(lane) && (self.waiting == 0 || self.best().is_none());
        if !is_free {
            return None;
        }
        let share = self.share_of(session);
        (self.shares[share].running < self.session_limit).then(|| self.start(share, lane, now))
    }

    /// A slot beyond the general limit, if there are such and the session has none: it is the session that has to wait for its task
    /// then.
    pub(super) fn try_start_inline(&mut self, session: &SessionId, lane: LaneNo, now: Timestamp) -> Option<Slot> {
        if !self.goes_beyond {
            return None;
        }
        let share = self.share_of(session);
        let Share {
            has_inline, running, ..
        } = self.shares[share];
        if has_inline || running >= self.session_limit || self.lanes[lane].running >= self.lanes[lane].limit {
            return None;
        }
        Some(self.start_inline(share, lane, now))
    }

    /// A slot beyond all limits, for what goes on whether there is one or not.
    pub(super) fn start_regardless(&mut self, session: &SessionId, lane: LaneNo, now: Timestamp) -> Slot {
        let share = self.share_of(session);
        self.start(share, lane, now)
    }

    /// Waits for a slot.
    pub(super) fn wait(&mut self, session: &SessionId, lane: LaneNo, class: Class, what: T) -> Ticket {
        let share = self.share_of(session);
        let number = self.next_number;
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

    /// Takes out what waits there; `None` if it has been served.
    pub(super) fn remove(&mut self, ticket: Ticket) -> Option<T> {
        let removed = self.take(ticket)?;
        self.waiting -= 1;
        Some(removed)
    }

    /// Becomes the one who hands out slots, unless there is one. Starting a task on a runtime that is shut down drops it on
    /// the spot, which frees its slot again: without the mark that would recurse once for every waiting task.
    pub(super) fn begin_dispatch(&mut self) -> bool {
        self.waiting > 0 && !std::mem::replace(&mut self.dispatching, true)
    }

    /// The next one who gets a slot; `None` ends the handing out.
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
        self.lanes[slot.lane].running -= 1;
        // At least one, so that sessions with tasks of no length take turns.
        let held = u64::try_from(now.since(slot.since).as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        self.update(slot.share, |share| {
            share.running -= 1;
            share.has_inline &= !slot.is_inline;
            share.used = share.used.saturating_add(held.saturating_mul(SCALE) / share.weight);
        });
    }

    /// The one who is next.
    fn best(&self) -> Option<Ticket> {
        if self.waiting == 0 || self.running >= self.slots {
            return None;
        }
        (0..Class::COUNT).find_map(|class| {
            let open = self
                .lanes
                .iter()
                .enumerate()
                .filter(|(_, lane)| lane.running < lane.limit);
            let (rank, lane) = open
                .filter_map(|(number, lane)| Some((*lane.ranks[class].first()?, number)))
                .min()?;
            let buckets = &self.shares[rank.share].buckets;
            let bucket = buckets
                .iter()
                .find(|bucket| (bucket.lane, bucket.class) == (lane, class))?;
            let (number, _) = bucket.waiting.first_key_value()?;
            Some(Ticket {
                share: rank.share,
                lane,
                class,
                number: *number,
            })
        })
    }

    /// The first one of a session that can start beyond the general limit.
    fn standing(&self) -> Option<Ticket> {
        self.standing.iter().find_map(|&share| {
            let open = self.shares[share].buckets.iter().filter_map(|bucket| {
                let lane = &self.lanes[bucket.lane];
                let (&number, _) = bucket.waiting.first_key_value()?;
                (lane.running < lane.limit).then_some(Ticket {
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
        self.lanes[lane].running += 1;
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
        taken
    }

    /// Changes a share, and puts it where it then belongs in the order.
    fn update(&mut self, index: usize, change: impl FnOnce(&mut Share<T>)) {
        let share = &mut self.shares[index];
        if share.running < self.session_limit {
            let rank = share.rank(index);
            for bucket in share.buckets.iter().filter(|bucket| !bucket.waiting.is_empty()) {
                self.lanes[bucket.lane].ranks[bucket.class].remove(&rank);
            }
        }
        let was_active = share.is_active();
        change(share);
        if share.running < self.session_limit {
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
        // Calls come in bunches, and a name takes longer to hash than to compare.
        let last = self.last.as_ref().filter(|(last, _)| last == session);
        if let Some(index) = last
            .map(|(_, index)| *index)
            .or_else(|| self.by_session.get(session).copied())
        {
            if self.last.as_ref().is_none_or(|(_, last)| *last != index) {
                self.last = Some((session.clone(), index));
            }
            let floor = self.floor;
            if !self.shares[index].is_active() {
                self.shares[index].used = self.shares[index].used.max(floor);
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

    /// Forgets the sessions of which nothing runs or waits; after as many new ones as it looks at here.
    fn forget_idle(&mut self) {
        self.last = None;
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

/// A task is not lost because nobody can say what its session weighs.
fn weight(weigh: &Weigh, session: &SessionId) -> u64 {
    let weight = catch_unwind(AssertUnwindSafe(|| weigh(session)));
    let weight = weight.unwrap_or_else(|_| {
        tracing::error!(%session, "`session_weight` panicked; the session has a weight of 1");
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

    fn bucket(&mut self, ticket: Ticket) -> &mut Bucket<T> {
        let place = (ticket.lane, ticket.class);
        let found = self
            .buckets
            .iter()
            .position(|bucket| (bucket.lane, bucket.class) == place);
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
mod tests {
    use std::collections::{BTreeMap, BinaryHeap};

    use super::*;

    const NORMAL: Class = Class::New(Priority::Normal);

    fn queue(slots: usize) -> Queue<u64> {
        Queue::new(slots, usize::MAX, usize::MAX, None, [])
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn next(queue: &mut Queue<u64>, now: u64) -> Option<(u64, Slot)> {
        queue.dispatching = true;
        let next = queue.dispatch(at(now));
        queue.dispatching = false;
        next
    }

    /// A generator of numbers that look random, the same in every run.
    struct Draw(u64);

    impl Draw {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % limit
        }
    }

    /// Keeps every session's line full for `until` milliseconds; gives how long each has held slots.
    fn saturate(queue: &mut Queue<usize>, lengths: &[u64], until: u64) -> Vec<u64> {
        let sessions: Vec<_> = (0..lengths.len())
            .map(|session| SessionId::new(session.to_string()))
            .collect();
        let mut draw = Draw(1);
        let mut held = vec![0; lengths.len()];
        for (number, session) in sessions.iter().enumerate() {
            // The first brings a crowd before anybody else comes.
            for _ in 0..if number == 0 { 1000 } else { 1 } {
                queue.wait(session, 0, NORMAL, number);
            }
        }
        let mut ends = BinaryHeap::new();
        let mut slots = BTreeMap::new();
        let mut now = 0;
        for started in 0_u64.. {
            queue.begin_dispatch();
            while let Some((number, slot)) = queue.dispatch(at(now)) {
                // Half to one and a half times the usual length.
                let length = lengths[number] / 2 + draw.below(lengths[number] + 1);
                held[number] += length;
                let key = (std::cmp::Reverse(now + length), started * 1000 + slots.len() as u64);
                ends.push(key);
                slots.insert(key.1, slot);
                queue.wait(&sessions[number], 0, NORMAL, number);
            }
            let Some((std::cmp::Reverse(end), key)) = ends.pop() else {
                break;
            };
            now = end;
            if now > until {
                break;
            }
            queue.release(slots.remove(&key).unwrap(), at(now));
        }
        held
    }

    #[test]
    fn equal_sessions_get_equal_shares_however_long_their_tasks_are() {
        for (slots, lengths) in [
            (1, &[100, 100, 100][..]),
            (1, &[10, 1000, 200]),
            (3, &[50, 500, 50, 2000]),
            (8, &[100, 1000, 10, 10, 400]),
            (16, &[1000, 10, 100]),
        ] {
            let held = saturate(
                &mut Queue::new(slots, usize::MAX, usize::MAX, None, []),
                lengths,
                2_000_000,
            );
            let (most, least) = (*held.iter().max().unwrap() as f64, *held.iter().min().unwrap() as f64);
            println!(
                "{slots} slots, tasks of {lengths:?} ms: shares {held:?}, most to least {:.3}",
                most / least
            );
            assert!(most / least <= 1.1, "{slots} slots, {lengths:?}: {held:?}");
        }
    }

    #[test]
    fn shares_follow_the_weights() {
        for slots in [1, 8] {
            let weigh = |session: &SessionId| if session.as_str() == "1" { 3 } else { 1 };
            let mut queue = Queue::new(slots, usize::MAX, usize::MAX, Some(Box::new(weigh)), []);
            let held = saturate(&mut queue, &[100, 100], 2_000_000);
            let ratio = held[1] as f64 / held[0] as f64;
            assert!((2.7..=3.3).contains(&ratio), "{slots} slots: {held:?}");
        }
    }

    #[test]
    fn a_session_that_was_away_has_not_saved_up_for_a_rush() {
        let mut queue = queue(1);
        let (busy, back) = (SessionId::new("busy"), SessionId::new("back"));
        let mut now = 0;
        for task in 0..100 {
            queue.wait(&busy, 0, NORMAL, task);
            let (_, slot) = next(&mut queue, now).unwrap();
            now += 100;
            queue.release(slot, at(now));
        }
        let mut of_back = 0;
        for _ in 0..10 {
            queue.wait(&busy, 0, NORMAL, 1);
            queue.wait(&back, 0, NORMAL, 2);
        }
        for _ in 0..10 {
            let (who, slot) = next(&mut queue, now).unwrap();
            of_back += u64::from(who == 2);
            now += 100;
            queue.release(slot, at(now));
        }
        assert!((4..=6).contains(&of_back), "{of_back} of 10");
    }

    #[test]
    fn what_was_begun_goes_first_then_children_then_by_priority() {
        let mut queue = queue(1);
        let session = SessionId::new("s");
        let low = Class::New(Priority::Low);
        for (task, class) in [
            (5, low),
            (4, NORMAL),
            (2, Class::Child),
            (3, Class::New(Priority::High)),
            (1, Class::Resumed),
        ] {
            queue.wait(&session, 0, class, task);
        }
        for expected in 1..=5 {
            let (task, slot) = next(&mut queue, 0).unwrap();
            assert_eq!(task, expected);
            queue.release(slot, at(1));
        }
    }

    #[test]
    fn a_tool_at_its_limit_holds_nobody_else_up() {
        let mut queue = Queue::new(4, usize::MAX, usize::MAX, None, [1]);
        let session = SessionId::new("s");
        for task in [10, 11, 12] {
            queue.wait(&session, 1, Class::New(Priority::High), task);
        }
        queue.wait(&session, 0, Class::New(Priority::Low), 20);
        let (first, slot) = next(&mut queue, 0).unwrap();
        let (second, _slot) = next(&mut queue, 0).unwrap();
        assert_eq!((first, second), (10, 20));
        assert!(next(&mut queue, 0).is_none());
        assert!(queue.try_start(&session, 1, at(0)).is_none());
        queue.release(slot, at(1));
        assert_eq!(next(&mut queue, 1).unwrap().0, 11);
    }

    #[test]
    fn a_session_at_its_limit_waits_and_others_go_on() {
        let mut queue = Queue::new(10, usize::MAX, 2, None, []);
        let (one, other) = (SessionId::new("one"), SessionId::new("other"));
        let first = queue.try_start(&one, 0, at(0)).unwrap();
        let _second = queue.try_start(&one, 0, at(0)).unwrap();
        assert!(queue.try_start(&one, 0, at(0)).is_none());
        queue.wait(&one, 0, NORMAL, 1);
        assert!(queue.try_start(&other, 0, at(0)).is_some());
        assert!(next(&mut queue, 0).is_none());
        queue.release(first, at(1));
        assert_eq!(next(&mut queue, 1).unwrap().0, 1);
    }

    /// Random calls against a plain account of what must hold, however tasks come, go, end and are taken back.
    #[test]
    fn limits_hold_nothing_is_lost_and_no_free_slot_is_left_over_random_histories() {
        for seed in 0..300 {
            let mut draw = Draw(seed);
            let slots = 1 + draw.below(6) as usize;
            let session_limit = 1 + draw.below(4) as usize;
            let lanes = [usize::MAX, 1 + draw.below(3) as usize, 1 + draw.below(3) as usize];
            let mut queue = Queue::new(slots, usize::MAX, session_limit, None, lanes[1..].iter().copied());
            let sessions: Vec<_> = (0..4).map(|session| SessionId::new(session.to_string())).collect();
            let mut waiting: BTreeMap<u64, (Ticket, usize, usize)> = BTreeMap::new();
            let mut running: Vec<(Slot, usize, usize)> = Vec::new();
            let mut seen = 0;
            for step in 0..400_u64 {
                let (session, lane) = (draw.below(4) as usize, draw.below(3) as usize);
                match draw.below(6) {
                    0..=2 => {
                        let class =
                            [NORMAL, Class::Child, Class::New(Priority::High), Class::Resumed][draw.below(4) as usize];
                        if let Some(slot) = queue.try_start(&sessions[session], lane, at(step)) {
                            running.push((slot, session, lane));
                            seen += 1;
                        } else {
                            let ticket = queue.wait(&sessions[session], lane, class, step);
                            waiting.insert(step, (ticket, session, lane));
                        }
                    }
                    3 => {
                        if let Some((&task, &(ticket, ..))) = waiting.iter().next() {
                            assert_eq!(queue.remove(ticket), Some(task));
                            assert_eq!(queue.remove(ticket), None);
                            waiting.remove(&task);
                        }
                    }
                    _ if !running.is_empty() => {
                        let (slot, ..) = running.swap_remove(draw.below(running.len() as u64) as usize);
                        queue.release(slot, at(step));
                    }
                    _ => {}
                }
                if queue.begin_dispatch() {
                    while let Some((task, slot)) = queue.dispatch(at(step)) {
                        let (_, session, lane) = waiting.remove(&task).expect("it waited, and was served once");
                        running.push((slot, session, lane));
                        seen += 1;
                    }
                }
                let of_session = |session| running.iter().filter(|(_, of, _)| *of == session).count();
                let of_lane = |lane| running.iter().filter(|(.., of)| *of == lane).count();
                assert!(running.len() <= slots, "seed {seed}");
                assert!(
                    (0..4).all(|session| of_session(session) <= session_limit),
                    "seed {seed}"
                );
                assert!((0..3).all(|lane| of_lane(lane) <= lanes[lane]), "seed {seed}");
                assert_eq!(
                    (queue.running, queue.waiting),
                    (running.len(), waiting.len()),
                    "seed {seed}"
                );
                let could_start = |&(_, session, lane): &(Ticket, usize, usize)| {
                    running.len() < slots && of_session(session) < session_limit && of_lane(lane) < lanes[lane]
                };
                assert!(
                    !waiting.values().any(could_start),
                    "seed {seed}: a slot is free for one who waits"
                );
            }
            assert!(seen > 0);
        }
    }

    #[test]
    fn sessions_without_tasks_are_forgotten() {
        let mut queue = queue(1);
        for session in 0..100_000 {
            let slot = queue.try_start(&SessionId::new(session.to_string()), 0, at(0)).unwrap();
            queue.release(slot, at(0));
        }
        assert!(queue.by_session.len() <= REMEMBERED + 2, "{}", queue.by_session.len());
        assert!(queue.shares.len() <= REMEMBERED + 2);
    }
}
