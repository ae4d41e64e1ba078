//! Attempts start as their limit allows.

use std::{pin::pin, time::Duration};

use tokio::time::timeout;
use tower_layer::Layer;

use super::service::{ToolRequest, ToolService};
use crate::policy::RateLimiter;

/// Time that an attempt may wait for a slot while others wait behind it. After that they go first: the slot may be long in
/// coming, to a session at its limit for instance, and the others' sessions have nothing to do with that.
const PATIENCE: Duration = Duration::from_millis(50);

impl Layer<ToolService> for RateLimiter {
    type Service = ToolService;

    fn layer(&self, inner: ToolService) -> ToolService {
        let limiter = self.clone();
        ToolService::new(move |request: ToolRequest| {
            let (limiter, inner) = (limiter.clone(), inner.clone());
            async move {
                while !limiter.start_at_once() {
                    let pause = request.pause();
                    let turn = request.wait_for(limiter.turn()).await?;
                    // The start is counted when there is a slot: a crowd that had waited for slots would otherwise start all at once.
                    let mut slot = pin!(request.go_on(pause));
                    match timeout(PATIENCE, &mut slot).await {
                        Ok(has_slot) => {
                            has_slot?;
                            limiter.start(turn);
                            break;
                        }
                        Err(_) => {
                            drop(turn);
                            slot.await?;
                        }
                    }
                }
                inner.run(request).await
            }
        })
    }
}
