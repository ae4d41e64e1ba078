//! A service that fails as it is told.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws::{Cloud, Names};
use aws_config::{ConfigLoader, Region, timeout::TimeoutConfig};
use aws_sdk_lambda::config::Credentials;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Barrier,
};

/// Treatment of one request.
#[derive(Clone, Debug)]
pub(crate) enum Treat {
    /// The connection is closed when the request has come.
    Close,
    /// The connection is closed in the middle of the answer.
    Half,
    /// No answer comes.
    Hang,
    /// An answer: status, headers, body.
    Answer(u16, &'static [(&'static str, &'static str)], &'static str),
    /// An answer when so many requests wait.
    Together(Arc<Barrier>, &'static str),
}

/// The service. Each request gets the next treatment, and the last one again and again.
pub(crate) struct Faulty {
    endpoint: String,
    requests: Arc<AtomicUsize>,
}

impl Faulty {
    pub(crate) async fn start(treatments: impl IntoIterator<Item = Treat>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let treatments: Arc<Mutex<VecDeque<Treat>>> = Arc::new(Mutex::new(treatments.into_iter().collect()));
        let count = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&treatments), Arc::clone(&count)));
            }
        });
        Self { endpoint, requests }
    }

    /// Number of requests so far.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub(crate) async fn cloud(&self) -> Cloud {
        self.cloud_with(|loader| loader).await
    }

    pub(crate) async fn cloud_with(&self, change: impl FnOnce(ConfigLoader) -> ConfigLoader) -> Cloud {
        cloud(|loader| change(loader.endpoint_url(&self.endpoint))).await
    }
}

/// Clients with the settings of the programs, but for the endpoint, and a short timeout.
pub(crate) async fn cloud(change: impl FnOnce(ConfigLoader) -> ConfigLoader) -> Cloud {
    let timeouts = TimeoutConfig::builder().connect_timeout(Duration::from_secs(2));
    let loader = Cloud::loader()
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
        .timeout_config(timeouts.operation_timeout(Duration::from_millis(700)).build());
    Cloud::new(&change(loader).load().await, Names::new("t"))
}

async fn serve(mut stream: TcpStream, treatments: Arc<Mutex<VecDeque<Treat>>>, count: Arc<AtomicUsize>) {
    let mut received = Vec::new();
    loop {
        let Some(end) = request_end(&received) else {
            match stream.read_buf(&mut received).await {
                Ok(0) | Err(_) => return,
                Ok(_) => continue,
            }
        };
        received.drain(..end);
        count.fetch_add(1, Ordering::SeqCst);
        let treat = {
            let mut treatments = treatments.lock().unwrap();
            let next = treatments.front().cloned().expect("a treatment is left");
            if treatments.len() > 1 {
                treatments.pop_front();
            }
            next
        };
        let answer = match treat {
            Treat::Close => return,
            Treat::Hang => std::future::pending().await,
            Treat::Half => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"half\":".to_owned(),
            Treat::Answer(status, headers, body) => answer(status, headers, body),
            Treat::Together(barrier, body) => {
                barrier.wait().await;
                answer(200, &[], body)
            }
        };
        let is_half = answer.ends_with("{\"half\":");
        if stream.write_all(answer.as_bytes()).await.is_err() || is_half {
            return;
        }
    }
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> String {
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!(
        "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Length of the request at the start of the bytes, if it is complete.
fn request_end(received: &[u8]) -> Option<usize> {
    let head = received.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&received[..head]).unwrap().to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
    (received.len() >= head + length).then_some(head + length)
}
