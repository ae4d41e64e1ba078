//! The place of a server whose processes come and go.

use std::{
    io,
    net::TcpListener,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_tool_mcp::{McpServer, McpTarget};
use async_tool_runtime::journal::MemoryJournal;
use tokio::{
    io::{duplex, split},
    runtime::{Builder, Handle, Runtime},
};

use super::work::{Counts, manager};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Wire {
    Http,
    Streams,
}

pub(super) const WIRES: [Wire; 2] = [Wire::Http, Wire::Streams];

/// The place of a server: the same for all its processes.
pub(super) struct Place {
    wire: Wire,
    port: u16,
    pub(super) counts: Counts,
    journal: Option<Arc<MemoryJournal>>,
    process: Option<Runtime>,
    /// Process that new streams lead to.
    current: Arc<Mutex<Option<(Handle, McpServer)>>>,
}

impl Place {
    pub(super) async fn start(wire: Wire) -> Self {
        Self::with(wire, None).await
    }

    /// A server whose tasks survive it.
    pub(super) async fn kept(wire: Wire) -> Self {
        Self::with(wire, Some(Arc::default())).await
    }

    async fn with(wire: Wire, journal: Option<Arc<MemoryJournal>>) -> Self {
        let probe = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let mut place = Self {
            wire,
            port: probe.local_addr().unwrap().port(),
            counts: Counts::default(),
            journal,
            process: None,
            current: Arc::default(),
        };
        drop(probe);
        place.begin().await;
        place
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.port)
    }

    pub(super) fn target(&self) -> McpTarget {
        if self.wire == Wire::Http {
            return self.url().into();
        }
        let current = Arc::clone(&self.current);
        McpTarget::streams(move || {
            let current = current.lock().unwrap().clone();
            async move {
                let gone = || io::Error::from(io::ErrorKind::ConnectionRefused);
                let (handle, server) = current.ok_or_else(gone)?;
                let (near, far) = duplex(1 << 16);
                let (input, output) = split(far);
                handle.spawn(server.serve_on(input, output));
                Ok(split(near))
            }
        })
    }

    /// Starts the next process.
    pub(super) async fn begin(&mut self) {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (journal, counts, port, wire) = (self.journal.clone(), self.counts.clone(), self.port, self.wire);
        let begun = runtime.spawn(async move {
            let mut server = McpServer::new(manager(&counts)).poll_interval(Duration::from_millis(50));
            if let Some(journal) = journal {
                server = server.journal(journal).await.unwrap();
            }
            if wire == Wire::Http {
                let listener = loop {
                    match tokio::net::TcpListener::bind(("127.0.0.1", port)).await {
                        Ok(listener) => break listener,
                        Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                    }
                };
                let router = server.clone().into_router();
                tokio::spawn(async move { axum::serve(listener, router).await });
            }
            server
        });
        let server = super::within(begun).await.unwrap();
        *self.current.lock().unwrap() = Some((runtime.handle().clone(), server));
        self.process = Some(runtime);
    }

    /// Ends the process, as a kill does.
    pub(super) async fn kill(&mut self) {
        *self.current.lock().unwrap() = None;
        if let Some(process) = self.process.take() {
            let ended = tokio::task::spawn_blocking(move || process.shutdown_timeout(Duration::from_secs(10)));
            ended.await.unwrap();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            process.shutdown_background();
        }
    }
}
