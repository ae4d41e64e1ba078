//! Streams of an agent's events.

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use tokio::sync::broadcast::Receiver;

use super::{AgentEvent, AgentEventKind, past::Past};
use crate::{
    broadcast::{BroadcastStream, Received, next},
    clock::Timestamp,
};

/// Events of an agent to the end of the session: from now on ([`events`](crate::AsyncAgent::events)), or from a place in
/// its journal ([`events_after`](crate::AsyncAgent::events_after)).
///
/// A reader that falls more than 1,024 events behind gets [`AgentEventKind::Missed`].
///
/// ```
/// use async_tool_runtime::{AgentEventKind, AsyncAgent, AsyncToolManager, RulePlanner};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = AsyncAgent::builder(RulePlanner::new(), AsyncToolManager::builder().build()?).start().await?;
/// let mut events = agent.events();
/// let reader = tokio::spawn(async move {
///     let mut text = String::new();
///     while let Some(event) = events.next().await {
///         if let AgentEventKind::Text { text: more, .. } = event.kind {
///             text.push_str(&more);
///         }
///     }
///     text
/// });
/// agent.run_to_completion("status").await?;
/// agent.close().await?;
/// assert!(reader.await?.ends_with("Nothing runs in the background."));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a stream does nothing until it is read"]
pub struct AgentEventStream {
    /// Events of the journal, which come first.
    past: Option<Box<Past>>,
    /// Running turn, as the stream was made.
    turn: Option<AgentEvent>,
    events: BroadcastStream<AgentEvent>,
    last: Timestamp,
    /// Last event of a session that was over before.
    end: Option<AgentEvent>,
    is_over: bool,
}

impl AgentEventStream {
    pub(super) fn new(receiver: Receiver<AgentEvent>, end: Option<AgentEvent>) -> Self {
        Self {
            past: None,
            turn: None,
            events: BroadcastStream::new(receiver),
            last: Timestamp::default(),
            end,
            is_over: false,
        }
    }

    /// Puts the events of the journal and the running turn before the live events.
    pub(super) fn after(mut self, past: Past, turn: Option<AgentEvent>) -> Self {
        // The journal has the end of a closed session.
        self.is_over = self.end.take_if(|end| end.id.is_some()).is_some();
        self.past = Some(Box::new(past));
        self.turn = turn;
        self
    }

    /// Waits for the next event; `None` when the session is over. A stream that is made after the end of the session has
    /// its last event.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: no event is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<AgentEvent> {
        next(self).await
    }
}

impl Stream for AgentEventStream {
    type Item = AgentEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<AgentEvent>> {
        if let Some(past) = &mut self.past {
            match ready!(past.poll_next(cx)) {
                Some(Ok(event)) => {
                    self.last = event.at;
                    return Poll::Ready(Some(event));
                }
                Some(Err(error)) => {
                    self.is_over = true;
                    self.past = None;
                    self.turn = None;
                    let source = error.source().map(|source| format!(": {source}"));
                    let reason = format!("{error}{}", source.unwrap_or_default());
                    let event = AgentEvent::new(self.last, AgentEventKind::Unreadable { reason });
                    return Poll::Ready(Some(event));
                }
                None => self.past = None,
            }
        }
        if let Some(event) = self.turn.take() {
            return Poll::Ready(Some(event));
        }
        if self.is_over {
            return Poll::Ready(None);
        }
        if let Some(end) = self.end.take() {
            self.is_over = true;
            return Poll::Ready(Some(end));
        }
        let event = match ready!(Pin::new(&mut self.events).poll_next(cx)) {
            Some(Received::Item(event)) => event,
            Some(Received::Missed(events)) => AgentEvent::new(self.last, AgentEventKind::Missed { events }),
            None => return Poll::Ready(None),
        };
        self.last = event.at;
        self.is_over = event.kind.is_last();
        Poll::Ready(Some(event))
    }
}
