//! A tool whose result comes later, through a queue.

use std::time::Duration;

use async_tool_runtime::{ToolContext, ToolError, ToolErrorKind, async_tool, tool::State};
use aws_sdk_lambda::{primitives::Blob, types::InvocationType};
use serde_json::Value;

use crate::{Cloud, Order, fault};

/// Function that makes reports, and the way back.
#[derive(Clone, Debug)]
pub struct Reports {
    /// Function that makes them.
    pub function: String,
    /// URL of the queue for their completions.
    pub reply_to: String,
    /// Longest wait for one.
    pub within: Duration,
}

/// Orders a report on the orders of a customer. It takes some time.
// `external`: if the process ends between the invocation and the journal's entry, the report completes the task all the same.
#[async_tool(external = true, retry(attempts = 4, backoff = "100ms..2s"))]
pub async fn order_report(
    /// Name of the customer.
    customer: String,
    #[inject] cx: ToolContext,
    #[inject] cloud: State<Cloud>,
    #[inject] reports: State<Reports>,
) -> Result<Value, ToolError> {
    let order = Order {
        task: cx.task(),
        session: cx.session().clone(),
        idempotency_key: cx.idempotency_key().to_string(),
        customer,
        reply_to: reports.reply_to.clone(),
    };
    let payload = serde_json::to_vec(&order).map_err(ToolError::from_error)?;
    let place = cloud.place("function", &reports.function);
    let ordered = cloud
        .lambda
        .invoke()
        .function_name(&reports.function)
        // Answered with 202 and an empty payload, before the function runs. So the payload says where the report has to go.
        .invocation_type(InvocationType::Event)
        .payload(Blob::new(payload))
        .send()
        .await;
    if let Err(error) = ordered {
        let error = fault::tool_error(&place, &error);
        // If the order may have arrived, its report may come, and is worth more than "unknown". The deadline ends the wait.
        if !matches!(error.kind(), ToolErrorKind::Unknown | ToolErrorKind::Timeout) {
            return Err(error);
        }
    }
    // The function ends here; the task waits, without a slot, for a message or for its deadline.
    cx.defer_within(reports.within).await
}
