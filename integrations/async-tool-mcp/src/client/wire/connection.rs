//! A connection to a server.

use std::sync::{Arc, Mutex, PoisonError};

use rmcp::{
    Peer, RoleClient,
    model::{ClientRequest, CustomRequest, SubscriptionFilter},
    service::{PeerRequestOptions, RunningServiceCancellationToken, Subscription},
};
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    in_flight::InFlight,
    pending::{Limits, Pending, failure},
};
use crate::client::failure::{ENDED, Failure};

/// Connection to a server. It ends when it is dropped.
pub(in crate::client) struct Connection {
    pub(super) peer: Peer<RoleClient>,
    pub(super) in_flight: Arc<InFlight>,
    pub(super) list_changed: Arc<Notify>,
    pub(super) ended: CancellationToken,
    /// Taken when the connection is dropped.
    pub(super) stop: Mutex<Option<RunningServiceCancellationToken>>,
}

impl Connection {
    /// Sends a request. `owner` is the session that it is for, if it is for one.
    pub(in crate::client) async fn send(
        &self,
        method: &'static str,
        params: Value,
        limits: Limits,
        owner: Option<Arc<str>>,
    ) -> Result<Pending, Failure> {
        // By its name and not by rmcp's type, so that nothing of the parameters is lost.
        let request = ClientRequest::CustomRequest(CustomRequest::new(method, Some(params)));
        let handle = self
            .peer
            .send_request_with_option(request, PeerRequestOptions::no_options());
        let handle = handle.await.map_err(|_| Failure::NotSent(ENDED.to_owned()))?;
        let words = self.in_flight.enter(&handle.id, &handle.progress_token, owner);
        Ok(Pending::new(handle, words, Arc::clone(&self.in_flight), limits))
    }

    /// Sends a request of the client itself, and waits for its answer.
    pub(in crate::client) async fn ask(
        &self,
        method: &'static str,
        params: Value,
        limits: Limits,
    ) -> Result<Value, Failure> {
        self.send(method, params, limits, None).await?.answer().await
    }

    /// Name and version of the server, and the revision of the protocol.
    pub(in crate::client) fn server(&self) -> (Option<(String, String)>, String) {
        let Some(info) = self.peer.peer_info() else {
            return (None, String::new());
        };
        let server = info.server_info.as_ref();
        let server = server.map(|server| (server.name.clone(), server.version.clone()));
        (server, info.protocol_version.to_string())
    }

    /// Waits until the list of tools has changed. Without an end if the server never tells.
    ///
    /// # Errors
    ///
    /// The server's stream of such news has ended.
    pub(in crate::client) async fn list_changed(&self, news: &mut Option<News>) -> Result<(), Failure> {
        let Some(News(subscription)) = news else {
            self.list_changed.notified().await;
            return Ok(());
        };
        tokio::select! {
            () = self.list_changed.notified() => Ok(()),
            event = subscription.next() => match event {
                Ok(Some(_)) => Ok(()),
                Ok(None) => Err(Failure::Lost("the server ended its stream of news".to_owned())),
                Err(error) => Err(failure(error)),
            },
        }
    }

    /// Subscribes to changes of the list of tools, where that needs a subscription; `None` where it doesn't, or the server has none.
    pub(in crate::client) async fn subscribe(&self) -> Result<Option<News>, Failure> {
        let info = self.peer.peer_info();
        let tells = info.as_ref().is_some_and(|info| {
            let tools = info.capabilities.tools.as_ref();
            tools.is_some_and(|tools| tools.list_changed == Some(true)) && !info.protocol_version.has_initialize()
        });
        if !tells {
            return Ok(None);
        }
        let filter = SubscriptionFilter::builder().tools_list_changed().build();
        self.peer
            .listen(filter)
            .await
            .map(|subscription| Some(News(subscription)))
            .map_err(failure)
    }

    /// Waits for the end of the connection.
    pub(in crate::client) async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let stop = self.stop.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(stop) = stop.take() {
            stop.cancel();
        }
    }
}

/// Subscription to changes of the list of tools.
#[derive(Debug)]
pub(in crate::client) struct News(Subscription);
