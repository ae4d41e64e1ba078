//! A tool that waits for a function of Lambda.

use async_tool_runtime::{
    ToolError, async_tool,
    tool::{IdempotencyKey, State},
};
use aws_sdk_lambda::{primitives::Blob, types::InvocationType};
use serde_json::{Value, json};

use crate::{Cloud, fault};

/// Calls the shop's API, for example `/prices/tea`.
// The effect is `once`: a function may do anything, so the call is repeated only after an error that says that nothing was started.
#[async_tool(retry(attempts = 4, backoff = "100ms..2s"))]
pub async fn call_api(
    /// Path of the resource.
    path: String,
    #[inject] cloud: State<Cloud>,
    #[inject] key: IdempotencyKey,
) -> Result<Value, ToolError> {
    let function = cloud.names.api();
    let place = cloud.place("function", &function);
    let payload = json!({"path": path, "idempotency_key": key.to_string()});
    let answer = cloud
        .lambda
        .invoke()
        .function_name(&function)
        // Lambda answers with the function's result. An `Event` has none: AWS answers before the function runs.
        .invocation_type(InvocationType::RequestResponse)
        .payload(Blob::new(payload.to_string()))
        .send()
        .await
        .map_err(|error| fault::tool_error(&place, &error))?;
    let payload = answer.payload().map_or(&[][..], |payload| payload.as_ref());
    if answer.function_error().is_some() {
        return Err(fault::function_error(payload));
    }
    serde_json::from_slice(payload)
        .map_err(|error| ToolError::failed(format!("{place} has run, and its answer is no JSON: {error}")))
}
