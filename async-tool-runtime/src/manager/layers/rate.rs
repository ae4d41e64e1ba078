//! Rate limit of attempts.

use std::{pin::pin, time::Duration};

use tokio::time::timeout;
use tower_layer::Layer;

use super::service::{ToolRequest, ToolService};
use crate::policy::RateLimiter;

/// Time that an attempt, when its turn has come, may wait for a slot before it lets later attempts pass. A slot may
/// take long, for example in a session at its limit, and other sessions must not wait for that.
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
                    // The start counts once there is a slot. Otherwise attempts that waited for slots could all start
                    // at once.
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
