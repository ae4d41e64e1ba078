//! HTTP sessions of older revisions, which clients often leave without a word.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use futures_core::Stream;
use rmcp::{
    model::{ClientJsonRpcMessage, ServerJsonRpcMessage},
    transport::streamable_http_server::session::{
        ServerSseMessage, SessionId, SessionManager,
        local::{LocalSessionManager, SessionConfig},
    },
};
use tokio::time::Instant;

/// Time without a message after which a session ends. rmcp's five minutes would end silent calls.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Sessions that are kept at once. A client whose session has ended begins another one, as its revision wants it.
const MOST: usize = 4_096;

/// rmcp's sessions, with a bound on their number: a new one ends the one that was used the longest ago, of those without an open stream.
pub(super) struct Sessions {
    inner: LocalSessionManager,
    uses: Arc<Uses>,
    most: usize,
}

#[derive(Default)]
struct Uses(Mutex<HashMap<SessionId, Use>>);

struct Use {
    last: Instant,
    /// Open streams: of requests, and the one that a client listens on.
    streams: usize,
}

impl Sessions {
    pub(super) fn new() -> Self {
        let mut config = SessionConfig::default();
        config.keep_alive = Some(KEPT);
        let mut inner = LocalSessionManager::default();
        inner.session_config = config;
        Self {
            inner,
            uses: Arc::default(),
            most: MOST,
        }
    }

    fn streamed<S>(&self, id: &SessionId, stream: S) -> Streamed<S> {
        self.uses.note(id, |used| used.streams += 1);
        Streamed {
            stream: Box::pin(stream),
            uses: Arc::clone(&self.uses),
            id: id.clone(),
        }
    }
}

impl Uses {
    fn all(&self) -> MutexGuard<'_, HashMap<SessionId, Use>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, id: &SessionId, change: impl FnOnce(&mut Use)) {
        if let Some(used) = self.all().get_mut(id) {
            used.last = Instant::now();
            change(used);
        }
    }

    /// Takes the session out that was used the longest ago, if there are `most` or more.
    fn oldest(&self, most: usize) -> Option<SessionId> {
        let mut all = self.all();
        if all.len() < most {
            return None;
        }
        let idle = all.iter().filter(|(_, used)| used.streams == 0);
        let oldest = idle.min_by_key(|(_, used)| used.last)?.0.clone();
        all.remove(&oldest);
        Some(oldest)
    }
}

impl SessionManager for Sessions {
    type Error = <LocalSessionManager as SessionManager>::Error;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Self::Error> {
        if let Some(oldest) = self.uses.oldest(self.most) {
            tracing::debug!(target: "async_tool::mcp", session = %oldest, "too many sessions; the oldest one is ended");
            self.inner.close_session(&oldest).await?;
        }
        let created = self.inner.create_session().await?;
        let used = Use {
            last: Instant::now(),
            streams: 0,
        };
        self.uses.all().insert(created.0.clone(), used);
        Ok(created)
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Self::Error> {
        self.inner.initialize_session(id, message).await
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Self::Error> {
        self.uses.note(id, |_| {});
        self.inner.has_session(id).await
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        self.uses.all().remove(id);
        self.inner.close_session(id).await
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let stream = self.inner.create_stream(id, message).await?;
        Ok(self.streamed(id, stream))
    }

    async fn accept_message(&self, id: &SessionId, message: ClientJsonRpcMessage) -> Result<(), Self::Error> {
        self.inner.accept_message(id, message).await
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let stream = self.inner.create_standalone_stream(id).await?;
        Ok(self.streamed(id, stream))
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let stream = self.inner.resume(id, last_event_id).await?;
        Ok(self.streamed(id, stream))
    }
}

/// Stream of a session, which counts as its use until it is dropped.
struct Streamed<S> {
    stream: Pin<Box<S>>,
    uses: Arc<Uses>,
    id: SessionId,
}

impl<S: Stream> Stream for Streamed<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.as_mut().poll_next(cx)
    }
}

impl<S> Drop for Streamed<S> {
    fn drop(&mut self) {
        self.uses
            .note(&self.id, |used| used.streams = used.streams.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_new_session_ends_the_one_that_was_used_the_longest_ago() {
        let mut sessions = Sessions::new();
        sessions.most = 3;
        let mut transports = Vec::new();
        let mut ids = Vec::new();
        for _ in 0..3 {
            let (id, transport) = sessions.create_session().await.unwrap();
            transports.push(transport);
            ids.push(id);
            sleep(Duration::from_secs(1)).await;
        }
        // The first one has a stream, and the second one a message.
        let stream = sessions.streamed(&ids[0], ());
        assert!(sessions.has_session(&ids[1]).await.unwrap());
        for ended in [2, 1] {
            sleep(Duration::from_secs(1)).await;
            let (id, transport) = sessions.create_session().await.unwrap();
            transports.push(transport);
            assert!(!sessions.inner.has_session(&ids[ended]).await.unwrap(), "{ended}");
            assert!(sessions.inner.has_session(&id).await.unwrap());
            sleep(Duration::from_secs(1)).await;
            ids[ended] = id;
        }
        assert_eq!(sessions.inner.sessions.read().await.len(), 3);
        sleep(Duration::from_secs(1)).await;
        drop(stream);
        for id in &ids[1..] {
            sessions.has_session(id).await.unwrap();
        }
        sleep(Duration::from_secs(1)).await;
        for id in &ids[1..] {
            sessions.has_session(id).await.unwrap();
        }
        let _new = sessions.create_session().await.unwrap();
        assert!(
            !sessions.inner.has_session(&ids[0]).await.unwrap(),
            "its stream has ended"
        );
        assert_eq!(sessions.uses.all().len(), 3);
    }
}
