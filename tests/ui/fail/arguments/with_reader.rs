//! With a reader or a schema of the user's, only the other half is asked of the type.

use async_tool_runtime::async_tool;
use serde::{Deserialize, Deserializer};

struct Query;

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Query, D::Error> {
    String::deserialize(deserializer).map(|_| Query)
}

fn schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "string"})
}

/// Works.
#[async_tool]
fn work(
    #[serde(deserialize_with = "read")] _first: Query,
    #[schemars(with = "String")] _second: Query,
    #[arg(default = Query)]
    #[schemars(schema_with = "schema")]
    _third: &Query,
) {
}

fn main() {}
