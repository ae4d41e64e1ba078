//! The journal of all sessions.

use async_tool_dynamodb::DynamoJournal;

use crate::Cloud;

/// Journal in two tables of the deployment. It sends no request yet.
#[must_use]
pub fn journal(cloud: &Cloud) -> DynamoJournal {
    DynamoJournal::new(cloud.dynamo.clone(), cloud.names.prefix.clone())
}
