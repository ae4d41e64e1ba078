//! The link to a server, which outlives its connections.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_tool_runtime::{ToolError, ToolErrorKind};
use serde_json::Value;
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    catalog::{Catalog, Offer},
    event::McpEvent,
    failure::Failure,
    settings::Settings,
    target::McpTarget,
    wire::{Connection, Pending},
};

/// Events that a slow reader can be behind.
const EVENTS: usize = 256;

/// Link to a server: its connection, if there is one, and the tools that it offers.
pub(super) struct Link {
    pub(super) target: McpTarget,
    pub(super) settings: Settings,
    state: Mutex<State>,
    pub(super) events: broadcast::Sender<McpEvent>,
    /// Notified when a request has failed as if the server were gone.
    pub(super) suspicion: Arc<Notify>,
    /// Ends the keeper with the link.
    _end: DropGuard,
}

struct State {
    connection: Result<Arc<Connection>, String>,
    catalog: Catalog,
}

impl Link {
    pub(super) fn new(
        target: McpTarget,
        settings: Settings,
        connection: Connection,
        catalog: Catalog,
        end: CancellationToken,
    ) -> Self {
        Self {
            _end: end.drop_guard(),
            target,
            settings,
            state: Mutex::new(State {
                connection: Ok(Arc::new(connection)),
                catalog,
            }),
            events: broadcast::Sender::new(EVENTS),
            suspicion: Arc::default(),
        }
    }

    /// Connection, if there is one.
    pub(super) fn connection(&self) -> Result<Arc<Connection>, Failure> {
        let state = self.state();
        state.connection.clone().map_err(Failure::NotSent)
    }

    pub(super) fn catalog(&self) -> Catalog {
        self.state().catalog.clone()
    }

    /// Refuses a call of a tool that the server doesn't offer now.
    pub(super) fn check(&self, offer: &Offer) -> Result<(), ToolError> {
        let state = self.state();
        if let Err(why) = &state.connection {
            let why = format!("the tool is not available: {}", Failure::NotSent(why.clone()));
            return Err(ToolError::new(ToolErrorKind::Unavailable, why).with_not_started());
        }
        if state.catalog.find(&offer.remote).is_none() {
            let why = "the tool is not available: its server doesn't offer it any more";
            return Err(ToolError::new(ToolErrorKind::Unavailable, why)
                .with_not_started()
                .with_retryable(false));
        }
        Ok(())
    }

    /// Sends a request for a session.
    pub(super) async fn call(&self, params: Value, owner: &Arc<str>) -> Result<Pending, Failure> {
        let sent = self.connection()?;
        let sent = sent.send("tools/call", params, self.settings.call, Some(Arc::clone(owner)));
        self.noted(sent.await)
    }

    /// Sends a short request, and waits for its answer.
    pub(super) async fn ask(&self, method: &'static str, params: Value) -> Result<Value, Failure> {
        let answer = self.connection()?.ask(method, params, self.settings.control).await;
        self.noted(answer.and_then(super::reply::complete))
    }

    /// Notes if a failure may mean that the server is gone.
    pub(super) fn noted<T>(&self, result: Result<T, Failure>) -> Result<T, Failure> {
        if result.as_ref().is_err_and(Failure::is_of_connection) {
            self.suspicion.notify_one();
        }
        result
    }

    /// Notes that the connection was lost.
    pub(super) fn lose(&self, reason: String) {
        let mut state = self.state();
        if state.connection.is_err() {
            return;
        }
        tracing::warn!(target: "async_tool::mcp", server = %self.target, reason, "connection lost");
        let lost = std::mem::replace(&mut state.connection, Err(reason.clone()));
        let tools = state.catalog.names();
        drop(state);
        drop(lost);
        self.tell(McpEvent::Lost { reason, tools });
    }

    /// Notes a new connection.
    pub(super) fn regain(&self, connection: Connection, catalog: Catalog) {
        let tools = catalog.names();
        let mut state = self.state();
        state.connection = Ok(Arc::new(connection));
        drop(state);
        tracing::info!(target: "async_tool::mcp", server = %self.target, "connected again");
        self.tell(McpEvent::Back { tools });
        self.renew(catalog);
    }

    /// Notes the tools that the server offers now.
    pub(super) fn renew(&self, catalog: Catalog) {
        let mut state = self.state();
        let before = std::mem::replace(&mut state.catalog, catalog);
        let event = difference(&before, &state.catalog);
        drop(state);
        if let Some(event) = event {
            self.tell(event);
        }
    }

    fn tell(&self, event: McpEvent) {
        let _without_a_reader = self.events.send(event);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn difference(before: &Catalog, now: &Catalog) -> Option<McpEvent> {
    let by_name = |catalog: &Catalog| -> BTreeMap<Arc<str>, Arc<Offer>> {
        let offers = catalog.tools.iter();
        offers
            .map(|offer| (Arc::clone(&offer.name), Arc::clone(offer)))
            .collect()
    };
    let (before, now) = (by_name(before), by_name(now));
    let without = |all: &BTreeMap<Arc<str>, Arc<Offer>>, others: &BTreeMap<Arc<str>, Arc<Offer>>| {
        let names = all.keys().filter(|name| !others.contains_key(*name));
        names.cloned().collect::<Vec<_>>()
    };
    let (appeared, disappeared) = (without(&now, &before), without(&before, &now));
    let is_changed = |(name, offer): &(&Arc<str>, &Arc<Offer>)| before.get(*name).is_some_and(|known| known != *offer);
    let changed: Vec<_> = now
        .iter()
        .filter(is_changed)
        .map(|(name, _)| Arc::clone(name))
        .collect();
    if appeared.is_empty() && disappeared.is_empty() && changed.is_empty() {
        return None;
    }
    Some(McpEvent::Changed {
        appeared,
        disappeared,
        changed,
    })
}

/// Reason for a lost connection, without the words that the errors of calls add.
pub(super) fn reason(failure: &Failure) -> String {
    match failure {
        Failure::NotSent(why) | Failure::Lost(why) => why.clone(),
        other => other.to_string(),
    }
}
