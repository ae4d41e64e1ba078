//! Circuit breaker: refuses the calls of a tool that fails again and again.

use std::sync::Arc;

use tower_layer::Layer;

use super::service::{ToolRequest, ToolService};
use crate::{manager::Count, policy::Breaker};

impl Layer<ToolService> for Breaker {
    type Service = ToolService;

    fn layer(&self, inner: ToolService) -> ToolService {
        let breaker = self.clone();
        ToolService::new(move |request: ToolRequest| {
            let (breaker, inner) = (breaker.clone(), inner.clone());
            async move {
                let admitted = breaker.admit();
                if let (Err(_), Some(host)) = (&admitted, request.host()) {
                    host.count(breaker.tool(), Count::BreakerOpen);
                }
                let mut call = admitted?;
                let cell = Arc::clone(request.cell());
                let attempts_before = cell.attempts();
                let result = inner.run(request).await;
                // A call without an attempt never reached the function, for example because its deadline came while it
                // waited for its rate.
                if cell.attempts() != attempts_before {
                    call.judge(&result);
                }
                result
            }
        })
    }
}
