//! Heartbeats of one task on a worker.
//!
//! They go straight to the server, and not through the SDK's worker, for three reasons. The number of starts must be stored before the function
//! begins, and the SDK answers nothing. The answer tells a cancellation from the end of the attempt, and the SDK has one signal for both.
//! And the SDK would slow them down to four fifths of the heartbeat timeout.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_tool_runtime::{
    CancellationToken,
    backend::{BackendError, BackendErrorKind, Heartbeat, WorkerLink},
    future::BoxFuture,
};
use temporalio_client::{AsyncActivityHandle, Client, RetryOptions, RpcOptions, errors::AsyncActivityError};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::refusal;

/// Time for one call to the server. A server that hangs must not hold up the next heartbeat for long.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Pulse {
    handle: AsyncActivityHandle<Client>,
    /// Contents of the next heartbeat.
    latest: Mutex<Heartbeat>,
    /// Held while a heartbeat travels, so that an older one never overtakes a newer one.
    wire: tokio::sync::Mutex<()>,
    cancellation: CancellationToken,
}

impl Pulse {
    pub(crate) fn new(handle: AsyncActivityHandle<Client>, before: Heartbeat) -> Self {
        Self {
            handle,
            latest: Mutex::new(before),
            wire: tokio::sync::Mutex::new(()),
            cancellation: CancellationToken::new(),
        }
    }

    pub(crate) const fn handle(&self) -> &AsyncActivityHandle<Client> {
        &self.handle
    }

    /// Fires when the caller has cancelled the task.
    pub(crate) fn cancellation(&self) -> CancellationToken {
        self.cancellation.clone()
    }

    pub(crate) fn latest(&self) -> Heartbeat {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends heartbeats. Returns when the server no longer has this attempt: the task was aborted, or was given to another worker.
    ///
    /// An outage is no reason to stop: while the server is down, it gives the task to no worker.
    pub(crate) async fn beat(&self, every: Duration) {
        let mut ticks = interval_at(Instant::now() + every, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let turn = self.wire.lock().await;
            let sent = self.send(self.latest()).await;
            drop(turn);
            match sent {
                Ok(()) => {}
                Err(error) if error.kind() == BackendErrorKind::NotFound => return,
                Err(error) => tracing::debug!(target: "async_tool::temporal", %error, "a heartbeat was not taken"),
            }
        }
    }

    async fn send(&self, heartbeat: Heartbeat) -> Result<(), BackendError> {
        match self.handle.heartbeat(Some(heartbeat), call()).await {
            Ok(answer) => {
                if answer.cancel_requested {
                    self.cancellation.cancel();
                }
                Ok(())
            }
            Err(AsyncActivityError::NotFound(status) | AsyncActivityError::Rpc(status)) => {
                Err(refusal::of(status, "sending a heartbeat"))
            }
            Err(error) => Err(BackendError::refused("a heartbeat could not be written").with_source(error)),
        }
    }
}

impl WorkerLink for Pulse {
    fn save(&self, heartbeat: Heartbeat) -> BoxFuture<'_, Result<(), BackendError>> {
        Box::pin(async move {
            let _turn = self.wire.lock().await;
            self.send(heartbeat.clone()).await?;
            *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = heartbeat;
            Ok(())
        })
    }

    fn report(&self, heartbeat: Heartbeat) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        // A blocking function may report after its start was taken back.
        if latest.starts == heartbeat.starts {
            *latest = heartbeat;
        }
    }
}

/// Options of one call, without the client's own retries: each caller here has a better loop around it.
pub(crate) fn call() -> RpcOptions {
    RpcOptions::builder()
        .timeout(PATIENCE)
        .retry_options(RetryOptions::no_retries())
        .build()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;
    use temporalio_client::{ActivityIdentifier, tonic::Status};
    use temporalio_common::protos::temporal::api::workflowservice::v1::{
        RecordActivityTaskHeartbeatRequest, RecordActivityTaskHeartbeatResponse,
    };

    use super::*;
    use crate::fake::{self, Answer, Calls, answer};

    const BEAT: &str = "RecordActivityTaskHeartbeat";
    const EVERY: Duration = Duration::from_millis(700);

    async fn pulse(respond: impl Fn(usize) -> Option<Answer> + Send + Sync + 'static) -> (Arc<Pulse>, Calls) {
        let (client, calls) = fake::client(move |rpc, nth| respond(nth).filter(|_| rpc == BEAT)).await;
        let token = ActivityIdentifier::from_task_token(vec![1].into());
        (
            Arc::new(Pulse::new(AsyncActivityHandle::new(client, token), Heartbeat::new(1))),
            calls,
        )
    }

    fn sent(calls: &Calls) -> Vec<u32> {
        let requests: Vec<RecordActivityTaskHeartbeatRequest> = calls.of(BEAT);
        let details = requests
            .into_iter()
            .map(|request| request.details.unwrap().payloads.remove(0).data);
        details
            .map(|data| serde_json::from_slice::<Heartbeat>(&data).unwrap().starts)
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_is_saved_when_the_server_has_it() {
        let (pulse, calls) = pulse(|nth| (nth == 0).then(|| Err(Status::unavailable("down")))).await;
        let error = pulse.save(Heartbeat::new(2)).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Unreachable);
        assert_eq!(pulse.latest().starts, 1, "what the server doesn't have was kept");
        pulse.save(Heartbeat::new(2)).await.unwrap();
        assert_eq!((pulse.latest().starts, sent(&calls)), (2, vec![2, 2]));
    }

    #[tokio::test(start_paused = true)]
    async fn later_heartbeats_keep_the_number_of_starts() {
        let (pulse, calls) = pulse(|_| None).await;
        let beating = tokio::spawn({
            let pulse = Arc::clone(&pulse);
            async move { pulse.beat(EVERY).await }
        });
        pulse.save(Heartbeat::new(2)).await.unwrap();
        tokio::time::sleep(EVERY * 3).await;
        pulse.save(Heartbeat::new(3)).await.unwrap();
        tokio::time::sleep(EVERY * 3).await;
        beating.abort();
        let sent = sent(&calls);
        assert!(sent.len() >= 6 && sent.is_sorted(), "{sent:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_report_after_a_start_was_taken_back_counts_no_start() {
        let (pulse, calls) = pulse(|_| None).await;
        let halfway = json!({"starts": 2, "progress": {"fraction": 0.5, "message": "half"}});
        let halfway: Heartbeat = serde_json::from_value(halfway).unwrap();
        pulse.save(Heartbeat::new(2)).await.unwrap();
        pulse.report(halfway.clone());
        assert_eq!(pulse.latest(), halfway);
        pulse.save(Heartbeat::new(1)).await.unwrap();
        pulse.report(halfway);
        assert_eq!(pulse.latest(), Heartbeat::new(1));
        assert_eq!(sent(&calls), [2, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancellation_is_told_from_the_end_of_the_attempt() {
        let cancelled = || {
            answer(RecordActivityTaskHeartbeatResponse {
                cancel_requested: true,
                ..Default::default()
            })
        };
        let (pulse, _) = pulse(move |nth| match nth {
            0 => None,
            1 => Some(Err(Status::unavailable("down"))),
            2 => Some(cancelled()),
            _ => Some(Err(Status::not_found("the attempt is over"))),
        })
        .await;
        let token = pulse.cancellation();
        let heard = async {
            token.cancelled().await;
            tokio::time::Instant::now()
        };
        let begun = tokio::time::Instant::now();
        let (heard, ()) = tokio::join!(heard, pulse.beat(EVERY));
        assert_eq!(heard - begun, EVERY * 3);
        assert_eq!(begun.elapsed(), EVERY * 4);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_an_attempt_is_no_cancellation() {
        let (pulse, _) = pulse(|_| Some(Err(Status::not_found("the attempt is over")))).await;
        pulse.beat(EVERY).await;
        assert!(!pulse.cancellation().is_cancelled());
    }
}
