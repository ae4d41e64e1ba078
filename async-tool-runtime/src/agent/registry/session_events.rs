//! Events of a session through the departures of its agents.

use std::{
    fmt,
    pin::{Pin, pin},
    sync::{Arc, Weak},
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use tokio::sync::Notify;

use super::places::Places;
use crate::{
    agent::{AgentEvent, AgentEventKind, AgentEventStream, EventId},
    broadcast::next,
    future::BoxFuture,
    session::SessionId,
};

/// Events of a session, from [`AgentRegistry::events_after`](super::AgentRegistry::events_after).
///
/// The stream ends after [`Closed`](AgentEventKind::Closed) or [`Unreadable`](AgentEventKind::Unreadable), and when the registry has
/// [left all sessions](super::AgentRegistry::leave_all) or is dropped.
#[must_use = "a stream does nothing until it is read"]
pub struct SessionEventStream {
    places: Weak<Places>,
    session: SessionId,
    /// Place in the journal behind which the next agent's events begin.
    last: EventId,
    /// Events of the agent; `None` between two agents, and at the end.
    events: Option<AgentEventStream>,
    /// Wait for the next agent.
    arrival: Option<BoxFuture<'static, Option<AgentEventStream>>>,
    /// Present until the stream is dropped.
    door: Option<Arc<Notify>>,
    is_over: bool,
}

impl SessionEventStream {
    pub(super) fn new(places: &Arc<Places>, session: SessionId, last: EventId, events: AgentEventStream) -> Self {
        Self {
            places: Arc::downgrade(places),
            door: Some(places.door(&session)),
            session,
            last,
            events: Some(events),
            arrival: None,
            is_over: false,
        }
    }

    /// Waits for the next event; `None` when no more can come.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: no event is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<AgentEvent> {
        next(self).await
    }
}

impl Stream for SessionEventStream {
    type Item = AgentEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<AgentEvent>> {
        let this = self.get_mut();
        loop {
            if let Some(events) = &mut this.events {
                let Some(event) = ready!(Pin::new(events).poll_next(cx)) else {
                    this.events = None;
                    continue;
                };
                this.last = event.id.unwrap_or(this.last);
                if matches!(event.kind, AgentEventKind::Closed | AgentEventKind::Unreadable { .. }) {
                    this.is_over = true;
                    this.events = None;
                }
                return Poll::Ready(Some(event));
            }
            let Some(door) = this.door.as_ref().filter(|_| !this.is_over) else {
                return Poll::Ready(None);
            };
            let arrival = this.arrival.get_or_insert_with(|| {
                let (places, session) = (Weak::clone(&this.places), this.session.clone());
                Box::pin(arrival(places, session, this.last, Arc::clone(door)))
            });
            this.events = ready!(arrival.as_mut().poll(cx));
            this.arrival = None;
            this.is_over = this.events.is_none();
        }
    }
}

/// Events of the next agent of a session; `None` if none will come.
async fn arrival(
    places: Weak<Places>,
    session: SessionId,
    last: EventId,
    door: Arc<Notify>,
) -> Option<AgentEventStream> {
    loop {
        let mut signal = pin!(door.notified());
        // Before the look, so that no agent is missed that comes after it.
        signal.as_mut().enable();
        let live = {
            let places = places.upgrade()?;
            let live = places.live(&session);
            if live.is_none() && places.map().has_ended {
                return None;
            }
            live
        };
        if let Some(agent) = live
            && let Ok(events) = agent.events_after(last).await
        {
            return Some(events);
        }
        signal.await;
    }
}

impl Drop for SessionEventStream {
    fn drop(&mut self) {
        // It has a clone of the door.
        self.arrival = None;
        if let Some((door, places)) = self.door.take().zip(self.places.upgrade()) {
            places.shut(&self.session, door);
        }
    }
}

impl fmt::Debug for SessionEventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionEventStream")
            .field("session", &self.session)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}
