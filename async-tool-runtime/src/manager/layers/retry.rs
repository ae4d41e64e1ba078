//! Retries of failed calls.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};
use tower_layer::Layer;
use tracing::Instrument;

use super::service::{ToolRequest, ToolService, past_deadline, too_late};
use crate::{
    manager::{Count, Inner, ShownWait, Wait},
    policy::random,
    task::WaitsFor,
    tool::{Effect, RetryPolicy, ToolError, ToolErrorKind},
};

/// Layer that repeats attempts that failed with a retryable error.
pub(super) struct RetryLayer {
    pub(super) policy: RetryPolicy,
    pub(super) effect: Effect,
    pub(super) stop_timeout: Duration,
}

impl Layer<ToolService> for RetryLayer {
    type Service = ToolService;

    fn layer(&self, inner: ToolService) -> ToolService {
        let Self {
            policy,
            effect,
            stop_timeout,
        } = *self;
        ToolService::new(move |mut request: ToolRequest| {
            let inner = inner.clone();
            async move {
                let total = policy
                    .total
                    .and_then(|total| Some((total, Instant::now().checked_add(total)?)));
                // The total time, if it ends before the task's deadline does.
                let total = total.filter(|(_, end)| request.deadline().is_none_or(|deadline| *end < deadline));
                if let Some((_, end)) = total {
                    request.end_by(end);
                }
                let in_words = |error: ToolError| match total {
                    Some((total, _)) if error == past_deadline() => out_of_time(total),
                    _ => error,
                };
                let mut attempt = 1;
                loop {
                    let span = tracing::info_span!(target: "async_tool::span", "execute_tool.attempt", attempt = i64::from(attempt));
                    let run = inner.run(request.clone()).instrument(span);
                    let ended = tokio::select! {
                        biased;
                        ended = run => ended,
                        // A layer of the host's may wait forever.
                        () = too_late(request.cell(), request.deadline(), stop_timeout), if policy.total.is_some() => Err(past_deadline()),
                    };
                    let error = match ended {
                        Ok(value) => return Ok(value),
                        Err(error) => in_words(error),
                    };
                    // The result comes from outside, so another attempt could change nothing.
                    if request.cell().is_deferred() {
                        return Err(error);
                    }
                    let Some(pause) = policy.pause(attempt, &error, effect, random()) else {
                        return Err(error);
                    };
                    // An attempt that could begin only after the deadline would replace the tool's error by a timeout.
                    let is_in_time = |end| Instant::now().checked_add(pause).is_some_and(|next| next < end);
                    if request.cancellation().is_cancelled() || !request.deadline().is_none_or(is_in_time) {
                        return Err(error);
                    }
                    tracing::debug!(target: "async_tool::task", task = %request.task(), attempt, ?pause, kind = error.kind().as_str(), "an attempt failed; the next one follows");
                    if let Some(host) = request.host() {
                        host.count(request.tool(), Count::Retry);
                    }
                    let wait = request.pause();
                    let at = |host: Arc<Inner>| WaitsFor::Retry {
                        at: host.now().after(pause),
                    };
                    let entered = request
                        .host()
                        .and_then(|host| ShownWait::new(request.cell(), Wait::For(at(host))));
                    request.wait_for(sleep(pause)).await.map_err(in_words)?;
                    drop(entered);
                    request.go_on(wait).await.map_err(in_words)?;
                    attempt += 1;
                }
            }
        })
    }
}

/// Error of a call whose attempts have used up their time.
fn out_of_time(total: Duration) -> ToolError {
    ToolError::new(
        ToolErrorKind::Timeout,
        format!("timed out after {total:?}, with all attempts"),
    )
}
