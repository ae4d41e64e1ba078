//! The way to a connection: revision 2026-07-28 first, `initialize` after it.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use rmcp::{
    RoleClient,
    model::ProtocolVersion,
    service::{ClientInitializeError, ClientLifecycleMode, ClientServiceExt as _, RunningService},
    transport::IntoTransport,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{connection::Connection, handler::Handler, transport};
use crate::client::{
    failure::Failure,
    settings::Settings,
    target::{McpTarget, Place},
};

/// Reason for which there is no connection.
#[derive(Clone, Debug)]
pub(in crate::client) enum OpenError {
    /// The server wants credentials.
    Unauthorized,
    Other(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthorized => Failure::Unauthorized.fmt(f),
            Self::Other(why) => f.write_str(why),
        }
    }
}

/// Connects to a server.
///
/// A server of an older revision is known by any error of its answer to `server/discover`. One that ends the connection instead gets a
/// second connection, which begins with `initialize`.
pub(in crate::client) async fn open(target: &McpTarget, settings: &Settings) -> Result<Connection, OpenError> {
    let modern = ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        legacy_version: Some(ProtocolVersion::V_2025_11_25),
    };
    let first = match attempt(target, settings, modern).await {
        Ok(connection) => return Ok(connection),
        Err(Attempt::Final(error)) => return Err(error),
        Err(Attempt::MayBeOlder(why)) => why,
    };
    match attempt(target, settings, ClientLifecycleMode::Initialize).await {
        Ok(connection) => Ok(connection),
        Err(Attempt::Final(error)) => Err(error),
        Err(Attempt::MayBeOlder(second)) if first == second => Err(OpenError::Other(first)),
        Err(Attempt::MayBeOlder(second)) => Err(OpenError::Other(format!("{first}; with `initialize`: {second}"))),
    }
}

enum Attempt {
    Final(OpenError),
    /// A server of an older revision may fail like this.
    MayBeOlder(String),
}

async fn attempt(
    target: &McpTarget,
    settings: &Settings,
    lifecycle: ClientLifecycleMode,
) -> Result<Connection, Attempt> {
    let failed = |why: String| Attempt::Final(OpenError::Other(why));
    match &target.0 {
        Place::Url(url) => {
            let transport = transport::http(url, settings).map_err(failed)?;
            serve(transport, settings, lifecycle).await
        }
        Place::Command(command) => {
            let name = command.program.display();
            let child = transport::child(command).map_err(|error| failed(format!("can't start `{name}`: {error}")))?;
            serve(child, settings, lifecycle).await
        }
        Place::Streams(connect) => {
            let connected = timeout(settings.connect, connect()).await;
            let connected =
                connected.map_err(|_| failed(format!("there were no streams within {:?}", settings.connect)))?;
            let streams = connected.map_err(|error| failed(error.to_string()))?;
            serve(streams, settings, lifecycle).await
        }
    }
}

async fn serve<T, E, A>(
    transport: T,
    settings: &Settings,
    lifecycle: ClientLifecycleMode,
) -> Result<Connection, Attempt>
where
    T: IntoTransport<RoleClient, E, A>,
    E: std::error::Error + Send + Sync + 'static,
{
    let handler = Handler {
        in_flight: Arc::default(),
        list_changed: Arc::default(),
    };
    let (in_flight, list_changed) = (Arc::clone(&handler.in_flight), Arc::clone(&handler.list_changed));
    let opened = handler.serve_with_lifecycle(transport, lifecycle);
    let running = match timeout(settings.connect, opened).await {
        Ok(Ok(running)) => running,
        Ok(Err(error)) => return Err(refusal(error)),
        Err(_) => {
            let why = format!("the server did not answer within {:?}", settings.connect);
            return Err(Attempt::Final(OpenError::Other(why)));
        }
    };
    let peer = running.peer().clone();
    let stop = running.cancellation_token();
    let ended = CancellationToken::new();
    tokio::spawn(watch(running, ended.clone()));
    Ok(Connection {
        peer,
        in_flight,
        list_changed,
        ended,
        stop: Mutex::new(Some(stop)),
    })
}

async fn watch(running: RunningService<RoleClient, Handler>, ended: CancellationToken) {
    let _its_end_counts = running.waiting().await;
    ended.cancel();
}

fn refusal(error: ClientInitializeError) -> Attempt {
    if error.is_authorization_required() {
        return Attempt::Final(OpenError::Unauthorized);
    }
    match error {
        ClientInitializeError::TransportError { error, .. } => match transport::failure(&*error.error) {
            Failure::Unauthorized => Attempt::Final(OpenError::Unauthorized),
            Failure::NotSent(why) => Attempt::Final(OpenError::Other(why)),
            other => Attempt::MayBeOlder(other.to_string()),
        },
        ClientInitializeError::JsonRpcError(error) => Attempt::MayBeOlder(format!(
            "{} [code {}]",
            crate::client::failure::shown(&error.message),
            error.code.0
        )),
        ClientInitializeError::ConnectionClosed(_) => Attempt::MayBeOlder("the server ended the connection".to_owned()),
        ClientInitializeError::ExpectedInitResult(_) | ClientInitializeError::ExpectedInitResponse(_) => {
            Attempt::MayBeOlder("the server's answer is no answer to `initialize` or `server/discover`".to_owned())
        }
        ClientInitializeError::LegacyFallbackFailed { fallback, .. } => match refusal(*fallback) {
            Attempt::MayBeOlder(why) => Attempt::Final(OpenError::Other(why)),
            last @ Attempt::Final(_) => last,
        },
        other => Attempt::MayBeOlder(crate::client::failure::shown(&other.to_string())),
    }
}
