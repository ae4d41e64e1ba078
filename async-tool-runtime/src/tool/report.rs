//! What a tool says of its progress.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

/// What a tool says of its progress.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ProgressReport {
    /// How much is done, from 0 to 1; `None` if nobody can say.
    pub fraction: Option<f64>,
    /// What it is doing.
    pub message: String,
    /// What there is of the result so far. A report that has none leaves the last one standing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Arc<Value>>,
}
