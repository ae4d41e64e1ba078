//! Rate limit of attempts.

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};
use tower_layer::Layer;

use super::service::{ToolRequest, ToolService};
use crate::{
    manager::{Inner, ShownWait, Wait},
    policy::RateLimiter,
    task::WaitsFor,
};

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
                if limiter.start_at_once() {
                    return inner.run(request).await;
                }
                let place = limiter.queue_up();
                loop {
                    let pause = request.pause();
                    let until = |host: Arc<Inner>| {
                        let left = place.due().saturating_duration_since(Instant::now());
                        WaitsFor::Rate {
                            until: host.now().after(left),
                        }
                    };
                    let entered = request
                        .host()
                        .and_then(|host| ShownWait::new(request.cell(), Wait::For(until(host))));
                    request.wait_for(place.turn()).await?;
                    drop(entered);
                    // The start counts once there is a slot. Otherwise attempts that waited for slots could all start
                    // at once.
                    let mut slot = pin!(request.go_on(pause));
                    match timeout(PATIENCE, &mut slot).await {
                        Ok(has_slot) => has_slot?,
                        Err(_) => {
                            place.step_aside();
                            slot.await?;
                        }
                    }
                    // Others may have used the window up meanwhile.
                    if place.start() {
                        break;
                    }
                }
                drop(place);
                inner.run(request).await
            }
        })
    }
}
