//! Settings of a backend, and its connection.

use std::{future::IntoFuture, time::Duration};

use async_tool_runtime::future::BoxFuture;

use crate::{
    assignment::beat,
    backend::{Parts, TemporalBackend},
    error::{TemporalError, TemporalErrorKind},
    server::{self, Server},
    watch::Watch,
};

/// Connection that is being set up. Await it for the [`TemporalBackend`].
///
/// ```no_run
/// use async_tool_temporal::{Server, TemporalBackend};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::new("http://temporal.internal:7233").namespace("agents");
/// let backend = TemporalBackend::connect(server)
///     .queue("tools")
///     .heartbeat(Duration::from_secs(10))
///     .await?;
/// # drop(backend);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// - [`TemporalErrorKind::Unreachable`] if the server doesn't answer.
/// - [`TemporalErrorKind::Refused`] if it doesn't admit this client, or has no such namespace.
/// - [`TemporalErrorKind::Unprepared`] if it is too old, or the namespace lacks the search attribute. The message says how to create it.
/// - [`TemporalErrorKind::Setting`] if a setting is wrong.
#[derive(Debug)]
#[must_use = "a connection does nothing unless it is awaited"]
pub struct Connect {
    server: Server,
    queue: String,
    heartbeat: Duration,
    cancel_latency: Duration,
    max_payload: Option<usize>,
}

impl Connect {
    pub(crate) fn new(server: Server) -> Self {
        Self {
            server,
            queue: "async-tool".to_owned(),
            heartbeat: Duration::from_secs(30),
            cancel_latency: Duration::from_secs(1),
            max_payload: None,
        }
    }

    /// Sets the task queue from which workers take the tasks; `async-tool` unless set.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = queue.into();
        self
    }

    /// Sets how long a worker may be silent before its tasks go to another worker; 30 s unless set.
    ///
    /// An outage of the server that is shorter costs no running task its worker. At least three times the interval of heartbeats,
    /// which is 0.7 × [`cancel_latency`](Self::cancel_latency).
    pub fn heartbeat(mut self, timeout: Duration) -> Self {
        self.heartbeat = timeout;
        self
    }

    /// Sets how soon a running tool hears of a cancellation; 1 s unless set. A running task costs the server a heartbeat in
    /// each 0.7 × of this time.
    pub fn cancel_latency(mut self, latency: Duration) -> Self {
        self.cancel_latency = latency;
        self
    }

    /// Sets the limit for a task, and for a result, in bytes of JSON. Unless set, the namespace's own limit. A client with a codec that makes
    /// payloads larger needs a smaller limit.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = Some(bytes);
        self
    }

    fn check(&self) -> Result<(), TemporalError> {
        let beat = beat(self.cancel_latency);
        let complaint = if self.queue.is_empty() {
            "the task queue needs a name".to_owned()
        } else if self.cancel_latency < Duration::from_millis(20) {
            "the latency of a cancellation must be 20 ms or more".to_owned()
        } else if self.heartbeat < beat * 3 {
            format!(
                "the heartbeat timeout is {:?}, less than three heartbeats; set it to {:?} or more, or shorten the latency of a cancellation",
                self.heartbeat,
                beat * 3
            )
        } else {
            return Ok(());
        };
        Err(TemporalError::new(TemporalErrorKind::Setting, complaint))
    }

    async fn connect(self) -> Result<TemporalBackend, TemporalError> {
        self.check()?;
        let client = self.server.client().await?;
        let mut limits = server::limits(&client).await?;
        server::check_attribute(&client).await?;
        if let Some(bytes) = self.max_payload {
            limits.payload = bytes;
        }
        Ok(TemporalBackend::new(Parts {
            client,
            queue: self.queue,
            heartbeat: self.heartbeat,
            cancel_latency: self.cancel_latency,
            limits,
            watch: Watch::new(),
        }))
    }
}

impl IntoFuture for Connect {
    type Output = Result<TemporalBackend, TemporalError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.connect())
    }
}

#[cfg(test)]
mod tests {
    use temporalio_client::tonic::Status;
    use temporalio_common::protos::temporal::api::workflowservice::v1::DescribeNamespaceResponse;

    use super::*;
    use crate::fake::{self, Answer, answer};

    async fn connect(
        respond: impl Fn(&str, usize) -> Option<Answer> + Send + Sync + 'static,
    ) -> Result<TemporalBackend, TemporalError> {
        TemporalBackend::connect(fake::client(respond).await.0).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_lacks_something_is_refused_with_a_remedy() {
        let old =
            connect(|rpc, _| (rpc == "DescribeNamespace").then(|| answer(DescribeNamespaceResponse::default()))).await;
        let error = old.unwrap_err();
        assert_eq!(error.kind(), TemporalErrorKind::Unprepared);
        assert!(error.to_string().contains("1.31"), "{error}");

        let bare =
            connect(|rpc, _| (rpc == "CountActivityExecutions").then(|| Err(Status::invalid_argument("no attribute"))))
                .await;
        let error = bare.unwrap_err();
        assert_eq!(error.kind(), TemporalErrorKind::Unprepared);
        assert!(
            error.to_string().contains("temporal operator search-attribute create"),
            "{error}"
        );

        let foreign =
            connect(|rpc, _| (rpc == "DescribeNamespace").then(|| Err(Status::not_found("no namespace")))).await;
        assert_eq!(foreign.unwrap_err().kind(), TemporalErrorKind::Refused);
    }

    #[tokio::test(start_paused = true)]
    async fn settings_that_can_not_work_are_errors() {
        let (client, _) = fake::client(|_, _| None).await;
        let settings = || TemporalBackend::connect(client.clone());
        for wrong in [
            settings().queue(""),
            settings().cancel_latency(Duration::ZERO),
            settings().heartbeat(Duration::from_secs(2)),
        ] {
            assert_eq!(wrong.await.unwrap_err().kind(), TemporalErrorKind::Setting);
        }
        assert!(settings().heartbeat(Duration::from_millis(2_100)).await.is_ok());
        for address in ["", "not an address", "http://"] {
            assert_eq!(
                TemporalBackend::connect(address).await.unwrap_err().kind(),
                TemporalErrorKind::Setting,
                "{address}"
            );
        }
    }
}
