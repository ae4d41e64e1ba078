//! Slot of the manager during a call.

use std::sync::Arc;

use tower_layer::Layer;

use super::service::{ToolRequest, ToolService};
use crate::manager::{Inner, TaskCell};

/// Layer that waits for a slot and returns it when the call has ended. `manager/queue.rs` decides the order.
pub(super) struct SlotLayer;

/// Guard that returns the slot, even if the call is dropped.
struct Held(Arc<Inner>, Arc<TaskCell>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.release(&self.1);
    }
}

impl Layer<ToolService> for SlotLayer {
    type Service = ToolService;

    fn layer(&self, inner: ToolService) -> ToolService {
        ToolService::new(move |request: ToolRequest| {
            let inner = inner.clone();
            async move {
                let Some(host) = request.host() else {
                    return inner.run(request).await;
                };
                let held = Held(Arc::clone(&host), Arc::clone(request.cell()));
                request.wait_for(host.acquire(request.cell())).await??;
                let result = inner.run(request).await;
                drop(held);
                result
            }
        })
    }
}
