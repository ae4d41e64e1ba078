//! A reader reads the type of its argument.

use async_tool_runtime::async_tool;
use serde::{Deserialize, Deserializer};

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    u8::deserialize(deserializer)
}

/// Works.
#[async_tool]
fn work(#[serde(deserialize_with = "read")] _number: u16) {}

fn main() {}
