//! Events of many sessions in one channel.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::Sender;

use super::{AgentEvent, AgentEventKind};
use crate::{
    broadcast::{BroadcastStream, Received, next},
    clock::Timestamp,
    session::SessionId,
};

/// Number of events that the channel keeps for a slow reader.
const BACKLOG: usize = 4096;

/// Event of one of many sessions, from [`AgentRegistry::events`](super::AgentRegistry::events).
///
/// Its JSON is that of [`AgentEvent`], with the field `session`.
///
/// ```
/// use async_tool_runtime::{AgentEventKind, agent::SessionEvent};
/// use serde_json::{from_value, json};
///
/// let sent = json!({"session": "ann", "event": "user_message", "id": "2.0", "at": 1_000, "text": "help"});
/// let told: SessionEvent = from_value(sent)?;
/// assert_eq!(told.session.as_ref().map(|session| session.as_str()), Some("ann"));
/// assert!(matches!(told.event.kind, AgentEventKind::UserMessage { text, .. } if text == "help"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SessionEvent {
    /// The session. It is absent for [`Missed`](AgentEventKind::Missed): the missed events are of any sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The event.
    #[serde(flatten)]
    pub event: AgentEvent,
}

/// Channel of the events of many sessions. The first reader makes it.
#[derive(Clone, Debug, Default)]
pub(super) struct Audience(Arc<OnceLock<Sender<SessionEvent>>>);

impl Audience {
    pub(super) fn tell(&self, session: &SessionId, event: &AgentEvent) {
        let sender = self.0.get().filter(|sender| sender.receiver_count() > 0);
        if let Some(sender) = sender {
            let _nobody_listens_any_more = sender.send(SessionEvent {
                session: Some(session.clone()),
                event: event.clone(),
            });
        }
    }

    pub(super) fn subscribe(&self) -> RegistryEventStream {
        let receiver = self.0.get_or_init(|| Sender::new(BACKLOG)).subscribe();
        RegistryEventStream {
            events: BroadcastStream::new(receiver),
            last: Timestamp::default(),
        }
    }
}

/// Events of all sessions of a registry, from now on. It ends when the registry and its agents are gone.
///
/// A reader that falls more than 4,096 events behind gets [`AgentEventKind::Missed`].
#[derive(Debug)]
#[must_use = "a stream does nothing until it is read"]
pub struct RegistryEventStream {
    events: BroadcastStream<SessionEvent>,
    last: Timestamp,
}

impl RegistryEventStream {
    /// Waits for the next event.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: no event is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<SessionEvent> {
        next(self).await
    }
}

impl Stream for RegistryEventStream {
    type Item = SessionEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<SessionEvent>> {
        let told = match ready!(Pin::new(&mut self.events).poll_next(cx)) {
            Some(Received::Item(told)) => told,
            Some(Received::Missed(events)) => SessionEvent {
                session: None,
                event: AgentEvent::new(self.last, AgentEventKind::Missed { events }),
            },
            None => return Poll::Ready(None),
        };
        self.last = told.event.at;
        Poll::Ready(Some(told))
    }
}
