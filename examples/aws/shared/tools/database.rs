//! A tool that reads a table of DynamoDB.

use async_tool_runtime::{ToolError, async_tool, tool::State};
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;

use crate::{Cloud, fault, json_of};

/// Looks up an order by its number, for example `o-17`. The result is null if there is no such order.
#[async_tool(effect = "read", timeout = "60s", retry(attempts = 4, backoff = "100ms..2s"))]
pub async fn query_database(
    /// Number of the order.
    id: String,
    #[inject] cloud: State<Cloud>,
) -> Result<Option<Value>, ToolError> {
    let table = cloud.names.orders();
    let answer = cloud
        .dynamo
        .get_item()
        .table_name(&table)
        .key("id", AttributeValue::S(id))
        // A model that has just changed an order must not see the old one.
        .consistent_read(true)
        .send()
        .await
        .map_err(|error| fault::tool_error(&cloud.place("table", &table), &error))?;
    // A missing item is an answer: there is no such order.
    Ok(answer.item.as_ref().map(json_of))
}
