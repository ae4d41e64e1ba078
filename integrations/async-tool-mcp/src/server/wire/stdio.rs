//! A server on two streams, such as stdin and stdout.

use std::{io, sync::Arc};

use rmcp::{ServiceExt as _, service::ServerInitializeError};
use tokio::io::{AsyncRead, AsyncWrite};

use super::handler::Handler;
use crate::server::service::Service;

/// Serves one client, until it closes its stream.
pub(in crate::server) async fn serve_on(
    service: Arc<Service>,
    input: impl AsyncRead + Send + Unpin + 'static,
    output: impl AsyncWrite + Send + Unpin + 'static,
) -> io::Result<()> {
    let running = match Handler(service).serve((input, output)).await {
        Ok(running) => running,
        // A client that says nothing has done no wrong.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(io::Error::other(error)),
    };
    running.waiting().await.map_err(io::Error::other)?;
    Ok(())
}
