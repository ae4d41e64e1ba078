//! `sensitive` stands alone at an argument, whose name is known, and names the result at a tool.

use async_tool_runtime::async_tool;

/// Logs in.
#[async_tool(sensitive = "arguments")]
fn log_in(#[arg(sensitive = true)] _password: String) {}

/// Logs out.
#[async_tool(sensitive)]
fn log_out(
    #[arg(sensitive)]
    #[serde(rename = "token")]
    _session: String,
) {
}

fn main() {}
