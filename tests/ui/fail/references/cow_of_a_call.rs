//! A `Cow` owns its text; only a reference may not name its lifetime.

use std::borrow::Cow;

use async_tool_runtime::async_tool;

/// Works.
#[async_tool]
fn work(_fine: Cow<'static, str>, _also: Cow<'_, str>, _text: &'_ str, _inside: Option<&'static str>) {}

fn main() {}
