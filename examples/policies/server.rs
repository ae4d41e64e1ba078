//! An HTTP server that fails on a fixed schedule.

use std::{
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::Instant,
};

use crate::{
    http::{Answer, read_request, write_answer},
    index::Index,
    window::most_within,
};

/// Requests that the server allows within [`SPAN`]; further requests get a 429.
pub(crate) const QUOTA: usize = 4;
/// Window of the quota.
pub(crate) const SPAN: Duration = Duration::from_secs(1);
/// Number of the request that gets a 503 with `Retry-After: 1`.
pub(crate) const HICCUP: usize = 2;
/// Numbers of the requests that get a 503 without `Retry-After`.
pub(crate) const OUTAGE: RangeInclusive<usize> = 10..=15;

/// A server on this machine, on a free port; dropping it stops it.
pub(crate) struct Server {
    address: SocketAddr,
    log: Arc<Mutex<Log>>,
    accepting: JoinHandle<()>,
}

/// Log of the requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    /// Times of the requests.
    pub(crate) requests: Vec<Instant>,
    /// Number of answers with each status: 200, 404, 429, 503.
    pub(crate) statuses: std::collections::BTreeMap<u16, usize>,
}

impl Server {
    pub(crate) async fn start(index: Index) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let log = Arc::<Mutex<Log>>::default();
        let accepting = tokio::spawn(accept(listener, Arc::new(index), Arc::clone(&log)));
        Ok(Self {
            address,
            log,
            accepting,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn log(&self) -> Log {
        lock(&self.log).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, index: Arc<Index>, log: Arc<Mutex<Log>>) {
    // An error concerns a single connection or is transient, so the loop continues.
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&index), Arc::clone(&log)));
        }
    }
}

/// Answers one request. Ignores errors, because the client may have disconnected.
async fn serve(mut stream: TcpStream, index: Arc<Index>, log: Arc<Mutex<Log>>) {
    if let Ok(path) = read_request(&mut stream).await {
        let answer = lock(&log).answer(&path, &index, Instant::now());
        let _client_disconnected = write_answer(&mut stream, &answer).await;
    }
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    fn answer(&mut self, path: &str, index: &Index, now: Instant) -> Answer {
        self.requests.push(now);
        let recent = self.requests.iter().filter(|at| now - **at < SPAN).count();
        let number = self.requests.len();
        let package = path.strip_prefix("/packages/").and_then(|name| index.find(name));
        let (status, retry_after, body) = match package {
            _ if recent > QUOTA => (429, Some(SPAN), "too many requests".to_owned()),
            _ if number == HICCUP => (503, Some(Duration::from_secs(1)), "busy".to_owned()),
            _ if OUTAGE.contains(&number) => (503, None, "down".to_owned()),
            Some(package) => (200, None, serde_json::json!(package).to_string()),
            None => (404, None, "no such package".to_owned()),
        };
        *self.statuses.entry(status).or_default() += 1;
        Answer {
            status,
            retry_after,
            body,
        }
    }

    /// Largest number of requests within any window of the quota's length.
    pub(crate) fn busiest(&self) -> usize {
        most_within(&self.requests, SPAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = "name = \"mug\"\nversion = \"1.0.0\"\n";

    #[test]
    fn a_server_has_its_bad_moments_and_keeps_its_quota() {
        let (index, begin) = (Index::read(LOCK), Instant::now());
        let mut log = Log::default();
        let mut ask = |path: &str, millis| log.answer(path, &index, begin + Duration::from_millis(millis));
        assert_eq!(ask("/packages/mug", 0).status, 200);
        let hiccup = ask("/packages/mug", 1);
        assert_eq!((hiccup.status, hiccup.retry_after), (503, Some(Duration::from_secs(1))));
        assert_eq!(ask("/packages/jug", 2).status, 404);
        assert_eq!(ask("/packages/mug", 3).status, 200);
        assert_eq!(ask("/packages/mug", 999).status, 429);
        assert_eq!(ask("/packages/mug", 2000).status, 200);
        assert_eq!(log.busiest(), 5);
    }

    #[tokio::test]
    async fn it_is_asked_over_the_network() {
        let server = Server::start(Index::read(LOCK)).await.unwrap();
        let answer = crate::http::fetch(server.address(), "/packages/mug").await.unwrap();
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("1.0.0"), "{answer:?}");
        assert_eq!(server.log().requests.len(), 1);
    }
}
