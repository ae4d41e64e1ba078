//! Approval of a call by the host before it runs.

use tower_layer::Layer;

use super::service::{ToolRequest, ToolService};
use crate::tool::{Approval, InputRequest, ToolError, ToolErrorKind};

/// Layer that asks the host for approval before a call runs.
pub(super) struct ApprovalLayer(pub(super) Approval);

impl Layer<ToolService> for ApprovalLayer {
    type Service = ToolService;

    fn layer(&self, inner: ToolService) -> ToolService {
        let approval = self.0.clone();
        ToolService::new(move |request: ToolRequest| {
            let (approval, inner) = (approval.clone(), inner.clone());
            async move {
                if approval.is_needed(request.arguments()) {
                    if request.host().is_none() {
                        return Err(ToolError::new(
                            ToolErrorKind::Refused,
                            "the call needs approval, and a worker can't ask for it",
                        ));
                    }
                    let question = InputRequest::Approval {
                        arguments: request.arguments().clone(),
                    };
                    request
                        .wait_for(request.cell().put_question(question, Vec::new()))
                        .await??;
                }
                inner.run(request).await
            }
        })
    }
}
