//! Server of the page, on a thread of its own.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
    time::Duration,
};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    runtime::Builder,
    sync::{Semaphore, watch},
};

use crate::api::{self, App};

/// Reason that the page is shown when the server is dropped.
const OVER: &str = "the program ends";
/// Connections besides those of viewers. More wait, so other programs can't use up the files of the host's process.
const CONNECTIONS: usize = 64;
/// Longest time for the head of a request, and between two requests of a connection.
const HEAD: Duration = Duration::from_secs(10);
/// Pause after a connection that could not be accepted, as when the process has no files left.
const RECOVERY: Duration = Duration::from_millis(100);

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
                    let places = Arc::new(Semaphore::new(served.hub.max_viewers().saturating_add(CONNECTIONS)));
                    tokio::select! {
                        () = serve(listener, router, places, HEAD) => {}
                        _ = stopped.wait_for(|stopped| *stopped) => {
                            served.hub.end(OVER.to_owned());
                            // The last frames go out.
                            tokio::time::sleep(Duration::from_millis(50)).await;
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
        // No browser goes to the address that stands for all, and the name of this machine is the host's to tell.
        match self.address.ip().is_unspecified() {
            true => self
                .app
                .access
                .link(&format!("http://localhost:{}/", self.address.port())),
            false => self.app.access.link(&format!("http://{}/", self.address)),
        }
    }

    /// Waits until the page has been opened in a browser, for a program that is only worth watching from its start.
    ///
    /// ```no_run
    /// use async_tool_inspector::Inspector;
    /// use std::time::Duration;
    /// use tokio::time::timeout;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let server = Inspector::new().serve("127.0.0.1:0").await?;
    /// let _nobody_may_come = timeout(Duration::from_secs(20), server.viewed()).await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn viewed(&self) {
        self.app.hub.viewed().await;
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

/// Serves connections, as many at a time as there are places. Never ends.
async fn serve(listener: tokio::net::TcpListener, router: Router, places: Arc<Semaphore>, head: Duration) {
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(target: "async_tool::inspector", %error, "a connection was not accepted");
                tokio::time::sleep(RECOVERY).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let _place = place;
            // Frames are small, and each is wanted at once.
            let _slower = stream.set_nodelay(true);
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(head);
            if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(target: "async_tool::inspector", %error, "a connection broke");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
        time::timeout,
    };

    use super::*;

    /// Server with this many places, and its address.
    async fn server(places: usize, head: Duration) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "hello"));
        tokio::spawn(serve(listener, router, Arc::new(Semaphore::new(places)), head));
        address
    }

    async fn ask(address: SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_connection_beyond_the_limit_waits_until_another_one_is_closed() {
        let address = server(2, Duration::from_secs(3_600)).await;
        let silent = [
            TcpStream::connect(address).await.unwrap(),
            TcpStream::connect(address).await.unwrap(),
        ];
        let mut answer = Box::pin(ask(address));
        let early = timeout(Duration::from_millis(200), answer.as_mut()).await;
        assert!(early.is_err(), "{early:?}");
        drop(silent);
        assert!(answer.await.ends_with("hello"));
    }

    #[tokio::test]
    async fn a_connection_that_sends_no_whole_request_is_closed() {
        let address = server(1, Duration::from_millis(50)).await;
        for begin in ["", "GET / HTTP/1.1\r\nhost: a\r\n", "GET / HTTP/1.1\r\nhost: a\r\n\r\n"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(begin.as_bytes()).await.unwrap();
            let mut told = String::new();
            let _closed = stream.read_to_string(&mut told).await;
            assert_eq!(told.ends_with("hello"), begin.ends_with("\r\n\r\n"), "{begin}: {told}");
        }
        assert!(ask(address).await.ends_with("hello"));
    }
}
