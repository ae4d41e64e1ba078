//! Channel of an agent's events.

use std::sync::{Arc, OnceLock};

use tokio::sync::broadcast::Sender;

use super::{AgentEvent, AgentEventStream, audience::Audience};
use crate::session::SessionId;

/// Number of events that the channel keeps for a slow reader.
const BACKLOG: usize = 1024;

/// Channel of an agent's events.
///
/// A channel allocates its whole backlog at once, which is more than the rest of an idle session. So the first reader
/// makes it: most sessions of a server never have one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Events(Arc<Channel>);

#[derive(Debug, Default)]
struct Channel {
    sender: OnceLock<Sender<AgentEvent>>,
    /// Last event of the session, for readers that come later.
    last: OnceLock<AgentEvent>,
    /// Channel of many sessions, which gets the events too.
    audience: OnceLock<(SessionId, Audience)>,
}

impl Events {
    pub(crate) fn send(&self, event: AgentEvent) {
        if event.kind.is_last() {
            // Set before it is sent: a reader that comes in between finds it here.
            let _the_first_one_stays = self.0.last.set(event.clone());
        }
        if let Some((session, audience)) = self.0.audience.get() {
            audience.tell(session, &event);
        }
        if let Some(sender) = self.0.sender.get() {
            let _nobody_listens_any_more = sender.send(event);
        }
    }

    /// Tells the events to the readers of many sessions too.
    pub(super) fn tell(&self, session: SessionId, audience: Audience) {
        let _the_first_one_stays = self.0.audience.set((session, audience));
    }

    /// Events from now on; for a session that is over, its last one.
    pub(crate) fn subscribe(&self) -> AgentEventStream {
        let receiver = self.0.sender.get_or_init(|| Sender::new(BACKLOG)).subscribe();
        AgentEventStream::new(receiver, self.0.last.get().cloned())
    }
}
