//! Life of an agent in a registry: its start, its departure when it is idle, and its return at a deadline.
//!
//! One tokio task per agent. It holds no handle of the registry while it waits, so it keeps none alive.

use std::{
    collections::BTreeSet,
    future::Future,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};

use super::{
    error::RegistryError,
    places::{Place, Places, Room, Started, Stay},
};
use crate::{
    agent::{AgentError, AgentState, AsyncAgent, Departure, StartError, idleness::Idleness, status::AgentStatus},
    session::SessionId,
    unwind,
};

/// Name of the host's function, in the error of a panic.
const PART: &str = "the function that makes agents";
/// Pause before a session is resumed again that could not be resumed for its deadline.
const AGAIN: Duration = Duration::from_secs(30);
/// Shortest time between two looks at an agent that is at work.
const LOOK: Duration = Duration::from_millis(10);
/// Time that is too far away to matter.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// Purpose of a start.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// A caller needs the agent.
    Get,
    /// The process has started: the agent is needed if the session has work.
    Recover,
}

/// Outcome of an attempt to leave a session.
enum Next {
    /// The agent stays, and may leave at this time.
    Look(Instant),
    Gone,
}

impl Places {
    /// Agent of a session. `None` if the session has no work and its agent was not started, for a caller that recovers.
    pub(super) async fn get(
        self: &Arc<Self>,
        session: &SessionId,
        mode: Mode,
    ) -> Result<Option<AsyncAgent>, RegistryError> {
        enum Wait {
            Start(watch::Receiver<Option<Started>>),
            Departure(watch::Receiver<()>),
        }
        Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        loop {
            let wait = {
                let mut map = self.map();
                if map.has_ended {
                    return Err(RegistryError::Ended);
                }
                let over = map.take_out(session, |stay| stay.agent.is_over());
                if let Some((stay, left)) = over {
                    // It has stopped or left by itself, and its tenancy doesn't know yet.
                    let (places, session) = (Arc::clone(self), session.clone());
                    tokio::spawn(async move { places.see_off(&session, &stay.agent, left).await });
                }
                match map.places.get_mut(session) {
                    Some(Place::Live(stay)) if stay.agent.state() == AgentState::Closing => {
                        let session = session.clone();
                        return Err(StartError::SessionClosed { session }.into());
                    }
                    Some(Place::Live(stay)) => {
                        stay.used = Instant::now();
                        return Ok(Some(stay.agent.clone()));
                    }
                    Some(Place::Starting { started, .. }) if is_under_way(started) => Wait::Start(started.clone()),
                    Some(Place::Leaving(left)) if left.has_changed().is_ok() => Wait::Departure(left.clone()),
                    _ => {
                        let (told, started) = watch::channel(None);
                        let place = Place::Starting {
                            started: started.clone(),
                            has_room: false,
                            away: map.away(session),
                        };
                        map.places.insert(session.clone(), place);
                        tokio::spawn(tenancy(Arc::downgrade(self), session.clone(), mode, told));
                        Wait::Start(started)
                    }
                }
            };
            match wait {
                Wait::Start(mut started) => match started.wait_for(Option::is_some).await.as_deref() {
                    Ok(Some(Started::Agent(agent))) => return Ok(Some(agent.clone())),
                    Ok(Some(Started::Failed(error))) => return Err(error.clone()),
                    Ok(Some(Started::NoWork)) => return Ok(None),
                    // The runtime of the start was shut down.
                    Ok(None) | Err(_) => {}
                },
                Wait::Departure(mut left) => while left.changed().await.is_ok() {},
            }
        }
    }

    /// Lets all agents leave, within a limit.
    pub(super) async fn leave_all(self: &Arc<Self>, limit: Duration) -> Departure {
        let mut late: BTreeSet<SessionId> = self.end().into_iter().collect();
        let (tell, mut told) = mpsc::unbounded_channel();
        for session in &late {
            let (places, session, tell) = (Arc::clone(self), session.clone(), tell.clone());
            // Not in the future of the caller, which may be dropped.
            tokio::spawn(async move {
                let end = places.leave(&session).await;
                let _the_caller_has_gone = tell.send((session, end));
            });
        }
        drop(tell);
        let mut departure = Departure::default();
        let mut end = std::pin::pin!(sleep(limit));
        loop {
            let (session, end) = tokio::select! {
                biased;
                told = told.recv() => match told {
                    Some(told) => told,
                    None => break,
                },
                () = &mut end => break,
            };
            late.remove(&session);
            match end {
                Some(Ok(())) => departure.left.push(session),
                Some(Err(why)) => departure.failed.push((session, why)),
                None => {}
            }
        }
        departure.left.sort();
        departure.failed.sort();
        departure.late.extend(late);
        departure
    }

    /// Lets the agent of a session leave, also one that is being started. `None` if it has none.
    async fn leave(self: &Arc<Self>, session: &SessionId) -> Option<Result<(), String>> {
        let mut end = None;
        loop {
            if let Some((stay, left)) = self.take_out(session, |_| true) {
                return Some(self.see_off(session, &stay.agent, left).await);
            }
            let (starting, leaving) = match self.map().places.get(session) {
                Some(Place::Starting { started, .. }) if is_under_way(started) => (Some(started.clone()), None),
                Some(Place::Leaving(left)) if left.has_changed().is_ok() => (None, Some(left.clone())),
                _ => return end,
            };
            if let Some(mut started) = starting {
                let _the_runtime_is_gone = started.wait_for(Option::is_some).await;
            }
            if let Some(mut left) = leaving {
                while left.changed().await.is_ok() {}
                end = Some(Ok(()));
            }
        }
    }

    /// Lets an agent leave that was taken out.
    async fn see_off(&self, session: &SessionId, agent: &AsyncAgent, left: watch::Sender<()>) -> Result<(), String> {
        let end = agent.leave().await;
        self.put(session, None);
        drop(left);
        match end {
            Err(AgentError::Stopped(why)) => Err(why),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    async fn start(self: &Arc<Self>, session: &SessionId, mode: Mode) -> Started {
        if let Err(full) = self.make_room(session).await {
            return Started::Failed(full);
        }
        let made = unwind::finish(PART, || (self.make)(session.clone())).await;
        let builder = match made {
            Ok(Ok(builder)) => builder,
            Ok(Err(error)) => return Started::Failed(RegistryError::Builder(error)),
            Err(panic) => return Started::Failed(StartError::Panicked(panic.to_string()).into()),
        };
        let builder = builder
            .session(session.clone())
            .journal(Arc::clone(&self.journal))
            .audience(self.audience.clone());
        let started = match mode {
            Mode::Get => builder.resume_or_start().await.map(Some),
            Mode::Recover => builder.resume_working().await,
        };
        match started {
            Ok(Some(agent)) => Started::Agent(agent),
            Ok(None) => Started::NoWork,
            Err(error) => Started::Failed(error.into()),
        }
    }

    async fn make_room(self: &Arc<Self>, session: &SessionId) -> Result<(), RegistryError> {
        let mut busy = BTreeSet::new();
        loop {
            match self.room(session, &busy) {
                Room::Granted => return Ok(()),
                Room::InPlaceOf(other, number) => {
                    let next = self
                        .leave_if_idle(&other, number, Duration::ZERO, Stay::is_at_rest)
                        .await;
                    if matches!(next, Next::Look(_)) {
                        busy.insert(other);
                    }
                }
                Room::Soon(mut left) => while left.changed().await.is_ok() {},
                Room::Full => {
                    let limit = self.limit.unwrap_or(usize::MAX);
                    return Err(RegistryError::Full { limit });
                }
            }
        }
    }

    /// Lets an agent leave that has been idle for some time. Callers of `get` wait meanwhile.
    async fn leave_if_idle(
        self: &Arc<Self>,
        session: &SessionId,
        number: u64,
        idle: Duration,
        may_leave: impl FnOnce(&Stay) -> bool,
    ) -> Next {
        let now = Instant::now();
        let mut next = None;
        let taken = self.take_out(session, |stay| {
            let rested = later(stay.used, idle);
            next = (stay.number == number).then_some(rested);
            stay.number == number && rested <= now && may_leave(stay)
        });
        let Some((stay, left)) = taken else {
            // Another caller has taken it out, and may put it in again.
            let soon = later(now, idle.max(LOOK));
            return Next::Look(next.filter(|rested| *rested > now).unwrap_or(soon));
        };
        let (place, next) = match stay.agent.leave_if_idle(idle).await {
            Some(Idleness::Busy) => (Some(Place::Live(stay)), Next::Look(later(now, idle.max(LOOK)))),
            Some(Idleness::Resting(rested)) => (Some(Place::Live(stay)), Next::Look(rested)),
            Some(Idleness::Left { deadline }) => {
                let deadline = deadline.filter(|_| !self.map().has_ended);
                let place = deadline.map(|at| {
                    self.wake(session, number, at.since(stay.agent.manager.now()));
                    Place::Away(number)
                });
                (place, Next::Gone)
            }
            None => (None, Next::Gone),
        };
        self.put(session, place);
        drop(left);
        next
    }

    /// Resumes a session that was left when the time has come, unless it was resumed before.
    fn wake(self: &Arc<Self>, session: &SessionId, number: u64, pause: Duration) {
        let (places, session) = (Arc::downgrade(self), session.clone());
        tokio::spawn(async move {
            sleep(pause).await;
            let is_away = |places: &Arc<Self>| places.map().away(&session) == Some(number);
            while let Some(here) = places.upgrade().filter(is_away) {
                let resumed = Box::pin(here.get(&session, Mode::Get)).await;
                if let Err(error) = resumed
                    && is_away(&here)
                {
                    tracing::warn!(target: "async_tool::agent", %error, %session, "a session can't be resumed for its deadline");
                }
                drop(here);
                sleep(AGAIN).await;
            }
        });
    }
}

/// Starts the agent of a session, and watches it until it is gone.
async fn tenancy(places: Weak<Places>, session: SessionId, mode: Mode, told: watch::Sender<Option<Started>>) {
    let Some(here) = places.upgrade() else { return };
    let started = Box::pin(here.start(&session, mode)).await;
    let number = here.admit(&session, &started);
    let status = match &started {
        Started::Agent(agent) => Some(agent.status.clone()),
        Started::Failed(_) | Started::NoWork => None,
    };
    told.send_replace(Some(started));
    drop(told);
    let idle = here.idle;
    drop(here);
    if let Some((number, status)) = number.zip(status) {
        watch(places, session, number, status, idle).await;
    }
}

/// Lets an agent leave when it is idle; removes it when it is over.
#[expect(
    clippy::manual_async_fn,
    reason = "a departure may start the next agent, so the compiler can't find out by itself that this is Send"
)]
fn watch(
    places: Weak<Places>,
    session: SessionId,
    number: u64,
    mut status: watch::Receiver<AgentStatus>,
    idle: Duration,
) -> impl Future<Output = ()> + Send {
    async move {
        let mut look = later(Instant::now(), idle);
        loop {
            let is_over = tokio::select! {
                biased;
                changed = status.changed() => {
                    if changed.is_ok() && !status.borrow().is_over() {
                        continue;
                    }
                    true
                }
                () = sleep_until(look) => false,
            };
            let Some(here) = places.upgrade() else { return };
            if is_over {
                if let Some((stay, left)) = here.take_out(&session, |stay| stay.number == number) {
                    let _told_by_its_events = Box::pin(here.see_off(&session, &stay.agent, left)).await;
                }
                return;
            }
            match Box::pin(here.leave_if_idle(&session, number, idle, |_| true)).await {
                Next::Look(at) => look = at,
                Next::Gone => return,
            }
        }
    }
}

fn is_under_way(started: &watch::Receiver<Option<Started>>) -> bool {
    started.has_changed().is_ok() || started.borrow().is_some()
}

fn later(at: Instant, by: Duration) -> Instant {
    at.checked_add(by).unwrap_or_else(|| at + FAR)
}
