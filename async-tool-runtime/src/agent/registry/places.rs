//! Sessions of a registry, and what their agents do: start, live, leave.
//!
//! One lock guards the map. It is never held across an await or while the host's code runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::error::RegistryError;
use crate::{
    agent::{AsyncAgent, AsyncAgentBuilder, audience::Audience},
    future::BoxFuture,
    journal::Journal,
    session::SessionId,
};

/// Function of the host that makes the builder of a session's agent.
pub(super) type Make =
    Arc<dyn Fn(SessionId) -> BoxFuture<'static, Result<AsyncAgentBuilder, Arc<dyn Error + Send + Sync>>> + Send + Sync>;

pub(super) struct Places {
    pub(super) journal: Arc<dyn Journal>,
    pub(super) make: Make,
    pub(super) idle: Duration,
    pub(super) limit: Option<usize>,
    pub(super) audience: Audience,
    map: Mutex<Map>,
}

#[derive(Default)]
pub(super) struct Map {
    // Ordered: the order of what happens must not depend on a hash.
    pub(super) places: BTreeMap<SessionId, Place>,
    /// Signals for streams that wait for the next agent of a session.
    doors: BTreeMap<SessionId, Weak<Notify>>,
    pub(super) has_ended: bool,
    /// Number of agents so far.
    count: u64,
}

/// Place of a session. A session that was left has none.
pub(super) enum Place {
    Starting {
        /// A closed channel without a value: the runtime of the start was shut down.
        started: watch::Receiver<Option<Started>>,
        /// True once the agent counts as live.
        has_room: bool,
        /// The session was left with a deadline, by the agent of this number. It holds still if the start fails.
        away: Option<u64>,
    },
    Live(Stay),
    /// A closed channel: the agent has left.
    Leaving(watch::Receiver<()>),
    /// Left, with a deadline at which it is resumed. The number is that of the agent that left.
    Away(u64),
}

/// Live agent.
#[derive(Clone)]
pub(super) struct Stay {
    pub(super) agent: AsyncAgent,
    /// Number of the agent in the registry.
    pub(super) number: u64,
    /// Time of the last `get`.
    pub(super) used: Instant,
}

/// Outcome of a start.
#[derive(Clone)]
pub(super) enum Started {
    Agent(AsyncAgent),
    Failed(RegistryError),
    /// The session has nothing to do, and no caller needs its agent.
    NoWork,
}

/// Room for one more agent.
pub(super) enum Room {
    Granted,
    /// After this agent, which is idle as far as its status says, has left.
    InPlaceOf(SessionId, u64),
    /// After an agent has left that is about to.
    Soon(watch::Receiver<()>),
    Full,
}

impl Places {
    pub(super) fn new(journal: Arc<dyn Journal>, make: Make, idle: Duration, limit: Option<usize>) -> Self {
        Self {
            journal,
            make,
            idle,
            limit,
            audience: Audience::default(),
            map: Mutex::default(),
        }
    }

    pub(super) fn map(&self) -> MutexGuard<'_, Map> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn live(&self, session: &SessionId) -> Option<AsyncAgent> {
        self.map().live(session).cloned()
    }

    pub(super) fn agents(&self) -> Vec<AsyncAgent> {
        let map = self.map();
        let live = map.places.keys().filter_map(|session| map.live(session));
        live.cloned().collect()
    }

    /// Signal that a session has an agent, or that it never will again.
    pub(super) fn door(&self, session: &SessionId) -> Arc<Notify> {
        let mut map = self.map();
        let known = map.doors.get(session).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let door = Arc::new(Notify::new());
            map.doors.insert(session.clone(), Arc::downgrade(&door));
            door
        })
    }

    /// Removes the signal of a session, unless another stream has it.
    pub(super) fn shut(&self, session: &SessionId, door: Arc<Notify>) {
        let mut map = self.map();
        drop(door);
        if map.doors.get(session).is_some_and(|door| door.strong_count() == 0) {
            map.doors.remove(session);
        }
    }

    /// Takes the agent of a session out, if it may leave; callers of `get` then wait until the sender is dropped. Put its
    /// next place in before that.
    pub(super) fn take_out(
        &self,
        session: &SessionId,
        may_leave: impl FnOnce(&Stay) -> bool,
    ) -> Option<(Stay, watch::Sender<()>)> {
        self.map().take_out(session, may_leave)
    }

    /// Puts the next place of a session in.
    pub(super) fn put(&self, session: &SessionId, place: Option<Place>) {
        let mut map = self.map();
        match place {
            Some(place) => drop(map.places.insert(session.clone(), place)),
            None => drop(map.places.remove(session)),
        }
    }

    /// Ends a start: the agent is live from now on. Returns its number.
    pub(super) fn admit(&self, session: &SessionId, started: &Started) -> Option<u64> {
        let mut map = self.map();
        let Started::Agent(agent) = started else {
            let away = map
                .away(session)
                .filter(|_| started.is_worth_a_retry() && !map.has_ended);
            match away {
                Some(number) => drop(map.places.insert(session.clone(), Place::Away(number))),
                None => drop(map.places.remove(session)),
            }
            return None;
        };
        map.count += 1;
        let number = map.count;
        let stay = Stay {
            agent: agent.clone(),
            number,
            used: Instant::now(),
        };
        map.places.insert(session.clone(), Place::Live(stay));
        if let Some(door) = map.doors.get(session).and_then(Weak::upgrade) {
            door.notify_waiters();
        }
        Some(number)
    }

    /// Looks for room for the agent of a session that is being started. `busy` are the agents that have refused to leave.
    pub(super) fn room(&self, session: &SessionId, busy: &BTreeSet<SessionId>) -> Room {
        let mut map = self.map();
        let is_free = self.limit.is_none_or(|limit| map.live_count() < limit);
        if is_free {
            if let Some(Place::Starting { has_room, .. }) = map.places.get_mut(session) {
                *has_room = true;
            }
            return Room::Granted;
        }
        let mut idle: Option<(&SessionId, &Stay)> = None;
        let mut leaving = None;
        for (other, place) in &map.places {
            match place {
                // The host may be about to use a handle.
                Place::Live(stay)
                    if stay.is_at_rest()
                        && !busy.contains(other)
                        && idle.is_none_or(|(_, oldest)| stay.used < oldest.used) =>
                {
                    idle = Some((other, stay));
                }
                Place::Leaving(left) if left.has_changed().is_ok() => leaving = Some(left.clone()),
                _ => {}
            }
        }
        match (idle, leaving) {
            (Some((other, stay)), _) => Room::InPlaceOf(other.clone(), stay.number),
            (None, Some(left)) => Room::Soon(left),
            (None, None) => Room::Full,
        }
    }

    /// Starts no more agents from now on, and returns the sessions that have one.
    pub(super) fn end(&self) -> Vec<SessionId> {
        let mut map = self.map();
        map.has_ended = true;
        map.places.retain(|_, place| !matches!(place, Place::Away(_)));
        map.open_doors();
        map.places.keys().cloned().collect()
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        self.map().open_doors();
    }
}

impl Map {
    pub(super) fn take_out(
        &mut self,
        session: &SessionId,
        may_leave: impl FnOnce(&Stay) -> bool,
    ) -> Option<(Stay, watch::Sender<()>)> {
        let Some(Place::Live(stay)) = self.places.get(session) else {
            return None;
        };
        if !may_leave(stay) {
            return None;
        }
        let stay = stay.clone();
        let (left, leaving) = watch::channel(());
        self.places.insert(session.clone(), Place::Leaving(leaving));
        Some((stay, left))
    }

    fn live(&self, session: &SessionId) -> Option<&AsyncAgent> {
        match self.places.get(session) {
            Some(Place::Live(stay)) if !stay.agent.is_over() => Some(&stay.agent),
            _ => None,
        }
    }

    /// Number of the agent that left the session with a deadline, if no agent has lived since.
    pub(super) fn away(&self, session: &SessionId) -> Option<u64> {
        match self.places.get(session)? {
            Place::Away(number) => Some(*number),
            Place::Starting { away, .. } => *away,
            Place::Live(_) | Place::Leaving(_) => None,
        }
    }

    fn live_count(&self) -> usize {
        let counts = |place: &&Place| match place {
            Place::Starting { has_room, .. } => *has_room,
            Place::Live(_) => true,
            Place::Leaving(left) => left.has_changed().is_ok(),
            Place::Away(_) => false,
        };
        self.places.values().filter(counts).count()
    }

    fn open_doors(&self) {
        for door in self.doors.values().filter_map(Weak::upgrade) {
            door.notify_waiters();
        }
    }
}

impl Started {
    /// True if the start failed and may succeed later: the session is open, and no other agent has it.
    fn is_worth_a_retry(&self) -> bool {
        match self {
            Self::Failed(error) => !error.is_conflict() && !error.is_closed() && !matches!(error, RegistryError::Ended),
            Self::Agent(_) | Self::NoWork => false,
        }
    }
}

impl Stay {
    /// True if the agent can leave for another one: nothing happens, and the host has no handle.
    pub(super) fn is_at_rest(&self) -> bool {
        self.agent.commands.strong_count() == 1 && self.agent.status.borrow().is_at_rest()
    }
}
