//! A name begins with a letter or `_`, which Gemini asks for.

use async_tool_runtime::async_tool;

/// Renders.
#[async_tool(name = "3d_render")]
fn render() {}

fn main() {}
