//! Server of the page, on a thread of its own.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
};

use tokio::{runtime::Builder, sync::watch};

use crate::api::{self, App};

/// Reason that the page is shown when the server is dropped.
const OVER: &str = "the program ends";

/// Running server of an inspector. It stops when it is dropped.
///
/// ```
/// use async_tool_inspector::Inspector;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let server = Inspector::new().serve_quietly("127.0.0.1:0").await?;
/// assert!(server.address().ip().is_loopback());
/// assert_ne!(server.link(), server.link(), "each link has a token of its own");
/// server.stop();
/// # Ok(())
/// # }
/// ```
#[must_use = "the server stops when it is dropped"]
pub struct InspectorServer {
    app: Arc<App>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
}

impl InspectorServer {
    pub(crate) fn start(app: Arc<App>, listener: TcpListener, address: SocketAddr) -> io::Result<Self> {
        let (stop, mut stopped) = watch::channel(false);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let router = api::router(Arc::clone(&app));
        let served = Arc::clone(&app);
        thread::Builder::new()
            .name("async-tool-inspector".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    let listener = match tokio::net::TcpListener::from_std(listener) {
                        Ok(listener) => listener,
                        Err(error) => {
                            tracing::error!(target: "async_tool::inspector", %error, "the listener can't be used");
                            return;
                        }
                    };
                    let serving = axum::serve(listener, router);
                    tokio::select! {
                        end = serving => if let Err(error) = end {
                            tracing::error!(target: "async_tool::inspector", %error, "the server ended");
                        },
                        _ = stopped.wait_for(|stopped| *stopped) => {
                            served.hub.end(OVER.to_owned());
                            // The last frames go out.
                            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                        }
                    }
                });
            })?;
        Ok(Self { app, address, stop })
    }

    /// Address of the server.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Address of the page with a new one-time token. Give it only to a person who may see everything.
    #[must_use]
    pub fn link(&self) -> String {
        self.app.access.link(&format!("http://{}/", self.address))
    }

    /// Stops the server. The page says so.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for InspectorServer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

impl fmt::Debug for InspectorServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InspectorServer")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
